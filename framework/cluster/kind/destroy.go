package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	kinderrors "sigs.k8s.io/kind/pkg/errors"
	kindexec "sigs.k8s.io/kind/pkg/exec"
)

// Destroy removes the cluster's containers, sees that they are gone, and removes its folder. A cluster that is gone, or was never made,
// is no error.
func (p *Provider) Destroy(ctx context.Context) error {
	if err := p.removeContainers(ctx); err != nil {
		return err
	}
	left, err := p.containers(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("destroying kind cluster %q: the engine still has its containers %s", p.config.Name, strings.Join(left, ", "))
	}
	if p.config.Dir == "" {
		return nil
	}
	if err := os.RemoveAll(p.config.Dir); err != nil {
		return fmt.Errorf("destroying kind cluster %q: %w", p.config.Name, err)
	}
	return nil
}

// ExportLogs writes the nodes' logs (journal, kubelet, containerd, pods) into dest, a folder a node. One node's trouble does not keep
// the others' logs back.
func (p *Provider) ExportLogs(ctx context.Context, dest string) error {
	collected := make(chan error, 1)
	go func() { collected <- p.kind.CollectLogs(p.config.Name, dest) }()
	select {
	case err := <-collected:
		if err := withoutCrictl(err); err != nil {
			return fmt.Errorf("exporting the logs of kind cluster %q: %w", p.config.Name, err)
		}
		return nil
	case <-ctx.Done(): // what kind has started ends by itself
		return fmt.Errorf("exporting the logs of kind cluster %q: %w", p.config.Name, ctx.Err())
	}
}

// withoutCrictl takes out the one failure that says nothing: our node image has no crictl, which kind would list images with.
func withoutCrictl(err error) error {
	if err == nil {
		return nil
	}
	// kind joins errors of errors; Errors takes one layer off.
	inner := kinderrors.Errors(err)
	if len(inner) == 0 {
		var run *kindexec.RunError
		if errors.As(err, &run) && strings.Contains(strings.Join(run.Command, " "), " crictl ") {
			return nil
		}
		return err
	}
	var kept []error
	for _, e := range inner {
		kept = append(kept, withoutCrictl(e))
	}
	return errors.Join(kept...)
}
