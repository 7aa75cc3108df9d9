package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"rollcall.dev/framework/cluster"
)

// startController runs CONTROLLER's command line and keeps its output in log. The returned context ends when the command does,
// for without a controller every verdict would be about nothing. The returned function ends the command, and says whether it had
// ended by itself before.
func startController(ctx context.Context, commandLine string, state cluster.State, log string) (context.Context, func() error, error) {
	output, err := os.Create(log)
	if err != nil {
		return nil, nil, fmt.Errorf("keeping the controller's output: %w", err)
	}
	// A shell reads the line as the user's own would: quotes, variables, several arguments.
	cmd := exec.Command("sh", "-c", "exec "+strings.ReplaceAll(commandLine, "{kubeconfig}", state.Kubeconfig))
	cmd.Env = append(os.Environ(), "KUBECONFIG="+state.Kubeconfig)
	cmd.Stdout, cmd.Stderr = output, output
	began := time.Now()
	wait, err := startChild(cmd)
	if err != nil {
		output.Close()
		return nil, nil, fmt.Errorf("starting CONTROLLER: %w", err)
	}
	say("CONTROLLER runs as process %d; its output is in %s", cmd.Process.Pid, log)

	running, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	stopping := make(chan struct{})
	var died error
	go func() {
		defer close(ended)
		err := wait()
		output.Close()
		select {
		case <-stopping:
		default:
			died = fmt.Errorf("CONTROLLER %q ended by itself after %s (%s); %s",
				commandLine, time.Since(began).Round(time.Millisecond), exitText(err), lastLines(log, 10))
			cancel(died)
		}
	}()
	return running, func() error {
		select {
		case <-ended: // before anybody asked it to
		default:
			close(stopping)
			end(cmd.Process.Pid, ended)
		}
		cancel(nil)
		return died
	}, nil
}

// end asks a process group to end, and makes it after ten seconds.
func end(group int, ended <-chan struct{}) {
	_ = syscall.Kill(-group, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-group, syscall.SIGKILL)
		<-ended
	}
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
