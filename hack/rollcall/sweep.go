package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"

	"rollcall.dev/framework/cluster"
	kubernetesbuild "rollcall.dev/hack/kubernetes"
)

// sweepExisting removes what dead runs left on an existing cluster. A run that still beats is left alone.
func sweepExisting(ctx context.Context) (err error) {
	kubeconfig, release, err := existingKubeconfig()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	config, err := cluster.RestConfig(cluster.State{Kubeconfig: kubeconfig})
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	dead, err := cluster.DeadRuns(ctx, client)
	if err != nil {
		return err
	}
	for _, run := range dead {
		removed, err := cluster.EndRun(ctx, client, run)
		for _, what := range removed {
			say("run %s: removed %s", run, what)
		}
		if err != nil {
			return err
		}
	}
	if len(dead) == 0 {
		say("nothing was left behind")
	}
	return nil
}

// runNodeImage builds kind's node image from the same sources as everything else.
func runNodeImage(ctx context.Context, s settings) error {
	binaries, err := buildKubernetes(ctx, s.Version, kubernetesbuild.Kind)
	if err != nil {
		return err
	}
	// Built and then run, for the go command does not pass on the signal that has it clean up.
	program := filepath.Join(cacheDir, "bin", "nodeimage")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "./hack/nodeimage").CombinedOutput(); err != nil {
		return fmt.Errorf("building hack/nodeimage: %w\n%s", err, out)
	}
	cmd := exec.Command(program,
		"--version", s.Version, "--binaries", binaries, "--tag", nodeImage(s), "--cache", filepath.Join(cacheDir, "nodeimage"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := runChild(ctx, cmd, time.Minute); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	return nil
}
