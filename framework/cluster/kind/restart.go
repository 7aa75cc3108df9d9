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

// endWithin is what a component gets to end by itself. An API server would wait a minute for its watchers to leave, which is longer than
// the other components keep their leases: they would end as well.
const endWithin = 3 * time.Second

// Restart ends a component of the control plane, with SIGTERM and if need be SIGKILL, and returns when the kubelet has started it again and, for the API server
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
	if err := p.end(ctx, before); err != nil {
		return fmt.Errorf("ending %s: %w", component, err)
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

// end returns when containers have ended.
func (p *Provider) end(ctx context.Context, containers []string) error {
	for _, id := range containers {
		if err := p.ctr(ctx, nil, "tasks", "kill", "--signal", "SIGTERM", id); err != nil {
			return err
		}
	}
	patience, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	ended := func() (string, error) {
		states, err := p.states(ctx)
		for _, id := range containers {
			if states[id] == running {
				return "it has not ended", err
			}
		}
		return "", err
	}
	if waitUntil(patience, ended) == nil {
		return nil
	}
	for _, id := range containers {
		// It may just have ended: what counts is asked below.
		_ = p.ctr(ctx, nil, "tasks", "kill", "--signal", "SIGKILL", id)
	}
	return waitUntil(ctx, ended)
}

// tasks are the ids of a component's containers that run.
func (p *Provider) tasks(ctx context.Context, component string) ([]string, error) {
	var containers string
	filter := fmt.Sprintf("labels.%q==%q", "io.kubernetes.container.name", component)
	if err := p.ctr(ctx, &containers, "containers", "list", "--quiet", filter); err != nil {
		return nil, err
	}
	states, err := p.states(ctx)
	return slices.DeleteFunc(strings.Fields(containers), func(id string) bool { return states[id] != running }), err
}

// running is containerd's word for a container that has not ended.
const running = "RUNNING"

// states are those of the control plane node's containers, by id.
func (p *Provider) states(ctx context.Context) (map[string]string, error) {
	var list string
	if err := p.ctr(ctx, &list, "tasks", "list"); err != nil {
		return nil, err
	}
	states := map[string]string{}
	for line := range strings.Lines(list) {
		if words := strings.Fields(line); len(words) == 3 { // id, process id, state
			states[words[0]] = words[2]
		}
	}
	return states, nil
}

// ctr runs containerd's client in the control plane's node.
func (p *Provider) ctr(ctx context.Context, out *string, args ...string) error {
	said, err := docker(ctx, append([]string{"exec", p.config.Name + "-control-plane", "ctr", "--namespace", "k8s.io"}, args...)...)
	if out != nil {
		*out = said
	}
	return err
}
