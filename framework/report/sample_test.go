package report

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/framework/history"
)

// film makes histories for tests: entries at instants, put in order and numbered at the end.
type film struct {
	began   time.Time
	header  history.Header
	entries []history.Entry
	ds      *appsv1.DaemonSet
	acts    int
}

func newFilm(budget string) *film {
	maximum, surge := intstr.Parse(budget), intstr.FromInt32(0)
	return &film{began: began, header: history.Header{Format: 1, Began: began}, ds: &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "fluentd", Namespace: "rollcall-1", UID: "ds", Generation: 1},
		Spec: appsv1.DaemonSetSpec{
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
				Type: appsv1.RollingUpdateDaemonSetStrategyType, RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &maximum, MaxSurge: &surge},
			},
		},
	}}
}

func (f *film) add(ms int, e history.Entry) *history.Entry {
	e.At = f.began.Add(time.Duration(ms) * time.Millisecond)
	f.entries = append(f.entries, e)
	return &f.entries[len(f.entries)-1]
}

func (f *film) daemonSet(ms int, typ history.Type) {
	f.add(ms, history.Entry{Type: typ, Resource: history.DaemonSets, DaemonSet: f.ds.DeepCopy()})
}

func (f *film) node(ms int, typ history.Type, name string, taints ...corev1.Taint) {
	f.add(ms, history.Entry{Type: typ, Resource: history.Nodes, Node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{Taints: taints}}})
}

func (f *film) act(from, to int, verb, object, note string) {
	f.acts++
	a := history.Act{ID: f.acts, Verb: verb, Object: history.Reference{Resource: history.DaemonSets, Name: object}, Note: note}
	f.add(from, history.Entry{Type: history.Acted, Act: &a})
	done := a
	done.Done = true
	f.add(to, history.Entry{Type: history.Acted, Act: &done})
}

// pod makes a pod of a revision on a node; change brings it into a state.
func (f *film) pod(name, node, hash string, state State, since int) *corev1.Pod {
	yes := true
	grace := int64(5)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "rollcall-1", UID: types.UID(name), Labels: map[string]string{appsv1.ControllerRevisionHashLabelKey: hash},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: f.ds.Name, UID: f.ds.UID, Controller: &yes}},
		},
		Spec:   corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "fluentd", Image: "quay.io/fluentd_elasticsearch/fluentd:" + hash}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	if state >= Running {
		p.Status.Phase = corev1.PodRunning
	}
	if state == Ready || state == Terminating {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(f.began.Add(time.Duration(since) * time.Millisecond))}}
	}
	if state == Terminating {
		at := metav1.NewTime(f.began.Add(time.Duration(since) * time.Millisecond).Add(5 * time.Second))
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &grace
	}
	if state == Dead {
		p.Status.Phase = corev1.PodFailed
	}
	return p
}

func (f *film) podEvent(ms int, typ history.Type, p *corev1.Pod) {
	f.add(ms, history.Entry{Type: typ, Resource: history.Pods, Pod: p})
}

// history ends the film with a barrier.
func (f *film) history(end int) *history.History {
	f.add(end, history.Entry{Type: history.Barred})
	slices.SortStableFunc(f.entries, func(a, b history.Entry) int { return a.At.Compare(b.At) })
	for i := range f.entries {
		f.entries[i].Seq = i
	}
	return &history.History{Header: f.header, Entries: f.entries}
}

// rollout is a sample of a whole update of so many nodes, at most budget at a time. From the given part of the nodes on,
// a broken controller takes one more. It returns the history and the violations that a judge would find.
func rollout(nodes, budget, brokenFrom int, seed uint64) (*history.History, []Violation) {
	random := rand.New(rand.NewPCG(seed, 7))
	f := newFilm(fmt.Sprint(budget))
	f.ds.Spec.MinReadySeconds = 1
	f.daemonSet(0, history.Listed)
	for i := range nodes {
		f.node(0, history.Listed, fmt.Sprintf("node-%d", i))
		f.podEvent(0, history.Listed, f.pod(fmt.Sprintf("fluentd-%05d", i), fmt.Sprintf("node-%d", i), "v2.5.2", Ready, -60_000))
	}
	f.act(900, 940, "update", "fluentd", "image v2.5.2 → v2.6.0")
	f.ds.Generation = 2
	f.daemonSet(930, history.Modified)

	type turn struct{ free, node int }
	slots := make([]int, budget)
	for i := range slots {
		slots[i] = 1000 + i*3
	}
	var wrong []turn
	end := 0
	for i := range nodes {
		if i == brokenFrom {
			slots = append(slots, slots[len(slots)-1]+40)
			wrong = append(wrong, turn{slots[len(slots)-1], i})
		}
		n := 0
		for k := range slots {
			if slots[k] < slots[n] {
				n = k
			}
		}
		at := slots[n]
		if i == brokenFrom {
			n, at = len(slots)-1, wrong[0].free
		}
		node, old, fresh := fmt.Sprintf("node-%d", i), fmt.Sprintf("fluentd-%05d", i), fmt.Sprintf("fluentd-%05d", nodes+i)
		f.podEvent(at, history.Modified, f.pod(old, node, "v2.5.2", Terminating, at))
		at += 300 + random.IntN(900)
		f.podEvent(at, history.Deleted, f.pod(old, node, "v2.5.2", Terminating, at))
		at += 10 + random.IntN(40)
		f.podEvent(at, history.Added, f.pod(fresh, node, "v2.6.0", Pending, 0))
		at += 100 + random.IntN(500)
		f.podEvent(at, history.Modified, f.pod(fresh, node, "v2.6.0", Running, 0))
		at += 100 + random.IntN(700)
		f.podEvent(at, history.Modified, f.pod(fresh, node, "v2.6.0", Ready, at))
		slots[n] = at + 1000 + 5
		end = max(end, slots[n])
	}
	h := f.history(end + 500)
	var violations []Violation
	for _, w := range wrong {
		violations = append(violations, f.violation(h, w.free, w.node, budget, nodes))
	}
	return h, violations
}

