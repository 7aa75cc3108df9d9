package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"rollcall.dev/framework/report"
)

func TestShardSettings(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		says string // "" if it is right
	}{
		{map[string]string{"SHARD": "0/3"}, ""},
		{map[string]string{"SHARD": "2/3", "SHARD_RUN": "today", "RESULTS": "configmap/rollcall/results"}, ""},
		{map[string]string{"SHARD": "3/3"}, "SHARD=3/3: counts from 0: the last of 3 shards is 2/3"},
		{map[string]string{"SHARD": "0/0"}, "SHARD=0/0: counts from 0"},
		{map[string]string{"SHARD": "one"}, "SHARD=one: must be i/n, such as 0/3, 1/3 and 2/3 for three shards"},
		{map[string]string{"SHARD": "/3"}, "SHARD=/3: must be i/n"}, // as where a Job gives no index
		{map[string]string{"SHARD_RUN": "today"}, "SHARD_RUN=today: is for a SHARD, and none is given"},
		{map[string]string{"DURATIONS": "report.yaml"}, "DURATIONS=report.yaml: is for a SHARD"},
		{map[string]string{"SHARD": "0/3", "DURATIONS": "not/there"}, "DURATIONS=not/there: "},
		{map[string]string{"SHARD": "0/3", "PROVIDER": "existing", "CONTROLLER": "true"}, "would run a CONTROLLER each"},
		{map[string]string{"SHARD": "0/3", "PROVIDER": "simulated", "CONTROLLER": "true"}, ""},
	} {
		s, err := loadSettings(func(name string) string { return test.env[name] })
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%v: %v", test.env, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%v: got %v, want one line with %q", test.env, err, test.says)
		case test.says == "" && s.Artifacts != filepath.Join("_artifacts", fmt.Sprintf("shard-%d", s.Shard.Index)):
			t.Errorf("%v: it goes to %s", test.env, s.Artifacts)
		case test.env["RESULTS"] != "" && s.Results != test.env["RESULTS"]+"-2":
			t.Errorf("%v: it goes to %s", test.env, s.Results)
		}
		if err := s.notFor("soak"); (s.Shard != nil) != (err != nil) {
			t.Errorf("%v: make soak says %v", test.env, err)
		}
	}
}

func TestDurationsMayNotBeThereYet(t *testing.T) {
	earlier := judged(t, report.Passed)
	for path, want := range map[string]string{t.TempDir(): "", filepath.Dir(earlier): filepath.Dir(earlier), earlier: earlier} {
		env := map[string]string{"SHARD": "0/3", "DURATIONS": path}
		s, err := loadSettings(func(name string) string { return env[name] })
		if err != nil || s.Durations != want {
			t.Errorf("DURATIONS=%s: the shares are balanced by %q (%v), want %q", path, s.Durations, err, want)
		}
	}
	env := map[string]string{"SHARD": "0/3", "DURATIONS": leave(t, map[string]string{"report.yaml": "no report"})}
	if _, err := loadSettings(func(name string) string { return env[name] }); err == nil {
		t.Error("a folder whose report.yaml is none is taken for one without")
	}
}

// handShard has a shard of three with a spec each hand on what it leaves, as a pod does. One that is killed comes to no end.
func handShard(t *testing.T, client kubernetes.Interface, index int, killed bool) {
	t.Helper()
	shares := [][]report.Spec{{{Name: "spec 0", Behaviours: []string{"C-05"}}}, {{Name: "spec 1", Behaviours: []string{"C-05"}}}, {{Name: "spec 2", Behaviours: []string{"C-05"}}}}
	shard := report.Shard{Index: index, Of: 3, Run: "today"}
	plan := &report.Plan{Specs: shares[index], Shard: &shard, Shares: shares, Report: report.ConformanceReport{
		Date: time.Now(), Behaviours: []report.Behaviour{{ID: "C-05", Level: "core"}},
	}}
	artifacts := t.TempDir()
	to := configMap{client, "rollcall", fmt.Sprintf("results-%d", index), mostInConfigMap}
	if killed {
		if err := to.expect(t.Context()); err != nil {
			t.Fatal(err)
		}
		return
	}
	err := handOver(t.Context(), to, artifacts, func() error {
		parts := filepath.Join(artifacts, report.PartsFolder)
		part, err := report.OpenPart(parts, 1)
		if err != nil {
			return err
		}
		return errors.Join(plan.Save(parts), part.Append(shares[index][0]), part.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestShardsAreMergedFromTheirConfigMaps(t *testing.T) {
	for name, killed := range map[string]bool{"all end well": false, "one is killed": true} {
		t.Run(name, func(t *testing.T) {
			client, artifacts := fake.NewClientset(), t.TempDir()
			for index := range 3 {
				handShard(t, client, index, false) // an earlier run, which must not be taken for this one's
			}
			for index := range 3 {
				handShard(t, client, index, killed && index == 1)
			}
			from := configMap{client: client, namespace: "rollcall", name: "results"}
			if err := from.fetchShards(t.Context(), artifacts); err != nil {
				t.Fatal(err)
			}
			err := runMerge(t.Context(), settings{Artifacts: artifacts})
			r, loadErr := report.Load(filepath.Join(artifacts, "report.yaml"))
			if loadErr != nil {
				t.Fatal(loadErr)
			}
			if killed != errors.As(err, &specsFailed{}) {
				t.Errorf("the merge says %v", err)
			}
			if want := 1; killed && (r.Summary.NotRun != want || r.Summary.Result != report.Failure) || r.Summary.Planned != 3 {
				t.Errorf("got %+v", r.Summary)
			}
			for _, s := range r.Specs {
				if want := "shard 1/3 has left no results"; s.Verdict == report.NotRun && s.Reason != want {
					t.Errorf("%s was not run because %q, want %q", s.Name, s.Reason, want)
				}
			}
		})
	}
}

func TestNoShardsToMerge(t *testing.T) {
	from := configMap{client: fake.NewClientset(), namespace: "rollcall", name: "results"}
	if err := from.fetchShards(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is no ConfigMap results-0") {
		t.Errorf("got %v", err)
	}
	if err := runMerge(t.Context(), settings{Artifacts: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "no shard has left anything") {
		t.Errorf("got %v", err)
	}
}
