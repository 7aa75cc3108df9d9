package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"rollcall.dev/framework/cluster"
)

// own has rollcall's up, down and REUSE=1 mean a cluster of our own, whatever cluster the user has.
const own = "CLUSTER_OF=peer"

// scene is the cluster that both suites run on.
type scene struct {
	state  cluster.State
	client kubernetes.Interface
}

// setTheScene opens the cluster of an earlier call, or makes one: with a DaemonSet controller of its own, or without for a mutant.
func setTheScene(ctx context.Context, provider string, controller bool) (*scene, error) {
	s := &scene{}
	var err error
	if s.state, err = standing(ctx, provider, controller); err != nil {
		return nil, err
	}
	config, err := cluster.RestConfig(s.state)
	if err != nil {
		return nil, err
	}
	// The next cluster has another authority under the same file names, which client-go would take for the one that it knows.
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, err
	}
	config.CAFile, config.CertFile, config.KeyFile = "", "", ""
	config.QPS = -1 // what is measured should not wait for who measures
	s.client, err = kubernetes.NewForConfig(config)
	return s, err
}

// standing is the cluster of an earlier call if it is such a one, else a new one in its place.
func standing(ctx context.Context, provider string, controller bool) (cluster.State, error) {
	state, found, err := find()
	if err != nil {
		return state, err
	}
	// One without a kubeconfig is only half made: who made it was killed.
	if found && state.Kubeconfig != "" && state.Provider == provider && state.NoDaemonSetController == !controller {
		return state, nil
	}
	if found {
		strike()
	}
	cmd := exec.CommandContext(ctx, rollcall, "up")
	cmd.Env = append(os.Environ(), own, "LABELS=", "FOCUS=", "REUSE=", "PROVIDER="+provider, "CONTROLLER=")
	if !controller {
		cmd.Env = append(cmd.Env, "CONTROLLER=true")
	}
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it takes away what it has made so far
	if err := cmd.Run(); err != nil {
		return state, fmt.Errorf("making a cluster: %w", err)
	}
	if state, found, err = find(); err == nil && !found {
		err = errors.New("a cluster was made, and no file describes it")
	}
	return state, err
}

// find looks for our cluster.
func find() (state cluster.State, found bool, err error) {
	paths, err := filepath.Glob(filepath.Join(".cache", "clusters", "rollcall-peer-*.json"))
	if err != nil || len(paths) == 0 {
		return state, false, err
	}
	if len(paths) > 1 {
		return state, false, fmt.Errorf("one cluster was to be had, and %d files describe one", len(paths))
	}
	state, err = cluster.LoadState(paths[0])
	return state, err == nil, err
}

// strike takes our cluster away, also after an interrupt.
func strike() {
	cmd := exec.Command(rollcall, "down")
	cmd.Env = append(os.Environ(), own)
	cmd.Stderr = os.Stderr
	_ = cmd.Run()
}

// fence keeps DaemonSets from all nodes but so many, until the returned function is called.
const fence = "bench.rollcall.dev/not-for-upstream"

func (s *scene) fenceOff(ctx context.Context, left int) (open func() error, err error) {
	nodes, err := s.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	free := slices.DeleteFunc(nodes.Items, func(n corev1.Node) bool { return len(n.Spec.Taints) > 0 })
	if len(free) <= left {
		return func() error { return nil }, nil
	}
	fenced := free[left:]
	set := func(taints []corev1.Taint) error {
		patch, err := json.Marshal(map[string]any{"spec": map[string]any{"taints": taints}})
		if err != nil {
			return err
		}
		for _, n := range fenced {
			if _, err := s.client.CoreV1().Nodes().Patch(context.WithoutCancel(ctx), n.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				return fmt.Errorf("fencing node %s off: %w", n.Name, err)
			}
		}
		return nil
	}
	open = func() error { return set(nil) }
	return open, set([]corev1.Taint{{Key: fence, Effect: corev1.TaintEffectNoSchedule}})
}

// settle waits until no namespace is left of a run: deleting them is a cost of whoever made them.
func (s *scene) settle(ctx context.Context) error {
	left, err := s.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	args := []string{"--kubeconfig", s.state.Kubeconfig, "wait", "--for=delete", "--timeout=2m"}
	for _, n := range left.Items {
		if n.DeletionTimestamp != nil {
			args = append(args, "namespace/"+n.Name)
		}
	}
	if args[len(args)-1] == "--timeout=2m" {
		return nil
	}
	if out, err := exec.CommandContext(ctx, s.state.Kubectl, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("waiting for namespaces to be gone: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// after waits for a time that is itself what is measured.
func after(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
