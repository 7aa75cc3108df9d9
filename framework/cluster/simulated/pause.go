package simulated

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Pause freezes a component (etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok-controller, whose pause makes all nodes
// slow) for that long, as a machine does that has no time for it, and returns when it runs again: also when ctx ends before. Nothing is
// lost by it, only late.
func (p *Provider) Pause(ctx context.Context, component string, length time.Duration) (err error) {
	if !slices.Contains(components, component) {
		return fmt.Errorf("no component %q; there are %s", component, strings.Join(components, ", "))
	}
	running, err := p.processes()
	if err != nil {
		return err
	}
	running = slices.DeleteFunc(running, func(r process) bool { return r.name != component })
	if len(running) == 0 {
		return fmt.Errorf("%s does not run", component)
	}
	defer func() { err = errors.Join(err, signalAll(running, syscall.SIGCONT)) }()
	if err := signalAll(running, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("pausing %s: %w", component, err)
	}
	over := time.NewTimer(length)
	defer over.Stop()
	select {
	case <-over.C:
	case <-ctx.Done():
	}
	return nil
}

// signalAll sends a signal to processes. One that is gone needs none.
func signalAll(running []process, signal syscall.Signal) error {
	var problems []error
	for _, r := range running {
		if err := syscall.Kill(r.pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			problems = append(problems, fmt.Errorf("%s (process %d): %w", r.name, r.pid, err))
		}
	}
	return errors.Join(problems...)
}
