package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/cluster/provider"
	"rollcall.dev/hack/kubernetes"
)

// runUp makes the cluster that stays.
func runUp(ctx context.Context, s settings) error {
	name := stayingName(s)
	if state, err := cluster.LoadState(statePath(name)); err == nil {
		return fmt.Errorf("there is one already (%s, KUBECONFIG=%s); make cluster-down first", state.Provider, state.Kubeconfig)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	provider, reason := chooseProvider(ctx, s)
	if provider == "existing" {
		return errors.New("PROVIDER=existing: that cluster is up; make e2e PROVIDER=existing uses it")
	}
	say("provider %s: %s", provider, reason)
	p, err := makeCluster(ctx, s, provider, name, 0)
	if err != nil {
		return err
	}
	state := p.State()
	say("use it with make e2e REUSE=1, or by hand:")
	fmt.Printf("export KUBECONFIG=%s\nexport PATH=%s:$PATH\n", state.Kubeconfig, filepath.Dir(state.Kubectl))
	return nil
}

// runDown takes it away. That there is none is fine.
func runDown(ctx context.Context, s settings) error {
	state, err := cluster.LoadState(statePath(stayingName(s)))
	if errors.Is(err, fs.ErrNotExist) {
		say("there is no cluster of make cluster-up")
		return nil
	}
	if err != nil {
		return err
	}
	p, err := provider.Open(state)
	if err != nil {
		return err
	}
	return removeCluster(p, state.Name)
}

// runSweep removes what runs left behind whose process is dead: their clusters, or with PROVIDER=existing their objects and labels.
func runSweep(ctx context.Context, s settings) error {
	if s.Provider == "existing" {
		return sweepExisting(ctx)
	}
	states, problems := abandoned()
	for _, state := range states { // one that cannot be removed does not keep the others
		p, err := provider.Open(state)
		if err == nil {
			err = removeCluster(p, state.Name)
		}
		if err != nil {
			problems = errors.Join(problems, err)
			continue
		}
		say("removed the %s cluster %s", state.Provider, state.Name)
	}
	if len(states) == 0 && problems == nil {
		say("nothing was left behind")
	}
	return problems
}

// runList prints the specs that the selection names, with their labels.
func runList(ctx context.Context, s settings) error {
	if err := compileSuite(ctx); err != nil {
		return err
	}
	list, err := selection(ctx, s)
	if err == nil {
		fmt.Print(list)
	}
	return err
}

// selection lists what LABELS and FOCUS select, without a cluster. It is an error if that is nothing.
func selection(ctx context.Context, s settings) (string, error) {
	var output strings.Builder
	cmd := exec.Command(program(suiteBinary), "-test.run=^TestSuites$", "-rollcall.list", "-ginkgo.dry-run", "-ginkgo.label-filter="+s.Labels, "-ginkgo.focus="+s.Focus)
	cmd.Stdout, cmd.Stderr = &output, &output
	err := runChild(ctx, cmd, 10*time.Second)
	switch {
	case err == nil:
		return output.String(), nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case strings.Contains("\n"+output.String(), "\n0 specs"):
		return "", fmt.Errorf("LABELS=%q FOCUS=%q selects no spec; make list shows what there is (specs for large clusters: LABELS=scale)", s.Labels, s.Focus)
	}
	return "", fmt.Errorf("looking what LABELS=%q FOCUS=%q selects: %w\n%s", s.Labels, s.Focus, err, output.String())
}

// runBuild builds what both kinds of cluster need.
func runBuild(ctx context.Context, s settings) error {
	sets := []kubernetes.Set{kubernetes.Simulated, kubernetes.Kind}
	switch s.Provider {
	case "simulated":
		sets = sets[:1]
	case "kind":
		sets = sets[1:]
	}
	var dir string
	for _, set := range sets {
		var err error
		if dir, err = buildKubernetes(ctx, s.Version, set); err != nil {
			return err
		}
	}
	fmt.Println(dir)
	return nil
}

func runBuildController(ctx context.Context, s settings) error {
	dir, err := buildKubernetes(ctx, s.Version, kubernetes.Controller)
	if err == nil {
		fmt.Println(filepath.Join(dir, "daemonset-controller"))
	}
	return err
}
