package invariant

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/framework/history"
)

// film builds a history step by step. Its one clock is the recorder's and the API server's alike; what the API stores is cut to

// the second, as the API server does.

type film struct {
	h    history.History
	now  time.Time
	ids  int
	acts int
	node map[string]*corev1.Node
	pods []*corev1.Pod
	sets []*appsv1.DaemonSet
	revs map[types.UID][]*appsv1.ControllerRevision
	kept map[string][]byte
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// shoot begins a history with nodes node-1 … node-n.

func shoot(n int) *film {
	f := &film{now: noon, node: map[string]*corev1.Node{}, revs: map[types.UID][]*appsv1.ControllerRevision{},
		kept: map[string][]byte{}}
	f.h.Header = history.Header{Format: 1, Spec: "a test", Namespace: "default", Began: noon}
	for i := 1; i <= n; i++ {
		f.emitNode(history.Listed, newNode("node-"+strconv.Itoa(i)))
	}
	f.wait(60)
	return f
}

func newNode(name string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Labels: map[string]string{"kubernetes.io/hostname": name}}}
}

func (f *film) wait(seconds float64) *film {
	f.now = f.now.Add(time.Duration(seconds * float64(time.Second)))
	return f
}

func (f *film) second() metav1.Time { return metav1.NewTime(f.now.Truncate(time.Second)) }

func (f *film) emit(e history.Entry) int {
	e.Seq, e.At = len(f.h.Entries), f.now
	f.h.Entries = append(f.h.Entries, e)
	f.now = f.now.Add(time.Millisecond)
	return e.Seq
}

func (f *film) emitNode(t history.Type, n *corev1.Node) {
	f.node[n.Name] = n
	if t == history.Deleted {
		delete(f.node, n.Name)
	}
	f.emit(history.Entry{Type: t, Resource: history.Nodes, Node: n.DeepCopy()})
}

func (f *film) emitPod(t history.Type, p *corev1.Pod) {
	f.emit(history.Entry{Type: t, Resource: history.Pods, Pod: p.DeepCopy()})
}

func (f *film) emitSet(t history.Type, ds *appsv1.DaemonSet) {
	f.emit(history.Entry{Type: t, Resource: history.DaemonSets, DaemonSet: ds.DeepCopy()})
}

func (f *film) emitRevision(t history.Type, cr *appsv1.ControllerRevision) {
	f.emit(history.Entry{Type: t, Resource: history.ControllerRevisions, ControllerRevision: cr.DeepCopy()})
}

// act wraps steps into the two records of an act.

func (f *film) act(verb string, object history.Reference, disturbs []history.Disturbance, steps func()) {
	f.acts++
	a := history.Act{ID: f.acts, Verb: verb, Object: object, Disturbs: disturbs}
	f.emit(history.Entry{Type: history.Acted, Act: &a})
	if steps != nil {
		steps()
	}
	done := a
	done.Done = true
	f.emit(history.Entry{Type: history.Acted, Act: &done})
}

func (f *film) held(d ...history.Disturbance) *film {
	f.h.Header.Disturbances = append(f.h.Header.Disturbances, d...)
	return f
}

// end closes the history.

func (f *film) end() *history.History {
	f.emit(history.Entry{Type: history.Barred})
	return &f.h
}

// option changes a DaemonSet's spec.

type option func(*appsv1.DaemonSet)

func image(tag string) option {
	return func(ds *appsv1.DaemonSet) { ds.Spec.Template.Spec.Containers[0].Image = "fluentd:" + tag }
}

func maxUnavailable(v string) option {
	return func(ds *appsv1.DaemonSet) {
		value, zero := intstr.Parse(v), intstr.FromInt32(0)
		ds.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &value, MaxSurge: &zero}}
	}
}

func maxSurge(v string) option {
	return func(ds *appsv1.DaemonSet) {
		value, zero := intstr.Parse(v), intstr.FromInt32(0)
		ds.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &zero, MaxSurge: &value}}
	}
}

func onDelete(ds *appsv1.DaemonSet) {
	ds.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType}
}

func minReady(seconds int32) option {
	return func(ds *appsv1.DaemonSet) { ds.Spec.MinReadySeconds = seconds }
}

func nodeSelector(key, value string) option {
	return func(ds *appsv1.DaemonSet) { ds.Spec.Template.Spec.NodeSelector = map[string]string{key: value} }
}

// create makes a DaemonSet with its first revision, without pods.

func (f *film) create(name string, options ...option) *appsv1.DaemonSet {
	f.ids++
	labels := map[string]string{"name": name}
	grace := int64(30)
	ds := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID(fmt.Sprintf("ds-%d", f.ids)), Generation: 1,
			CreationTimestamp: f.second(), Labels: map[string]string{"app": name}},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "fluentd", Image: "fluentd:v1"}}, TerminationGracePeriodSeconds: &grace}},
		},
	}
	maxUnavailable("1")(ds)
	for _, o := range options {
		o(ds)
	}
	f.sets = append(f.sets, ds)
	f.act("create", refOf(ds), nil, func() { f.emitSet(history.Added, ds) })
	f.revise(ds)
	return ds
}

func refOf(ds *appsv1.DaemonSet) history.Reference {
	return history.Reference{Resource: history.DaemonSets, Namespace: ds.Namespace, Name: ds.Name, UID: ds.UID}
}

// update is the suite changing the DaemonSet's spec; the controller does not observe it yet.

func (f *film) update(ds *appsv1.DaemonSet, options ...option) {
	f.act("update", refOf(ds), nil, func() {
		for _, o := range options {
			o(ds)
		}
		ds.Generation++
		f.emitSet(history.Modified, ds)
	})
}

