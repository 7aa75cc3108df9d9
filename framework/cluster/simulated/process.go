package simulated

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// home is the folder that kwokctl keeps the cluster in.
func (p *Provider) home() string {
	return filepath.Join(p.config.Dir, "kwok", "clusters", p.config.Name)
}

// kwokFile is kwok's configuration; it marks a folder as a simulated cluster's.
func (p *Provider) kwokFile() string { return filepath.Join(p.config.Dir, "kwok.yaml") }

// componentsFile is a file of kwokctl's for the cluster: kwok.yaml lists the components and their arguments.
func (p *Provider) componentsFile(name string) string { return filepath.Join(p.home(), name) }

func (p *Provider) logPath(component string) string {
	return filepath.Join(p.home(), "logs", component+".log")
}

// process is a running component.
type process struct {
	pid  int
	name string
	args []string
}

// processes finds the cluster's own processes. A process is ours if it was started by a path inside the cluster's bin folder: pids in
// files may have been given to others since. A kwokctl that is about to start them, and its kubectl, are ours too, by
// the configurations they were given.
func (p *Provider) processes() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("looking for the cluster's processes: %w", err)
	}
	bin := filepath.Join(p.home(), "bin")
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// A process that has ended but was not waited for has an empty command line, and so is not found.
		line, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err != nil || len(line) == 0 {
			continue
		}
		args := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
		folder, name := filepath.Split(args[0])
		starts := name == "kwokctl" && slices.Contains(args, p.kwokFile()) || name == "kubectl" && slices.Contains(args, p.componentsFile("kubeconfig.yaml"))
		if filepath.Clean(folder) == bin || starts {
			found = append(found, process{pid: pid, name: name, args: args})
		}
	}
	return found, nil
}

// passing says whether a process of the cluster is being started or is ending: for a moment it has no command line then, and is found by nobody,
// though it is there and may hold its port.
func passing(pid int) bool {
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
	if err != nil || len(line) > 0 {
		return false
	}
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ") // proc_pid_stat(5): the state follows the name, which is in brackets
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// end ends the cluster's processes that match, with signal first and SIGKILL after patience, and returns when they are gone.
func (p *Provider) end(ctx context.Context, match func(process) bool, signal syscall.Signal, patience time.Duration) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	started := time.Now()
	signalled := map[int]syscall.Signal{}
	for {
		running, err := p.processes()
		if err != nil {
			return err
		}
		running = slices.DeleteFunc(running, func(r process) bool { return !match(r) })
		ending := slices.ContainsFunc(slices.Collect(maps.Keys(signalled)), passing)
		if len(running) == 0 && !ending {
			return nil
		}
		now := signal
		if time.Since(started) > patience {
			now = syscall.SIGKILL
		}
		for _, r := range running {
			if signalled[r.pid] == now {
				continue
			}
			signalled[r.pid] = now
			if err := syscall.Kill(r.pid, now); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("ending %s (pid %d): %w", r.name, r.pid, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v do not end: %w", slices.Sorted(maps.Keys(signalled)), ctx.Err())
		case <-tick.C:
		}
	}
}

// Destroy ends the cluster's processes and removes its folder. A cluster that is gone, or was never made, is no error; a folder that holds
// something else is, and is left alone.
func (p *Provider) Destroy(ctx context.Context) error {
	entries, err := os.ReadDir(p.config.Dir)
	if p.config.Dir == "" || p.refused || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("destroying simulated cluster %q: %w", p.config.Name, err)
	}
	if _, err := os.Stat(p.kwokFile()); err != nil && len(entries) > 0 {
		return fmt.Errorf("destroying simulated cluster %q: %s holds no simulated cluster", p.config.Name, p.config.Dir)
	}
	// The data goes too, so nobody has to write anything down: SIGKILL.
	if err := p.end(ctx, func(process) bool { return true }, syscall.SIGKILL, 0); err != nil {
		return fmt.Errorf("destroying simulated cluster %q: %w", p.config.Name, err)
	}
	// What marks the folder as ours goes last: a Destroy that is interrupted can be repeated.
	for _, entry := range entries {
		if path := filepath.Join(p.config.Dir, entry.Name()); path != p.kwokFile() {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("destroying simulated cluster %q: %w", p.config.Name, err)
			}
		}
	}
	if err := os.RemoveAll(p.config.Dir); err != nil {
		return fmt.Errorf("destroying simulated cluster %q: %w", p.config.Name, err)
	}
	return nil
}

// ExportLogs copies the components' logs into dest, which is made if need be.
func (p *Provider) ExportLogs(_ context.Context, dest string) error {
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return fmt.Errorf("exporting logs: %w", err)
	}
	for _, component := range components {
		if err := copyFile(p.logPath(component), filepath.Join(dest, component+".log")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("exporting the log of %s: %w", component, err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
