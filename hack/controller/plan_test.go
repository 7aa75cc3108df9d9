package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A node is written as its pods: "o" old, "n" new; "+" available, "~" ready for a second only, "-" not ready; "x" failed, "." ending.
// A "!" before them is a node with a taint that the pods do not tolerate.
func viewOf(t *testing.T, strategy appsv1.DaemonSetUpdateStrategy, nodes ...string) *view {
	t.Helper()
	limit := int32(10)
	set := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "fluentd", Namespace: "logging", UID: "set"},
		Spec: appsv1.DaemonSetSpec{
			Selector:        &metav1.LabelSelector{MatchLabels: map[string]string{"name": "fluentd"}},
			Template:        corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"name": "fluentd"}}},
			MinReadySeconds: 10, UpdateStrategy: strategy, RevisionHistoryLimit: &limit,
		},
	}
	data, err := snapshot(&set.Spec.Template)
	if err != nil {
		t.Fatal(err)
	}
	v := &view{set: set, revisions: []*appsv1.ControllerRevision{{
		ObjectMeta: metav1.ObjectMeta{Labels: withHash(nil, "new")}, Data: runtime.RawExtension{Raw: data}, Revision: 2,
	}}}
	for i, pods := range nodes {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-" + strconv.Itoa(i+1)}}
		pods, tainted := strings.CutPrefix(pods, "!")
		if tainted {
			node.Spec.Taints = []corev1.Taint{{Key: "x", Effect: corev1.TaintEffectNoSchedule}}
		}
		v.nodes = append(v.nodes, node)
		for len(pods) > 0 {
			v.pods = append(v.pods, podOf(set, node.Name, pods[:2]))
			pods = pods[2:]
		}
	}
	return v
}

func podOf(set *appsv1.DaemonSet, node, text string) *corev1.Pod {
	hash := map[byte]string{'o': "old", 'n': "new"}[text[0]]
	pod := newPod(set, node, hash+"hash")
	pod.Labels[hashLabel] = hash
	pod.UID, pod.Spec.NodeName = types.UID(node+text), node
	since := metav1.NewTime(time.Now().Add(-time.Hour))
	condition := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: since}
	switch text[1] {
	case '~':
		condition.LastTransitionTime = metav1.NewTime(time.Now().Add(-time.Second))
	case '-':
		condition.Status = corev1.ConditionFalse
	case 'x':
		pod.Status.Phase = corev1.PodFailed
	case '.':
		pod.DeletionTimestamp = &since
	}
	pod.Status.Conditions = []corev1.PodCondition{condition}
	return pod
}

func rolling(field, value string) appsv1.DaemonSetUpdateStrategy {
	amount, none := intstr.Parse(value), intstr.FromInt32(0)
	r := &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &amount, MaxSurge: &none}
	if field == "surge" {
		r = &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &none, MaxSurge: &amount}
	}
	return appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType, RollingUpdate: r}
}