// violation is what M-02 says about the deletion of a node's old pod, with the deletions just before it as evidence.
func (f *film) violation(h *history.History, ms, node, budget, nodes int) Violation {
	pod, at := fmt.Sprintf("fluentd-%05d", node), f.began.Add(time.Duration(ms)*time.Millisecond)
	v := Violation{
		Invariant: "M-02", At: at, Objects: []string{"pods/rollcall-1/" + pod, fmt.Sprintf("nodes/node-%d", node)},
		Message: fmt.Sprintf("pod %s on node-%d was deleted at %s while %d of %d nodes were already without an available pod; maxUnavailable allows %d",
			pod, node, at.Format("15:04:05.0"), budget, nodes, budget),
	}
	for i := range h.Entries {
		e := &h.Entries[i]
		if e.Pod != nil && e.Pod.DeletionTimestamp != nil && e.Type == history.Modified && !e.At.After(at) {
			v.Evidence = append(v.Evidence, i)
		}
	}
	v.Evidence = v.Evidence[max(0, len(v.Evidence)-budget-1):]
	return v
}

// surgeRollout replaces pods with one new pod ahead of each old one; one node's first new pod fails.
func surgeRollout(nodes int) *history.History {
	f := newFilm("0")
	one := intstr.FromInt32(1)
	f.ds.Spec.UpdateStrategy.RollingUpdate.MaxSurge = &one
	f.daemonSet(0, history.Listed)
	for i := range nodes {
		f.node(0, history.Listed, fmt.Sprintf("node-%d", i))
		f.podEvent(0, history.Listed, f.pod(fmt.Sprintf("old-%d", i), fmt.Sprintf("node-%d", i), "v2.5.2", Ready, -60_000))
	}
	f.act(500, 530, "update", "fluentd", "image v2.5.2 → v2.6.0")
	f.ds.Generation = 2
	f.daemonSet(520, history.Modified)
	at := 700
	for i := range nodes {
		node := fmt.Sprintf("node-%d", i)
		if i == 2 {
			f.podEvent(at, history.Added, f.pod("crashed", node, "v2.6.0", Pending, 0))
			f.podEvent(at+400, history.Modified, f.pod("crashed", node, "v2.6.0", Running, 0))
			f.podEvent(at+1400, history.Modified, f.pod("crashed", node, "v2.6.0", Dead, 0))
			f.podEvent(at+2100, history.Deleted, f.pod("crashed", node, "v2.6.0", Dead, 0))
			at += 2200
		}
		fresh := fmt.Sprintf("new-%d", i)
		f.podEvent(at, history.Added, f.pod(fresh, node, "v2.6.0", Pending, 0))
		f.podEvent(at+400, history.Modified, f.pod(fresh, node, "v2.6.0", Running, 0))
		f.podEvent(at+900, history.Modified, f.pod(fresh, node, "v2.6.0", Ready, at+900))
		f.podEvent(at+950, history.Modified, f.pod(fmt.Sprintf("old-%d", i), node, "v2.5.2", Terminating, at+950))
		f.podEvent(at+1900, history.Deleted, f.pod(fmt.Sprintf("old-%d", i), node, "v2.5.2", Terminating, at+950))
		at += 1300
	}
	return f.history(at + 1500)
}

// byPod finds the bar of a pod.
func byPod(t *Timeline, pod string) *Bar {
	for i := range t.Bars {
		if t.Bars[i].Pod == pod {
			return &t.Bars[i]
		}
	}
	return &Bar{Pod: cmp.Or(pod, "?") + " is not there"}
}
