package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/framework/catalog"
)

// What the figures rest on: each behaviour that upstream is said to judge is one, is named once for a spec, and is argued.
func TestBehaviours(t *testing.T) {
	specs, err := loadBehaviours()
	if err != nil {
		t.Fatal(err)
	}
	if len(specs) != 11 {
		t.Errorf("behaviours.yaml has %d specs; upstream has ten of DaemonSets and one of ControllerRevisions", len(specs))
	}
	ids := map[string]bool{}
	for _, b := range catalog.All() {
		ids[b.ID] = true
	}
	for _, name := range slices.Sorted(maps.Keys(specs)) {
		seen := map[string]bool{}
		for _, id := range specs[name].all() {
			if !ids[id] {
				t.Errorf("%s: the catalog has no %s", name, id)
			}
			if seen[id] {
				t.Errorf("%s: %s is named twice", name, id)
			}
			seen[id] = true
		}
		if len(specs[name].Why) < 40 {
			t.Errorf("%s: nothing says why it judges these behaviours", name)
		}
	}
}

func TestParseMetrics(t *testing.T) {
	before, err := parseMetrics(`# HELP process_cpu_seconds_total [STABLE] Total user and system CPU time spent in seconds.
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="namespace",subresource="",verb="LIST",version="v1"} 10
apiserver_request_total{code="404",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="status",verb="PATCH",version="v1"} 1
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="namespace",subresource="",verb="DELETE",version="v1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="DELETE",version="v1"} 4
apiserver_request_total_by_nobody{verb="LIST"} 99
process_cpu_seconds_total 2.5
`)
	if err != nil {
		t.Fatal(err)
	}
	if before.requests() != 18 || before.namespaces() != 6 || before.Verbs["DELETE"] != 4 {
		t.Errorf("the metrics were read as %+v", before)
	}
	now, err := parseMetrics(`apiserver_request_total{resource="pods",subresource="",code="200",verb="LIST"} 14
apiserver_request_total{resource="pods",subresource="",code="500",verb="LIST"} 1
apiserver_request_total{resource="pods",subresource="status",code="200",verb="PATCH"} 1e+00
apiserver_request_total{resource="pods",scope="namespace",subresource="",code="200",verb="DELETE"} 3
apiserver_request_total{resource="pods",scope="resource",subresource="",code="200",verb="DELETE"} 4
process_cpu_seconds_total 4
`)
	if err != nil {
		t.Fatal(err)
	}
	d := now.since(before)
	if d.requests() != 5 || d.Verbs["LIST"] != 5 || d.Kinds["LIST pods"] != 5 || d.Kinds["PATCH pods/status"] != 0 || d.CPU != 1.5 {
		t.Errorf("between the two there were %+v", d)
	}
	if _, err := parseMetrics("process_cpu_seconds_total 4\n"); err == nil {
		t.Error("metrics without requests should be refused: nothing could be said with them")
	}
}

func TestCompareSaysWhatMisses(t *testing.T) {
	some := func(n int) []string { return make([]string, n) }
	upstream := measurement{Seconds: 100, Behaviours: some(10), Whole: some(5), API: usage{Verbs: map[string]float64{"LIST": 1000}}}
	for _, test := range []struct {
		ours measurement
		want []string
	}{
		{measurement{Seconds: 100, Behaviours: some(100), Whole: some(100), API: usage{Verbs: map[string]float64{"LIST": 3000}}}, []string{"10.00 times; aim: at least 10: met", "0.30 times; aim: at most 0.33: met", "20.00 times; aim: at least 10: met", "0.15 times; aim: at most 0.33: met"}},
		{measurement{Seconds: 101, Behaviours: some(100), Whole: some(100), API: usage{Verbs: map[string]float64{"LIST": 3400}}}, []string{"9.90 times; aim: at least 10: MISSED", "0.34 times; aim: at most 0.33: MISSED", "19.80 times; aim: at least 10: met", "0.17 times; aim: at most 0.33: met"}},
	} {
		var aims []string
		for _, r := range compare(measurements{Rounds: []round{{Upstream: &upstream, Rollcall: &test.ours}}}) {
			if r.aim != "" {
				aims = append(aims, r.aim)
			}
		}
		if !slices.Equal(aims, test.want) {
			t.Errorf("the table says %q, want %q", aims, test.want)
		}
	}
}

// What is read of hack/mutants' output.
func TestMutantLines(t *testing.T) {
	text := "[0/2] original                       survived (3 s)\n[1/2] budget-ignored                 killed in 12 s (expected) by RollingUpdate with maxUnavailable deletes first: M-02: pod x\n"
	if m := noticed.FindStringSubmatch(text); len(m) != 3 || m[1] != "budget-ignored" || !strings.HasPrefix(m[2], "RollingUpdate") {
		t.Errorf("a kill was read as %q", m)
	}
	if m := survived.FindStringSubmatch(text); len(m) != 2 || m[1] != "original" {
		t.Errorf("a survivor was read as %q", m)
	}
	if m := listed.FindStringSubmatch("budget-ignored: a controller that replaces all pods at once\n"); len(m) != 3 || m[2] != "replaces all pods at once" {
		t.Errorf("a listed mutant was read as %q", m)
	}
}

func TestBare(t *testing.T) {
	if got := bare("should run and stop simple daemon [Conformance]"); got != "should run and stop simple daemon" {
		t.Errorf("a spec's name is %q", got)
	}
}
