package main

import (
	"context"
	"errors"
	"fmt"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/cluster/kind"
)

// refused says that a run was not begun: what is in the artifacts' folder is none of its.
type refused struct{ error }

// Unwrap returns why.
func (r refused) Unwrap() error { return r.error }

// choice is where the suite is going to run.
type choice struct {
	provider string           // empty where there is
	staying  cluster.Provider // the cluster of make cluster-up
}

// choose settles it, and meets what can be seen at once to be wrong while nothing has been compiled or made and an earlier report is still
// there.
func choose(ctx context.Context, s settings) (choice, error) {
	if s.Reuse {
		p, err := openStaying(s)
		if err == nil {
			err = s.checkStaying(p.State())
		}
		if err != nil {
			return choice{}, err
		}
		say("seed %d, provider %s: the cluster of make cluster-up", s.Seed, p.State().Provider)
		return choice{staying: p}, nil
	}
	provider, reason := chooseProvider(ctx, s)
	if err := s.check(ctx, provider); err != nil {
		return choice{}, err
	}
	say("seed %d, provider %s: %s", s.Seed, provider, reason)
	return choice{provider: provider}, nil
}

// checkStaying refuses a cluster that another DaemonSet controller than the one to be judged runs on, or none, and one that is not as was said.
func (s settings) checkStaying(state cluster.State) error {
	switch {
	case s.Provider != "auto" && s.Provider != state.Provider:
		return fmt.Errorf("REUSE=1: the cluster of make cluster-up is a %s one, not PROVIDER=%s", state.Provider, s.Provider)
	case s.VersionSet && s.Version != state.Version:
		return fmt.Errorf("REUSE=1: the cluster of make cluster-up has Kubernetes %s, not KUBERNETES_VERSION=%s", state.Version, s.Version)
	case s.Nodes != 0 && s.Nodes != state.Nodes:
		return fmt.Errorf("REUSE=1: the cluster of make cluster-up has %d nodes, not NODES=%d", state.Nodes, s.Nodes)
	case state.NoDaemonSetController && s.Controller == "":
		return errors.New("REUSE=1: that cluster has no DaemonSet controller of its own; give CONTROLLER, or make cluster-down and cluster-up again without it")
	case !state.NoDaemonSetController && s.Controller != "":
		return errors.New("REUSE=1: that cluster runs the built-in DaemonSet controller; make cluster-down, then make cluster-up CONTROLLER=… for one without")
	}
	return nil
}

// check refuses what this provider cannot do.
func (s settings) check(ctx context.Context, provider string) error {
	switch {
	case provider != "kind" && s.Images == "upstream":
		return fmt.Errorf("IMAGES=%s is for PROVIDER=kind: nothing runs an image on %s nodes, and an existing cluster pulls what it is told to", s.Images, provider)
	case provider == "existing" && s.Nodes != 0:
		return errors.New("NODES is for a cluster that is made; an existing one has its nodes")
	case provider == "existing":
		_, release, err := existingKubeconfig()
		if err != nil {
			return err
		}
		return release()
	case provider == "kind" && s.Provider != "auto": // which has asked already
		if err := kind.Available(ctx, nodeImage(s)); err != nil {
			return fmt.Errorf("PROVIDER=kind: %w", err)
		}
	}
	return checkNodes(provider, s.Nodes)
}