func TestPlan(t *testing.T) {
	onDelete := appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType}
	for _, test := range []struct {
		name     string
		strategy appsv1.DaemonSetUpdateStrategy
		nodes    []string
		deleted  string // nodes and pods
		created  string // nodes
	}{
		{"each node gets a pod", onDelete, []string{"", "n+", ""}, "", "node-1 node-3"},
		{"a node waits until its pod has ended", onDelete, []string{"n."}, "", ""},
		{"a failed pod goes before it has a successor", onDelete, []string{"nx"}, "node-1nx", ""},
		{"OnDelete leaves old pods", onDelete, []string{"o+", "o-"}, "", ""},
		{"a node that is tainted gets none and keeps what it has", onDelete, []string{"!", "!n+"}, "", ""},
		{"one of two goes, not the one that serves", onDelete, []string{"o+n-", "o-n+"}, "node-1n- node-2o-", ""},
		{"no more than the budget", rolling("unavailable", "2"), []string{"o+", "o+", "o+"}, "node-2o+ node-3o+", ""},
		{"what is down counts", rolling("unavailable", "2"), []string{"o+", "n-", "n."}, "", ""},
		{"what serves nobody goes at once", rolling("unavailable", "1"), []string{"o-", "o-", "o+"}, "node-1o- node-2o-", ""},
		{"what is ready goes within the budget", rolling("unavailable", "1"), []string{"o~", "o~"}, "node-2o~", ""},
		{"a percentage is rounded up", rolling("unavailable", "30%"), []string{"o+", "o+", "o+", "o+", "o+"}, "node-4o+ node-5o+", ""},
		{"a percentage of no nodes is one", rolling("unavailable", "30%"), []string{"!o+", "!o+"}, "node-2o+", ""},
		{"a surge puts the new beside the old", rolling("surge", "1"), []string{"o+", "o+"}, "", "node-2"},
		{"a surge stops at its limit", rolling("surge", "1"), []string{"o+n-", "o+"}, "", ""},
		{"the old goes when the new is available", rolling("surge", "1"), []string{"o+n+", "o+n~"}, "node-1o+", ""},
		{"the old stays while it is ready", rolling("surge", "1"), []string{"o~n-"}, "", ""},
		{"a surge replaces what is down beyond its limit", rolling("surge", "1"), []string{"o+n-", "o-", "o-"}, "", "node-2 node-3"},
		{"a surge does not wait for what is ending", rolling("surge", "1"), []string{"n."}, "", "node-1"},
		{"no second pod beside a failed one", rolling("surge", "1"), []string{"o+nx"}, "node-1nx", ""},
		{"tainted nodes serve as long as they are needed", rolling("surge", "20%"), []string{"!o+", "n-"}, "", ""},
		{"and no longer", rolling("surge", "20%"), []string{"!o+", "!o+"}, "node-1o+ node-2o+", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &controller{failures: failures{known: map[failureKey]failure{}}}
			p := c.plan(viewOf(t, test.strategy, test.nodes...))
			var deleted []string
			for _, pod := range slices.Concat(p.remove, p.replace) {
				deleted = append(deleted, string(pod.UID))
			}
			slices.Sort(deleted)
			slices.Sort(p.create)
			if got := strings.Join(deleted, " "); got != test.deleted {
				t.Errorf("deletes %q, should delete %q", got, test.deleted)
			}
			if got := strings.Join(p.create, " "); got != test.created {
				t.Errorf("creates on %q, should on %q", got, test.created)
			}
		})
	}
}

func TestPlanWakesWhenAPodBecomesAvailable(t *testing.T) {
	c := &controller{failures: failures{known: map[failureKey]failure{}}}
	p := c.plan(viewOf(t, rolling("unavailable", "1"), "n~", "n+"))
	if p.wake <= 8*time.Second || p.wake > 9*time.Second {
		t.Errorf("wakes in %s; the pod has been ready for 1 s of 10", p.wake)
	}
}

func TestFailedPodsWaitLongerEachTime(t *testing.T) {
	c := &controller{failures: failures{known: map[failureKey]failure{}}}
	v := viewOf(t, rolling("surge", "1"), "nx")
	c.failures.note(keyOf(v.set, v.pods[0]), time.Now())
	c.failures.note(keyOf(v.set, v.pods[0]), time.Now())
	if p := c.plan(v); !p.idle() || p.wake <= time.Second || p.wake > 2*time.Second {
		t.Errorf("plan %+v, should wait 2 s after the second failure", p)
	}
	v.set.Generation++
	if p := c.plan(v); len(p.remove) != 1 {
		t.Errorf("plan %+v, a changed spec should be a new start", p)
	}
}

// A surge's node counts as updated once its new pod serves: earlier would let kubectl rollout status say that all is well.
func TestStatusOfASurge(t *testing.T) {
	s := viewOf(t, rolling("surge", "3"), "o+n-", "o+n+", "n.").status(time.Now())
	if s.UpdatedNumberScheduled != 1 || s.NumberAvailable != 2 || s.NumberUnavailable != 1 || s.CurrentNumberScheduled != 3 {
		t.Errorf("updated %d, available %d, unavailable %d, current %d; should be 1, 2, 1, 3",
			s.UpdatedNumberScheduled, s.NumberAvailable, s.NumberUnavailable, s.CurrentNumberScheduled)
	}
}

// kubectl compares these bytes with its own to say that a rollback would change nothing.
func TestSnapshotIsKubectls(t *testing.T) {
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"name": "fluentd"}}}
	text, err := snapshot(&template)
	if want := `{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"name":"fluentd"}},"spec":{"containers":null}}}}`; err != nil || string(text) != want {
		t.Errorf("%s, %v; should be %s", text, err, want)
	}
}
