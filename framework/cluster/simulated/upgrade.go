package simulated

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"rollcall.dev/framework/cluster"
)

// lasting are the resources whose watches go on from where they were when the API server is another one: it reads them from etcd, without
// the cache that a new API server begins empty.
const lasting = "pods#0,nodes#0,daemonsets.apps#0,controllerrevisions.apps#0"

// lastingArgs are the extra arguments of a cluster whose API server is going to be replaced or restarted.
func (p *Provider) lastingArgs() []string {
	if len(p.config.Releases) == 0 && !p.config.APIServerRestarts {
		return nil
	}
	// Without compaction etcd knows every event however long a watch was away.
	return []string{"kube-apiserver=watch-cache-sizes=" + lasting, "kube-apiserver=etcd-compaction-interval=0"}
}

// Upgrade stops the control plane and starts it again in another version, older or newer, with the same arguments, ports and data. kwok
// stays, and with it the simulated kubelets. It returns when all of it answers.
func (p *Provider) Upgrade(ctx context.Context, to cluster.Release) error {
	for _, component := range controlPlane {
		if _, err := os.Stat(filepath.Join(to.Binaries, component)); err != nil {
			return fmt.Errorf("changing the control plane to %s: %w", to.Version, err)
		}
	}
	for _, component := range slices.Backward(controlPlane) {
		if err := p.end(ctx, func(r process) bool { return r.name == component }, syscall.SIGTERM, 3*time.Second); err != nil {
			return fmt.Errorf("stopping %s: %w", component, err)
		}
	}
	for _, component := range controlPlane {
		if err := p.replace(component, to.Binaries); err != nil {
			return err
		}
	}
	waiting, die := context.WithCancelCause(ctx)
	defer die(nil)
	for i, component := range controlPlane {
		args, err := p.launch(component)
		if err != nil {
			return err
		}
		if component == "etcd" {
			continue // nobody can ask it before there is an API server
		}
		if i == 1 {
			go p.watchStart(waiting, die)
		}
		if err := p.waitServing(waiting, component, args); err != nil {
			return errors.Join(err, context.Cause(waiting))
		}
	}
	client, err := p.client()
	if err != nil {
		return err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("asking the API server for its version: %w", err)
	}
	if version.GitVersion != to.Version {
		return fmt.Errorf("the control plane was to be %s, and the API server says that it is %s", to.Version, version.GitVersion)
	}
	// As after Restart.
	if err := p.remind(ctx); err != nil {
		return fmt.Errorf("bringing the simulated kubelets back after the change to %s: %w", to.Version, err)
	}
	return nil
}

// replace has a component started from another folder the next time. kwokctl made a link to each.
func (p *Provider) replace(component, binaries string) error {
	link := filepath.Join(p.home(), "bin", component)
	if err := os.Remove(link); err != nil {
		return fmt.Errorf("replacing %s: %w", component, err)
	}
	return os.Symlink(filepath.Join(binaries, component), link)
}
