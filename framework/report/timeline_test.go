package report

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/framework/history"
)

// one is a film of a DaemonSet on so many nodes, with an available pod on each.
func one(nodes int, budget string) *film {
	f := newFilm(budget)
	f.daemonSet(0, history.Listed)
	for i := range nodes {
		f.node(0, history.Listed, fmt.Sprintf("node-%d", i))
		f.podEvent(0, history.Listed, f.pod(fmt.Sprintf("old-%d", i), fmt.Sprintf("node-%d", i), "v1", Ready, -60_000))
	}
	return f
}

func TestLifeOfAPod(t *testing.T) {
	f := newFilm("1")
	f.ds.Spec.MinReadySeconds = 2
	f.daemonSet(0, history.Listed)
	f.node(0, history.Listed, "node-1")
	unbound := f.pod("p", "", "v1", Pending, 0)
	unbound.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{
			{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{"node-1"}},
		}}},
	}}}
	f.podEvent(100, history.Added, unbound)
	f.podEvent(200, history.Modified, f.pod("p", "node-1", "v1", Pending, 0))
	f.podEvent(300, history.Modified, f.pod("p", "node-1", "v1", Running, 0))
	// The kubelet says that it is ready since a moment before the event arrives: the controller counts from then.
	f.podEvent(1100, history.Modified, f.pod("p", "node-1", "v1", Ready, 1000))
	f.podEvent(5000, history.Modified, f.pod("p", "node-1", "v1", Terminating, 5000))
	f.podEvent(5500, history.Modified, f.pod("p", "node-1", "v1", Dead, 0))
	f.podEvent(6000, history.Deleted, f.pod("p", "node-1", "v1", Dead, 0))
	tl := NewTimeline(f.history(7000), nil)

	want := Bar{Pod: "p", Segments: []Segment{{100, Pending}, {300, Running}, {1100, Ready}, {3000, Available}, {5000, Terminating}, {5500, Dead}}, End: 6000, Gone: true}
	if !reflect.DeepEqual(tl.Bars, []Bar{want}) {
		t.Errorf("got %+v\nwant %+v", tl.Bars, want)
	}
	if !reflect.DeepEqual(tl.Lanes, []Lane{{"node-1", 1}}) {
		t.Errorf("lanes %+v", tl.Lanes)
	}
	steps := []BudgetStep{{0, 1, 1, 1}, {3000, 0, 1, 1}, {5000, 1, 1, 1}}
	if !reflect.DeepEqual(tl.Budgets[0].Steps, steps) {
		t.Errorf("budget %+v, want %+v", tl.Budgets[0].Steps, steps)
	}
}

