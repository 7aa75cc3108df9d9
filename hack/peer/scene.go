package main

import (
	"context"
	"encoding/json"
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

// scene is the cluster that both suites run on.
type scene struct {
	state  cluster.State
	client kubernetes.Interface
}

// setTheScene opens the cluster of an earlier call, or makes one.
func setTheScene(ctx context.Context, env ...string) (*scene, error) {
	if paths, err := clusters(); err != nil || len(paths) == 0 {
		cmd := exec.CommandContext(ctx, rollcall, "up")
		cmd.Env = append(append(os.Environ(), "LABELS=", "FOCUS=", "REUSE=", "CONTROLLER="), env...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("making a cluster: %w", err)
		}
	}
	paths, err := clusters()
	if err != nil {
		return nil, err
	}
	if len(paths) != 1 {
		return nil, fmt.Errorf("one cluster was to be had, and %d files describe one", len(paths))
	}
	s := &scene{}
	if s.state, err = cluster.LoadState(paths[0]); err != nil {
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

func clusters() ([]string, error) {
	return filepath.Glob(filepath.Join(".cache", "clusters", "rollcall-dev-*.json"))
}

// strike takes the cluster away, also after an interrupt.
func strike() {
	cmd := exec.Command(rollcall, "down")
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
