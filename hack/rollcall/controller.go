package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"rollcall.dev/framework/cluster"
)

// startController runs CONTROLLER's command line and keeps its output in log. The returned context ends when the command does by itself,
// for without a controller every verdict would be about nothing. The returned function ends the command, and says whether it had
// ended by itself before. With RESTART it is ended and started again the whole time.
func startController(ctx context.Context, s settings, state cluster.State, log string) (context.Context, func() error, error) {
	output, err := os.Create(log)
	if err != nil {
		return nil, nil, fmt.Errorf("keeping the controller's output: %w", err)
	}
	c := &controller{settings: s, state: state, log: log, output: output, stopping: make(chan struct{})}
	if err := c.start(); err != nil {
		output.Close()
		return nil, nil, err
	}
	say("CONTROLLER runs as process %d; its output is in %s", c.cmd.Process.Pid, log)

	running, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	var died error
	go func() {
		defer close(ended)
		defer output.Close()
		if died = c.supervise(); died != nil {
			cancel(died)
		}
	}()
	return running, func() error {
		close(c.stopping)
		<-ended
		cancel(nil)
		if c.restarts > 0 {
			say("CONTROLLER was restarted %d times", c.restarts)
		}
		return died
	}, nil
}

// controller is the command while it runs.
type controller struct {
	settings settings
	state    cluster.State
	log      string
	output   *os.File
	stopping chan struct{}

	cmd      *exec.Cmd
	began    time.Time
	exited   chan struct{}
	exit     error // once it has exited
	restarts int
}

func (c *controller) start() error {
	// A shell reads the line as the user's own would: quotes, variables, several arguments.
	c.cmd = exec.Command("sh", "-c", "exec "+strings.ReplaceAll(c.settings.Controller, "{kubeconfig}", c.state.Kubeconfig))
	c.cmd.Env = append(os.Environ(), "KUBECONFIG="+c.state.Kubeconfig)
	c.cmd.Stdout, c.cmd.Stderr = c.output, c.output
	c.began, c.exited = time.Now(), make(chan struct{})
	wait, err := startChild(c.cmd)
	if err != nil {
		return fmt.Errorf("starting CONTROLLER: %w", err)
	}
	exited := c.exited
	go func() {
		defer close(exited)
		c.exit = wait()
	}()
	return nil
}

// supervise returns when the command was asked to end, or with an error if it did not wait for that.
func (c *controller) supervise() error {
	chance := rand.New(rand.NewPCG(uint64(c.settings.Seed), 0))
	for {
		var restart <-chan time.Time
		if every := c.settings.Restart.every; every > 0 {
			// Half to one and a half times: an even beat could miss the same moment every time.
			restart = time.After(every/2 + time.Duration(chance.Int64N(int64(every))))
		}
		select {
		case <-c.exited:
			return c.died()
		case <-c.stopping:
			select {
			case <-c.exited: // before anybody asked it to
				return c.died()
			default:
			}
			c.end(syscall.SIGTERM)
			return nil
		case <-restart:
			c.end(c.settings.Restart.signal)
			if err := c.start(); err != nil {
				return err
			}
			c.restarts++
		}
	}
}

func (c *controller) died() error {
	return fmt.Errorf("CONTROLLER %q ended by itself after %s (%s); %s",
		c.settings.Controller, time.Since(c.began).Round(time.Millisecond), exitText(c.exit), lastLines(c.log, 10))
}

// end asks the command's process group to end, and makes it after ten seconds.
func (c *controller) end(signal syscall.Signal) {
	_ = syscall.Kill(-c.cmd.Process.Pid, signal)
	select {
	case <-c.exited:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		<-c.exited
	}
}

// restart is the setting RESTART: which signal ends the command, about how often. The zero value leaves it alone.
type restart struct {
	signal syscall.Signal
	every  time.Duration
}

func parseRestart(text string) (r restart, ok bool) {
	signal, every, _ := strings.Cut(text, ":")
	r.signal = map[string]syscall.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[signal]
	var err error
	r.every, err = time.ParseDuration(every)
	return r, err == nil && r.signal != 0 && r.every >= time.Second
}

// String is the setting's value.
func (r restart) String() string {
	name := "KILL"
	if r.signal == syscall.SIGTERM {
		name = "TERM"
	}
	return name + ":" + r.every.String()
}

func exitText(err error) string {
	if err == nil {
		return "exit code 0"
	}
	return err.Error()
}

func lastLines(path string, n int) string {
	data, err := os.ReadFile(path)
	data = bytes.TrimSpace(data)
	if err != nil || len(data) == 0 {
		return "it printed nothing"
	}
	lines := strings.Split(string(data), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "its last lines:\n" + strings.Join(lines, "\n")
}