// revise is the controller recording the current template: a new revision, or an old one whose number rises.

func (f *film) revise(ds *appsv1.DaemonSet) string {
	data := f.data(ds)
	top := int64(0)
	for _, cr := range f.revs[ds.UID] {
		top = max(top, cr.Revision)
	}
	for _, cr := range f.revs[ds.UID] {
		if string(cr.Data.Raw) == string(data) {
			if cr.Revision < top {
				cr.Revision = top + 1
				f.emitRevision(history.Modified, cr)
			}
			return cr.Labels["controller-revision-hash"]
		}
	}
	f.ids++
	hash := fmt.Sprintf("hash%d", len(f.revs[ds.UID])+1)
	yes := true
	cr := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Name: ds.Name + "-" + hash, Namespace: ds.Namespace, UID: types.UID(fmt.Sprintf("cr-%d", f.ids)),
			CreationTimestamp: f.second(),
			Labels:            map[string]string{"name": ds.Name, "controller-revision-hash": hash},
			OwnerReferences:   []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: ds.Name, UID: ds.UID, Controller: &yes}}},
		Revision: top + 1,
	}
	cr.Data.Raw = data
	f.revs[ds.UID] = append(f.revs[ds.UID], cr)
	f.emitRevision(history.Added, cr)
	return hash
}

// data returns what a ControllerRevision holds of the template. It is asked for so often that it is kept by what tests change.

func (f *film) data(ds *appsv1.DaemonSet) []byte {
	key := fmt.Sprint(ds.Spec.Template.Labels, ds.Spec.Template.Annotations, ds.Spec.Template.Spec.NodeSelector,
		ds.Spec.Template.Spec.Containers[0].Image)
	if data, ok := f.kept[key]; ok {
		return data
	}
	data, err := json.Marshal(map[string]any{"spec": map[string]any{"template": ds.Spec.Template}})
	if err != nil {
		panic(err)
	}
	f.kept[key] = data
	return data
}

// hash returns the hash label of the DaemonSet's current template.

func (f *film) hash(ds *appsv1.DaemonSet) string {
	data := f.data(ds)
	for _, cr := range f.revs[ds.UID] {
		if string(cr.Data.Raw) == string(data) {
			return cr.Labels["controller-revision-hash"]
		}
	}
	return f.revise(ds)
}

// add is the controller creating a pod of the current template on a node, Pending and unbound.

// bind is the scheduler at work.

// ready is the kubelet reporting the pod up, bound first if need be; unready the reverse.

// fail is the kubelet giving the pod up.

// del is somebody asking for the pod's graceful deletion. An unbound or terminal pod goes at once, as in the API server.

// die is the kubelet reporting that the terminating pod's containers are stopped.

// remove is a whole termination: asked for, dead, gone.

// replace is one step of a rollout without surge: the node's pod goes, one of the current template comes and is Ready.

// fill gives every node a Ready pod and a status that says so; the pods come back by node-1, node-2, ….

// observe is the controller writing an honest status for the current generation.

func (f *film) observe(ds *appsv1.DaemonSet) {
	ds.Status = f.count(ds)
	ds.Status.ObservedGeneration = ds.Generation
	f.emitSet(history.Modified, ds)
}

// count recounts the status as kube-controller-manager does: by the oldest pod of each node that is not dead.

func (f *film) count(ds *appsv1.DaemonSet) appsv1.DaemonSetStatus {
	s := appsv1.DaemonSetStatus{ObservedGeneration: ds.Status.ObservedGeneration}
	place := newPlacement(&ds.Spec.Template)
	oldest := map[string]*corev1.Pod{}
	for _, p := range f.pods {
		if owner := controllerOf(p); owner != nil && owner.UID == ds.UID && !dead(p) && oldest[targetNode(p)] == nil {
			oldest[targetNode(p)] = p
		}
	}
	for name, n := range f.node {
		p := oldest[name]
		if fits, _ := place.judge(n); !fits {
			if p != nil {
				s.NumberMisscheduled++
			}
			continue
		}
		s.DesiredNumberScheduled++
		if p == nil {
			continue
		}
		s.CurrentNumberScheduled++
		if p.Labels["controller-revision-hash"] == f.hash(ds) {
			s.UpdatedNumberScheduled++
		}
		if since, ready := readySince(p); ready {
			s.NumberReady++
			if !since.Add(time.Duration(ds.Spec.MinReadySeconds) * time.Second).After(f.now) {
				s.NumberAvailable++
			}
		}
	}
	s.NumberUnavailable = s.DesiredNumberScheduled - s.NumberAvailable
	return s
}

// passes and fails judge a history by every invariant.

func passes(t *testing.T, f *film) {
	t.Helper()
	result := Judge(f.end())
	if result.Gap != nil {
		t.Fatalf("the history has a gap: %s", result.Gap.Reason)
	}
	for _, v := range result.Violations {
		t.Errorf("legal history accused: %s", v)
	}
}

func fails(t *testing.T, f *film, ids ...string) []Violation {
	t.Helper()
	result := Judge(f.end())
	want := map[string]bool{}
	for _, id := range ids {
		want[id] = true
	}
	got := map[string]bool{}
	for _, v := range result.Violations {
		got[v.Invariant] = true
		if !want[v.Invariant] {
			t.Errorf("unexpected: %s", v)
		}
		if len(v.Evidence) == 0 || v.Message == "" || v.At.IsZero() {
			t.Errorf("incomplete violation: %+v", v)
		}
	}
	for _, id := range ids {
		if !got[id] {
			t.Errorf("%s was not reported, only %v", id, result.Violations)
		}
	}
	return result.Violations
}
