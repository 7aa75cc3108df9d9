package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// answerWithin is how long a daemon that works may take for `docker version`; a cold one reads its store first.
	answerWithin = 5 * time.Second
	// startWithin and stopWithin bound the daemon's own start and end.
	startWithin = 60 * time.Second
	stopWithin  = 30 * time.Second
	// every is the pause between two looks at something that has no event to wait for.
	every = 200 * time.Millisecond
)

// engine is a docker daemon that this command started, or will.
type engine struct{ dir string }

func (e engine) pidFile() string { return filepath.Join(e.dir, "docker.pid") }
func (e engine) logFile() string { return filepath.Join(e.dir, "dockerd.log") }

// start returns when docker answers. It is idempotent.
func (e engine) start(ctx context.Context) error {
	if err := raiseWatchLimit(); err != nil {
		say("a second kind cluster may not start: %v", err)
	}
	if version, err := answers(ctx); err == nil {
		say("docker %s answers already: nothing to do", version)
		return nil
	}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return fmt.Errorf("DOCKER_HOST is %s and nothing answers there: start that engine, or unset DOCKER_HOST to have one started here", host)
	}
	if os.Geteuid() != 0 {
		return errors.New("installing and starting dockerd needs root: run this as root, or start a container engine yourself")
	}
	if err := os.MkdirAll(e.dir, 0o755); err != nil {
		return fmt.Errorf("making %s: %w", e.dir, err)
	}
	if err := install(ctx); err != nil {
		return err
	}
	args := []string{"--pidfile", e.pidFile()}
	lacking, err := lacksCapabilities()
	if err != nil {
		return err
	}
	if !lacking {
		if version, err := answers(ctx); err == nil {
			say("docker %s answers: the package has started it", version)
			return nil
		}
	} else {
		wrapper, err := e.buildWrapper(ctx)
		if err != nil {
			return err
		}
		say("this machine's root lacks capabilities: containers get what it has, through %s", wrapper)
		args = append(args, "--add-runtime", "bounded="+wrapper, "--default-runtime", "bounded")
	}
	return e.launch(ctx, args)
}

// watchInstances is the kernel's limit of inotify instances for one user. Each kind node needs a dozen or two: under the usual limit of
// 128 the systemd of the nodes of a second cluster ends with "Too many open files".
const watchInstances, enoughInstances = "/proc/sys/fs/inotify/max_user_instances", 1024

func raiseWatchLimit() error {
	text, err := os.ReadFile(watchInstances)
	if err != nil {
		return err
	}
	have, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || have >= enoughInstances {
		return err
	}
	if err := os.WriteFile(watchInstances, []byte(strconv.Itoa(enoughInstances)), 0o644); err != nil {
		return fmt.Errorf("raising fs.inotify.max_user_instances from %d to %d: %w", have, enoughInstances, err)
	}
	say("raised fs.inotify.max_user_instances from %d to %d", have, enoughInstances)
	return nil
}

// launch starts dockerd in a session of its own, so that it outlives this command and its terminal, and waits until it answers.
func (e engine) launch(ctx context.Context, args []string) error {
	log, err := os.Create(e.logFile())
	if err != nil {
		return fmt.Errorf("making the daemon's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command("dockerd", args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting dockerd: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in the process state
	}()

	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return fmt.Errorf("dockerd ended (%s); last lines of %s:\n%s", cmd.ProcessState, e.logFile(), lastLines(e.logFile(), 5))
		case <-ctx.Done():
			_ = cmd.Process.Signal(syscall.SIGTERM)
			<-ended
			return fmt.Errorf("dockerd did not answer in time (%w) and was ended; last lines of %s:\n%s", ctx.Err(), e.logFile(), lastLines(e.logFile(), 5))
		case <-tick.C:
			if version, err := answers(ctx); err == nil {
				say("docker %s answers after %s (pid %d, log %s)", version, time.Since(began).Round(100*time.Millisecond), cmd.Process.Pid, e.logFile())
				return nil
			}
		}
	}
}

// stop ends the daemon of the pid file and waits until it is gone. No daemon of ours is no error.
func (e engine) stop(ctx context.Context) error {
	pid, err := e.pid()
	if err != nil {
		return err
	}
	if pid == 0 {
		say("no daemon was started here: nothing to do")
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending dockerd (pid %d): %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, stopWithin)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for isDockerd(pid) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("dockerd (pid %d) has not ended: %w", pid, ctx.Err())
		case <-tick.C:
		}
	}
	say("dockerd (pid %d) has ended", pid)
	return nil
}

func (e engine) status(ctx context.Context) error {
	pid, err := e.pid()
	if err != nil {
		return err
	}
	version, err := answers(ctx)
	switch {
	case err != nil:
		return err
	case pid != 0:
		say("docker %s answers; started here (pid %d)", version, pid)
	default:
		say("docker %s answers; not started here", version)
	}
	return nil
}

// pid is that of the daemon started here; 0 if there is none any more.
func (e engine) pid() (int, error) {
	data, err := os.ReadFile(e.pidFile())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the daemon's pid: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("%s does not hold a pid: %w", e.pidFile(), err)
	}
	if !isDockerd(pid) { // it crashed, and its number may be another's by now
		return 0, nil
	}
	return pid, nil
}

func isDockerd(pid int) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.TrimSpace(string(name)) == "dockerd" && !zombie(pid)
}

// zombie: a daemon that nobody waits for (in a container without an init) keeps its entry after its end.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// answers is the server's version if a daemon answers, else why not.
func answers(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("no container engine answers: %s", strings.TrimSpace(string(out)+" "+err.Error()))
	}
	return strings.TrimSpace(string(out)), nil
}

func say(format string, args ...any) { fmt.Printf("engine: "+format+"\n", args...) }

func lastLines(path string, n int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
