package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/report"
)

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestNodesThatNoClusterHasAreMetAtOnce(t *testing.T) {
	for _, c := range []struct {
		provider, nodes string
		refused         bool
	}{
		{"", "5000", false}, {"", "5001", true}, {"simulated", "5001", true}, {"simulated", "51", false}, {"kind", "51", true}, {"kind", "50", false},
		{"existing", "5001", false}, // which is refused for having been given any
	} {
		_, err := loadSettings(environment(map[string]string{"PROVIDER": c.provider, "NODES": c.nodes}))
		if got := err != nil && strings.Contains(err.Error(), "NODES="+c.nodes); got != c.refused {
			t.Errorf("PROVIDER=%s NODES=%s: %v", c.provider, c.nodes, err)
		}
	}
}

// TestARefusedRunLeavesTheEarlierReport: it has not begun, and nobody is handed what another run left.
func TestARefusedRunLeavesTheEarlierReport(t *testing.T) {
	artifacts := leave(t, map[string]string{"report.yaml": "a report"})
	parts := filepath.Join(artifacts, report.PartsFolder)
	if err := os.Mkdir(parts, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // where there is no cluster
	for want, s := range map[string]settings{
		"REUSE=1: there is no cluster": {Reuse: true},
		"NODES=5001":                   {Provider: "simulated", Nodes: 5001},
		"NODES is for":                 {Provider: "existing", Nodes: 1},
	} {
		s.Artifacts = artifacts
		to := &taker{}
		err := handOver(t.Context(), to, artifacts, func() error { return runE2E(t.Context(), s) })
		if !errors.As(err, &refused{}) || !strings.HasPrefix(err.Error(), want) || to.outcome != err.Error() {
			t.Errorf("want %q, got %v, and as outcome %q", want, err, to.outcome)
		}
		if _, err := os.Stat(filepath.Join(artifacts, "report.yaml")); err != nil {
			t.Errorf("%s: the earlier report is gone: %v", want, err)
		}
		if left, err := os.ReadDir(parts); err != nil || len(left) > 0 {
			t.Errorf("%s: an earlier run's parts were written to: %v, %v", want, left, err)
		}
		if _, err := os.Stat(to.artifacts); err == nil {
			t.Errorf("%s: %s was handed over", want, to.artifacts)
		}
	}
}

// taker is a receiver that notes what it gets.
type taker struct {
	nobody
	artifacts, outcome string
}

func (r *taker) take(_ context.Context, artifacts, outcome string) error {
	r.artifacts, r.outcome = artifacts, outcome
	return nil
}

// TestAStayingClusterIsAsWasSaid: a run on another than was asked for would be taken for it.
func TestAStayingClusterIsAsWasSaid(t *testing.T) {
	there := cluster.State{Provider: "simulated", Version: "v1.36.3", Nodes: 28}
	for want, s := range map[string]settings{
		"":                        {Provider: "auto", Version: "v1.35.4"},
		"not PROVIDER=kind":       {Provider: "kind"},
		"not KUBERNETES_VERSION=": {Provider: "auto", Version: "v1.35.4", VersionSet: true},
		"not NODES=5":             {Provider: "simulated", Nodes: 5},
		"runs the built-in":       {Provider: "simulated", Nodes: 28, Version: "v1.36.3", VersionSet: true, Controller: "./mine"},
	} {
		err := s.checkStaying(there)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
}

// TestTheSuitesTimeGrowsWithItsRepetitions: Ginkgo's limit is for all of them together.
func TestTheSuitesTimeGrowsWithItsRepetitions(t *testing.T) {
	if got, want := (settings{Timeouts: 2, Repeat: 3, Nodes: 1200}).limit(), 18*time.Hour; got != want {
		t.Errorf("three repetitions on 1200 nodes, with patience for two, may take %s, want %s", got, want)
	}
	if got := (settings{Timeouts: mostPatience, Repeat: 1 << 30}).limit(); got <= 0 {
		t.Errorf("very many repetitions may take %s", got)
	}
}