func TestMinReadySecondsThatChanges(t *testing.T) {
	f := newFilm("1")
	f.ds.Spec.MinReadySeconds = 60
	f.daemonSet(0, history.Listed)
	f.node(0, history.Listed, "node-1")
	f.podEvent(1000, history.Added, f.pod("p", "node-1", "v1", Ready, 1000))
	f.ds.Spec.MinReadySeconds = 3
	f.daemonSet(2000, history.Modified)
	f.ds.Spec.MinReadySeconds = 60
	f.daemonSet(5000, history.Modified)
	tl := NewTimeline(f.history(6000), nil)
	want := []Segment{{1000, Ready}, {4000, Available}, {5000, Ready}}
	if got := byPod(tl, "p").Segments; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSurgePodsHaveTracksOfTheirOwn(t *testing.T) {
	tl := NewTimeline(surgeRollout(4), nil)
	for i, lane := range tl.Lanes {
		if lane.Tracks != 2 {
			t.Errorf("%s has %d tracks, want 2", lane.Node, lane.Tracks)
		}
		if old, fresh := byPod(tl, fmt.Sprintf("old-%d", i)), byPod(tl, fmt.Sprintf("new-%d", i)); old.Track != 0 || fresh.Track != 1 || old.Lane != i || fresh.Lane != i {
			t.Errorf("old %+v, new %+v", old, fresh)
		}
	}
	if crashed := byPod(tl, "crashed"); crashed.Track != 1 {
		t.Errorf("the crashed pod, gone before its successor, takes track %d", crashed.Track)
	}
	for _, step := range tl.Budgets[0].Steps {
		if step.Allowed != 0 || step.Unavailable != 0 {
			t.Errorf("in a good surge no node is ever without an available pod, and none may be: %+v", step)
		}
	}
}

func TestBudgetLine(t *testing.T) {
	f := one(4, "30%")
	f.podEvent(1000, history.Modified, f.pod("old-1", "node-1", "v1", Terminating, 1000))
	f.node(2000, history.Modified, "node-2", corev1.Taint{Key: "k", Effect: corev1.TaintEffectNoSchedule})
	f.podEvent(3000, history.Modified, f.pod("old-2", "node-2", "v1", Terminating, 3000)) // where no pod belongs, none is missed
	f.node(4000, history.Deleted, "node-1")
	f.ds.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType}
	f.daemonSet(5000, history.Modified)
	got := NewTimeline(f.history(6000), nil).Budgets[0].Steps
	want := []BudgetStep{{0, 0, 2, 4}, {1000, 1, 2, 4}, {2000, 1, 1, 3}, {4000, 0, 1, 2}, {5000, 0, NoLimit, 2}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestThinKeepsThePeak(t *testing.T) {
	var steps []BudgetStep
	for i := range 50_000 {
		steps = append(steps, BudgetStep{At: int64(i), Unavailable: i % 2, Allowed: 3, Desired: 10})
	}
	steps[31_415].Unavailable = 7
	thinned := thin(steps, 50_000)
	if len(thinned) > maxSteps {
		t.Errorf("%d steps are left", len(thinned))
	}
	if !slices.ContainsFunc(thinned, func(s BudgetStep) bool { return s.Unavailable == 7 && s.At == 31_415 }) {
		t.Error("the peak is gone")
	}
	if thinned[len(thinned)-1].At != 49_999 {
		t.Errorf("the line ends at %d", thinned[len(thinned)-1].At)
	}
	if !slices.IsSortedFunc(thinned, func(a, b BudgetStep) int { return int(a.At - b.At) }) {
		t.Error("the steps are out of order")
	}
}

func TestBandsSumUp(t *testing.T) {
	h, _ := rollout(640, 20, -1, 1)
	tl := NewTimeline(h, nil)
	if len(tl.Bands) != 64 || tl.Bands[0].First != 0 || tl.Bands[63].Last != 639 {
		t.Fatalf("%d bands", len(tl.Bands))
	}
	for i, band := range tl.Bands {
		if len(band.Columns) != bandColumns {
			t.Fatalf("band %d has %d columns", i, len(band.Columns))
		}
		for c, column := range band.Columns {
			sum := 0
			for _, n := range column {
				sum += n
			}
			if sum < 995 || sum > 1005 {
				t.Fatalf("band %d, column %d: %v adds up to %d", i, c, column, sum)
			}
		}
		if first, last := band.Columns[0], band.Columns[bandColumns-1]; first[bandAvailable] != 1000 || last[bandAvailable+1] != 1000 {
			t.Errorf("band %d begins with %v and ends with %v", i, first, last)
		}
	}
	if small, _ := rollout(20, 2, -1, 1); NewTimeline(small, nil).Bands != nil {
		t.Error("20 nodes are summed up, though a screen shows each")
	}
}

func TestMarks(t *testing.T) {
	f := one(1, "1")
	f.act(1000, 1040, "update", "fluentd", "image v1 → v2")
	f.ds.Generation = 2
	f.daemonSet(1030, history.Modified)
	f.add(2000, history.Entry{Type: history.Gapped, Resource: history.Pods, Gap: &history.Gap{Reason: "410 Gone"}})
	got := NewTimeline(f.history(3000), nil).Marks
	want := []Mark{
		{1000, 1040, "act", "update daemonsets/fluentd: image v1 → v2"},
		{1030, 1030, "spec", "fluentd has generation 2"},
		{2000, 2000, "gap", "events of pods may be missing: 410 Gone"},
		{3000, 3000, "barrier", "nothing is missing up to here"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestFindingsPointToTheirPods(t *testing.T) {
	h, violations := rollout(12, 2, 6, 1)
	tl := NewTimeline(h, violations)
	f := tl.Findings[0]
	if f.At != violations[0].At.Sub(tl.Began).Milliseconds() {
		t.Errorf("the finding is at %d, the violation at %s", f.At, violations[0].At)
	}
	if tl.Bars[f.Bars[0]].Pod != "fluentd-00006" || tl.Lanes[f.Lanes[0]].Node != "node-6" || len(f.Bars) != 3 || len(f.Events) != 3 {
		t.Errorf("finding %+v", f)
	}
	if want := "pod fluentd-00006 on node-6: ready → terminating (requested at 01:02:11)"; f.Events[2].Text != want {
		t.Errorf("the event reads %q, want %q", f.Events[2].Text, want)
	}
}

func TestLanesAreInNaturalOrder(t *testing.T) {
	f := one(12, "1")
	f.header.LeasedNodes = []string{"a-node"}
	f.podEvent(100, history.Added, f.pod("lost", "", "v1", Pending, 0))
	var names []string
	for _, lane := range NewTimeline(f.history(1000), nil).Lanes {
		names = append(names, lane.Node)
	}
	want := []string{"a-node", "node-0", "node-1", "node-2", "node-3", "node-4", "node-5", "node-6", "node-7", "node-8", "node-9", "node-10", "node-11", ""}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("got %q", names)
	}
}

// What a broken or a strange cluster may leave behind must not take the page away.
func TestOddHistories(t *testing.T) {
	half := intstr.FromString("many")
	for name, h := range map[string]func() *history.History{
		"empty":     func() *history.History { return &history.History{} },
		"only acts": func() *history.History { f := newFilm("1"); f.act(0, 5, "create", "x", ""); return f.history(10) },
		"a pod without a DaemonSet": func() *history.History {
			f := newFilm("1")
			p := f.pod("p", "", "", Running, 0)
			p.OwnerReferences = nil
			f.podEvent(5, history.Added, p)
			return f.history(10)
		},
		"a deletion is the first that is seen": func() *history.History {
			f := newFilm("1")
			f.podEvent(5, history.Deleted, f.pod("p", "n", "v1", Terminating, 5))
			return f.history(10)
		},
		"a budget that is no number": func() *history.History {
			f := newFilm("1")
			f.ds.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable = &half
			f.daemonSet(0, history.Listed)
			return f.history(10)
		},
		"evidence that is not there": func() *history.History { return one(1, "1").history(10) },
	} {
		t.Run(name, func(t *testing.T) {
			tl := NewTimeline(h(), []Violation{{Invariant: "M-01", At: began, Evidence: []int{-1, 99_999}, Objects: []string{"pods/x/none", "", "nodes/none"}}})
			if _, err := encode(tl); err != nil {
				t.Error(err)
			}
			if len(tl.Findings) != 1 {
				t.Errorf("%d findings", len(tl.Findings))
			}
		})
	}
}

func BenchmarkTimeline(b *testing.B) {
	for _, nodes := range []int{625, 1250, 2500, 5000} {
		h, violations := rollout(nodes, nodes/50, nodes/2, 1)
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NewTimeline(h, violations)
			}
		})
	}
}
