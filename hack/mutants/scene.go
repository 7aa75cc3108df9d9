package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rollcall.dev/framework/cluster"
)

// nodes are few: the specs of the task page use all of them, and are given time for each.
const nodes = "12"

// own has rollcall's up, down and REUSE=1 mean a cluster of our own, whatever cluster the user has.
const own = "CLUSTER_OF=mutants"

// scene is the cluster without a DaemonSet controller that all mutants are judged on, one after the other.
type scene struct {
	made  bool
	state cluster.State
}

// up makes the cluster, the first time and where the mutant before has left a DaemonSet behind, for the next would be blamed for it.
func (s *scene) up(ctx context.Context) error {
	if s.made {
		left, err := exec.CommandContext(ctx, s.state.Kubectl, "--kubeconfig", s.state.Kubeconfig, "get", "daemonsets", "-A", "-o", "name").Output()
		if err == nil && strings.TrimSpace(string(left)) == "" {
			return nil
		}
	}
	strike() // also that of a run that was killed
	cmd := exec.CommandContext(ctx, rollcall, "up")
	cmd.Env = append(os.Environ(), own, "PROVIDER=simulated", "NODES="+nodes, "CONTROLLER=true")
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it takes away what it has made so far
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("making a cluster without a DaemonSet controller: %w", err)
	}
	s.made = true
	return s.claim()
}

// claim notes that the cluster goes away with this process: make sweep removes it if that was killed, and a run of the suite need not wait
// until everything of its own is gone.
func (s *scene) claim() error {
	paths, err := filepath.Glob(filepath.Join(".cache", "clusters", "rollcall-mutants-*.json"))
	if err != nil {
		return err
	}
	if len(paths) != 1 {
		return fmt.Errorf("a cluster was made, but there are %d files that describe one", len(paths))
	}
	if s.state, err = cluster.LoadState(paths[0]); err != nil {
		return err
	}
	s.state.PID = os.Getpid()
	return s.state.Save(paths[0])
}

func (s *scene) down() {
	if s.made {
		strike()
	}
	s.made = false
}

// strike takes our cluster away, also after an interrupt.
func strike() {
	cmd := exec.Command(rollcall, "down")
	cmd.Env = append(os.Environ(), own)
	cmd.Stderr = os.Stderr
	_ = cmd.Run()
}
