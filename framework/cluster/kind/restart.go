package kind

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// components are the static pods of the control plane.
var components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// restartTimeout bounds a restart. The kubelet starts an ended container at once, then after 10 s, 20 s, … if that happens again soon.
const restartTimeout = 2 * time.Minute

// Restart ends a component of the control plane with SIGTERM and returns when the kubelet has started it again and, for the API server
// and etcd, the API server is ready.
func (p *Provider) Restart(ctx context.Context, component string) error {
	if !slices.Contains(components, component) {
		return fmt.Errorf("no component %q; there are %s", component, strings.Join(components, ", "))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, restartTimeout, fmt.Errorf("not after %v", restartTimeout))
	defer cancel()
	before, err := p.tasks(ctx, component)
	if err != nil {
		return fmt.Errorf("restarting %s: %w", component, err)
	}
	if len(before) == 0 {
		return fmt.Errorf("restarting %s: kind cluster %q does not run it", component, p.config.Name)
	}
	for _, task := range before {
		if err := p.ctr(ctx, nil, "tasks", "kill", "--signal", "SIGTERM", task); err != nil {
			return fmt.Errorf("ending %s: %w", component, err)
		}
	}
	client, err := p.client()
	if err != nil {
		return err
	}
	err = waitUntil(ctx, func() (string, error) {
		now, err := p.tasks(ctx, component)
		if err != nil {
			return "", err
		}
		for _, old := range before {
			if slices.Contains(now, old) {
				return "it has not ended", nil
			}
		}
		if len(now) == 0 {
			return "the kubelet has not started it", nil
		}
		if component != "kube-apiserver" && component != "etcd" {
			return "", nil
		}
		_, err = client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return "", err
	})
	if err != nil {
		return fmt.Errorf("waiting until %s runs again: %w", component, err)
	}
	return nil
}

// tasks are the ids of a component's containers that run.
func (p *Provider) tasks(ctx context.Context, component string) ([]string, error) {
	var containers, running string
	filter := fmt.Sprintf("labels.%q==%q", "io.kubernetes.container.name", component)
	if err := p.ctr(ctx, &containers, "containers", "list", "--quiet", filter); err != nil {
		return nil, err
	}
	if err := p.ctr(ctx, &running, "tasks", "list"); err != nil {
		return nil, err
	}
	var tasks []string
	for line := range strings.Lines(running) {
		// id, process id, state
		if words := strings.Fields(line); len(words) == 3 && words[2] == "RUNNING" && slices.Contains(strings.Fields(containers), words[0]) {
			tasks = append(tasks, words[0])
		}
	}
	return tasks, nil
}

// ctr runs containerd's client in the control plane's node.
func (p *Provider) ctr(ctx context.Context, out *string, args ...string) error {
	said, err := docker(ctx, append([]string{"exec", p.config.Name + "-control-plane", "ctr", "--namespace", "k8s.io"}, args...)...)
	if out != nil {
		*out = said
	}
	return err
}
