package main

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Children run in process groups of their own: a terminal's interrupt reaches this process only, which passes it on exactly
// once. (A second one would make Ginkgo skip its clean-up.)
var children struct {
	sync.Mutex
	groups map[int]struct{}
}

// errKilled says that a child did not end in time when it was asked to.
var errKilled = errors.New("it was killed, for it did not end when it was interrupted")

// runChild runs cmd to its end. When ctx ends, the child's group gets an interrupt and is waited for, up to patience; then the error is errKilled.
func runChild(ctx context.Context, cmd *exec.Cmd, patience time.Duration) error {
	wait, err := startChild(cmd)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		return errors.Join(errKilled, <-ended)
	}
}

// startChild starts cmd in a group of its own and returns a function that waits for it.
func startChild(cmd *exec.Cmd) (wait func() error, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	group := cmd.Process.Pid
	children.Lock()
	if children.groups == nil {
		children.groups = map[int]struct{}{}
	}
	children.groups[group] = struct{}{}
	children.Unlock()
	return func() error {
		err := cmd.Wait()
		children.Lock()
		delete(children.groups, group)
		children.Unlock()
		return err
	}, nil
}

// killChildren ends every child that still runs, at once.
func killChildren() {
	children.Lock()
	defer children.Unlock()
	for group := range children.groups {
		_ = syscall.Kill(-group, syscall.SIGKILL)
	}
}

// heedless writes as far as somebody reads. A child that wrote to a pipe without a reader itself would die of it, and not clean up.
type heedless struct{ io.Writer }

func (w heedless) Write(p []byte) (int, error) {
	_, _ = w.Writer.Write(p)
	return len(p), nil
}
