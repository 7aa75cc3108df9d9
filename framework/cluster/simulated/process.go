package simulated

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
// files may have been given to others since. A kwokctl that is about to start them is ours too, by the configuration it was given.
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
		if filepath.Clean(folder) == bin || name == "kwokctl" && slices.Contains(args, p.kwokFile()) {
			found = append(found, process{pid: pid, name: name, args: args})
		}
	}
	return found, nil
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
		if len(running) == 0 {
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
			return fmt.Errorf("%s (pid %d) does not end: %w", running[0].name, running[0].pid, ctx.Err())
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

// watchStart calls die when a component that was started has ended again.
func (p *Provider) watchStart(ctx context.Context, die context.CancelCauseFunc) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := p.died(); err != nil {
			die(err)
			return
		}
	}
}

// died returns an error that names a component that was started and does not run, with the end of its log.
func (p *Provider) died() error {
	// The pids are read before the processes are listed: one that starts in between must not be taken for dead.
	pids := map[string]int{}
	for _, component := range components {
		data, err := os.ReadFile(filepath.Join(p.home(), "pids", component+".pid"))
		if err != nil {
			continue // not started yet
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
			pids[component] = pid
		}
	}
	running, err := p.processes()
	if err != nil {
		return err
	}
	for _, component := range components {
		pid, started := pids[component]
		if !started || slices.ContainsFunc(running, func(r process) bool { return r.pid == pid }) {
			continue
		}
		log, _ := os.ReadFile(p.logPath(component)) // without it the error still names the component
		err := fmt.Errorf("%s ended; the end of its log:\n%s", component, lastLines(log, 10))
		if bytes.Contains(log, []byte("address already in use")) {
			err = fmt.Errorf("%w: %w", errPortTaken, err)
		}
		return err
	}
	return nil
}

func lastLines(data []byte, n int) string {
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Restart stops a component of the control plane (etcd, kube-apiserver, kube-controller-manager, kube-scheduler) and starts it again with
// the same arguments, ports and data. It returns when the component answers. It gets three seconds to end in good order, then SIGKILL.
func (p *Provider) Restart(ctx context.Context, component string) error {
	if !slices.Contains(controlPlane, component) {
		return fmt.Errorf("no component %q in the control plane; there are %s", component, strings.Join(controlPlane, ", "))
	}
	running, err := p.processes()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(running, func(r process) bool { return r.name == component })
	if i < 0 {
		return fmt.Errorf("%s of simulated cluster %q does not run", component, p.config.Name)
	}
	was := running[i]
	if err := p.end(ctx, func(r process) bool { return r.name == component }, syscall.SIGTERM, 3*time.Second); err != nil {
		return fmt.Errorf("stopping %s: %w", component, err)
	}
	log, err := os.OpenFile(p.logPath(component), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	started, err := os.StartProcess(was.args[0], was.args, &os.ProcAttr{
		Dir: p.home(), Env: os.Environ(), Files: []*os.File{null, log, log},
		Sys: &syscall.SysProcAttr{Setsid: true}, // it outlives us and our terminal
	})
	if err != nil {
		return fmt.Errorf("starting %s: %w", component, err)
	}
	go func() { _, _ = started.Wait() }() // else it stays as a zombie when it ends before us
	pid := filepath.Join(p.home(), "pids", component+".pid")
	if err := os.WriteFile(pid, []byte(strconv.Itoa(started.Pid)), 0o644); err != nil {
		return err
	}
	return p.waitServing(ctx, was)
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
