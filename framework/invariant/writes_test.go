package invariant

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

func writtenBy(ds *appsv1.DaemonSet, manager string, at metav1.Time) {
	ds.ManagedFields = append(ds.ManagedFields, metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Time: &at})
}

// twice has two changes of one second come one right after the other, later than the API server took them.
func twice(f *film, ds *appsv1.DaemonSet, at metav1.Time, between func()) {
	if between != nil {
		between()
	}
	writtenBy(ds, "suite", at)
	for _, tag := range []string{"v2", "v3"} {
		image(tag)(ds)
		ds.Generation++
		f.emitSet(history.Modified, ds)
	}
}

func TestWroteItself(t *testing.T) {
	// amid has a manager, which has written the status before, write to the DaemonSet while an act of the suite goes on.
	amid := func(reporter, fields, writer string, write func(*appsv1.DaemonSet)) func() *film {
		return func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			f.fill(ds, 1)
			at := f.second()
			ds.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: reporter, Operation: metav1.ManagedFieldsOperationUpdate, Subresource: "status", Time: &at,
				FieldsV1: metav1.NewFieldsV1(fields)}}
			f.observe(ds)
			f.wait(10)
			f.act("update", refOf(ds), nil, func() {
				write(ds)
				writtenBy(ds, writer, f.second())
				f.emitSet(history.Modified, ds)
			})
			return f
		}
	}
	observed := `{"f:status":{"f:observedGeneration":{}}}`
	annotate := func(ds *appsv1.DaemonSet) { ds.Annotations = map[string]string{"a": "b"} }
	play(t, []scene{
		{"another one than the controller", nil, amid("controller", observed, "somebody", annotate)},
		{"the suite, which has written a status", nil, amid("rollcall", observed, "rollcall", annotate)},
		{"kubectl, which has written a status", nil, amid("kubectl-patch", observed, "kubectl-patch", annotate)},
		{"somebody who has written a condition", nil, amid("somebody", `{"f:status":{"f:conditions":{}}}`, "somebody", annotate)},
		{"the garbage collector by the controller's name", nil, amid("controller", observed, "controller", func(ds *appsv1.DaemonSet) { ds.Finalizers = []string{"kept"} })},
		{"the controller annotates", []string{"M-13"}, amid("controller", observed, "controller", annotate)},
		{"the controller changes the spec", []string{"M-13"}, amid("controller", observed, "controller", func(ds *appsv1.DaemonSet) { ds.Generation++; minReady(3)(ds) })},
	})
}

func TestStatusOnly(t *testing.T) {
	at := func(play func(*film, *appsv1.DaemonSet)) func() *film {
		return func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			f.fill(ds, 1)
			f.wait(10)
			play(f, ds)
			return f
		}
	}
	// bare is a pod without an owner that the DaemonSet selects.
	bare := func(f *film, ds *appsv1.DaemonSet) *corev1.Pod {
		p := f.pod(ds, "node-1")
		p.OwnerReferences, p.Spec.NodeName = nil, "node-1"
		f.pods = append(f.pods, p)
		f.act("create", podRef(p), []history.Disturbance{history.PodsForeign}, func() { f.emitPod(history.Added, p) })
		return p
	}
	play(t, []scene{
		{"the suite updates", nil, at(func(f *film, ds *appsv1.DaemonSet) { f.update(ds, image("v2")) })},
		{"the suite's event is late", nil, at(func(f *film, ds *appsv1.DaemonSet) {
			f.act("annotate", refOf(ds), nil, nil)
			f.wait(1)
			ds.Annotations = map[string]string{"a": "b"}
			f.emitSet(history.Modified, ds)
		})},
		{"the suite's event is very late, and the API server says when it wrote", nil, at(func(f *film, ds *appsv1.DaemonSet) {
			f.act("annotate", refOf(ds), nil, nil)
			writtenBy(ds, "suite", f.second())
			f.wait(10)
			ds.Annotations = map[string]string{"a": "b"}
			f.emitSet(history.Modified, ds)
		})},
		{"two events of one second of the suite's are very late", nil, at(func(f *film, ds *appsv1.DaemonSet) {
			twice(f, ds, f.second(), func() { f.act("update", refOf(ds), nil, nil); f.act("update", refOf(ds), nil, nil); f.wait(4) })
		})},
		{"two events long after the suite", []string{"M-13"}, at(func(f *film, ds *appsv1.DaemonSet) {
			f.act("update", refOf(ds), nil, nil)
			f.wait(4)
			twice(f, ds, f.second(), nil)
		})},
		{"an annotation that somebody wrote long after the suite", []string{"M-13"}, at(func(f *film, ds *appsv1.DaemonSet) {
			f.act("annotate", refOf(ds), nil, nil)
			f.wait(10)
			ds.Annotations = map[string]string{"a": "b"}
			writtenBy(ds, "somebody", f.second())
			f.emitSet(history.Modified, ds)
		})},
		{"an annotation, and the API server says only when the suite wrote before", []string{"M-13"}, at(func(f *film, ds *appsv1.DaemonSet) {
			f.act("annotate", refOf(ds), nil, func() {
				writtenBy(ds, "suite", f.second())
				f.emitSet(history.Modified, ds)
			})
			f.wait(10)
			ds.Annotations = map[string]string{"a": "b"}
			f.emitSet(history.Modified, ds)
		})},
		{"a foreground deletion raises the generation", nil, at(func(f *film, ds *appsv1.DaemonSet) {
			now := metav1.NewTime(f.now)
			ds.DeletionTimestamp, ds.Finalizers = &now, []string{"foregroundDeletion"}
			ds.Generation++
			f.emitSet(history.Modified, ds)
		})},
		{"the suite deletes a bare pod", nil, at(func(f *film, ds *appsv1.DaemonSet) {
			p := bare(f, ds)
			f.act("delete", podRef(p), nil, func() { f.remove(p) })
		})},
		{"an annotation", []string{"M-13"}, at(func(f *film, ds *appsv1.DaemonSet) {
			ds.Annotations = map[string]string{"a": "b"}
			f.emitSet(history.Modified, ds)
		})},
		{"an annotation as soon as the DaemonSet is there", []string{"M-13"}, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			ds.Annotations = map[string]string{"a": "b"}
			f.emitSet(history.Modified, ds)
			f.fill(ds, 1)
			return f
		}},
		{"the suite updates as soon as the DaemonSet is there", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			f.update(ds, image("v2"))
			f.fill(ds, 1)
			return f
		}},
		{"the spec", []string{"M-13"}, at(func(f *film, ds *appsv1.DaemonSet) {
			ds.Generation++
			minReady(3)(ds)
			f.emitSet(history.Modified, ds)
		})},
		{"a bare pod is deleted", []string{"M-13"}, at(func(f *film, ds *appsv1.DaemonSet) {
			p := bare(f, ds)
			f.wait(5)
			f.del(p)
		})},
		{"a pod is adopted that is not selected", []string{"M-13"}, at(func(f *film, ds *appsv1.DaemonSet) {
			p := f.pod(ds, "node-9")
			owners := p.OwnerReferences
			p.OwnerReferences, p.Labels = nil, map[string]string{"name": "other", "controller-revision-hash": "hash1"}
			f.emitPod(history.Listed, p)
			p.OwnerReferences = owners
			f.emitPod(history.Modified, p)
		})},
	})
}

// untainted has a rollout pass by a tainted node, and be called complete so many seconds after the taint has gone.
func untainted(seconds float64) func(*film, *appsv1.DaemonSet, []*corev1.Pod) {
	return func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
		n := f.node["node-3"].DeepCopy()
		n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoSchedule}}
		f.emitNode(history.Modified, n)
		f.wait(10)
		f.observe(ds)
		f.replace(ds, pods[0])
		f.replace(ds, pods[1])
		f.wait(5)
		f.emitNode(history.Modified, newNode("node-3"))
		f.wait(seconds)
		f.claim(ds, 2)
		f.wait(5)
		f.observe(ds)
	}
}

// late has a status call a rollout complete whose last old pod is deleted so many seconds after that by the API server's clock; its event comes
// later.
func late(seconds int) func(*film, *appsv1.DaemonSet, []*corev1.Pod) {
	return func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
		f.replace(ds, pods[0])
		f.replace(ds, pods[1])
		f.claim(ds, 3)
		asked := metav1.NewTime(f.second().Add(time.Duration(seconds) * time.Second))
		f.wait(5)
		f.emitNode(history.Modified, f.node["node-1"])
		until := metav1.NewTime(asked.Add(30 * time.Second))
		pods[2].DeletionTimestamp, pods[2].DeletionGracePeriodSeconds = &until, new(int64(30))
		f.emitPod(history.Modified, pods[2])
	}
}

func TestHonestStatus(t *testing.T) {
	at := func(play func(*film, *appsv1.DaemonSet, []*corev1.Pod)) func() *film {
		return func() *film {
			f := shoot(3)
			ds := f.create("fluentd")
			pods := f.fill(ds, 3)
			f.update(ds, image("v2"))
			f.revise(ds)
			f.wait(3)
			play(f, ds, pods)
			return f
		}
	}
	early := func(f *film, ds *appsv1.DaemonSet) {
		ds.Status.ObservedGeneration, ds.Status.UpdatedNumberScheduled = ds.Generation, ds.Status.DesiredNumberScheduled
		f.emitSet(history.Modified, ds)
	}
	play(t, []scene{
		{"honest", nil, at(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) { f.observe(ds) })},
		{"complete when it is", nil, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			for _, p := range pods {
				f.replace(ds, p)
			}
			f.observe(ds)
		})},
		{"the pods' stream is behind", nil, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			for _, p := range pods[:2] {
				f.replace(ds, p)
			}
			early(f, ds)
			f.wait(0.5)
			f.replace(ds, pods[2])
		})},
		{"a node with an old pod is free of a taint, and it does not know yet", nil, at(untainted(3))},
		{"a node with an old pod has been free of a taint for long", []string{"M-15"}, at(untainted(8))},
		{"the counters are of the template before", []string{"M-15"}, at(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) {
			early(f, ds)
			f.wait(3)
			f.observe(ds)
		})},
		{"complete when it is, and the pods' stream is very late", nil, at(late(-2))},
		{"complete too early, and the pods' stream is very late", []string{"M-15"}, at(late(2))},
		{"complete too early, seen at the next deletion", []string{"M-15"}, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			early(f, ds)
			f.wait(4)
			for _, p := range pods {
				f.replace(ds, p)
			}
			f.observe(ds)
		})},
		{"observedGeneration ahead", []string{"M-15"}, at(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) {
			ds.Status.ObservedGeneration = ds.Generation + 1
			f.emitSet(history.Modified, ds)
		})},
		{"observedGeneration falls", []string{"M-15"}, at(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) {
			f.observe(ds)
			ds.Status.ObservedGeneration--
			f.emitSet(history.Modified, ds)
		})},
	})
}

// heir takes pods of a revision that was an orphan, made before or after them, and adopts it only after they are there.
func heir(orphanFirst bool) func() *film {
	return func() *film {
		f := shoot(1)
		ds := f.create("fluentd")
		cr := f.revs[ds.UID][0]
		entry := &f.h.Entries[len(f.h.Entries)-1]
		entry.ControllerRevision.OwnerReferences = nil
		if !orphanFirst {
			f.h.Entries = f.h.Entries[:len(f.h.Entries)-1]
		}
		f.ready(f.add(ds, "node-1"))
		f.wait(5)
		if !orphanFirst {
			cr.CreationTimestamp = f.second()
		}
		f.emitRevision(history.Modified, cr)
		f.observe(ds)
		return f
	}
}

func TestRevisionHistory(t *testing.T) {
	at := func(play func(*film, *appsv1.DaemonSet, []*corev1.Pod)) func() *film {
		return func() *film {
			f, ds, pods := midway()
			play(f, ds, pods)
			return f
		}
	}
	first := func(f *film, ds *appsv1.DaemonSet) *appsv1.ControllerRevision { return f.revs[ds.UID][0] }
	play(t, []scene{
		{"two revisions", nil, at(func(*film, *appsv1.DaemonSet, []*corev1.Pod) {})},
		{"an old one is deleted after its pods", nil, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.replace(ds, pods[2])
			f.emitRevision(history.Deleted, first(f, ds))
		})},
		{"its deletion overtakes that of its last pod", nil, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.emitRevision(history.Deleted, first(f, ds))
			f.wait(0.5)
			f.replace(ds, pods[2])
		})},
		{"edited by the suite", nil, at(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) {
			cr := first(f, ds)
			f.act("delete", history.Reference{Resource: history.ControllerRevisions, Namespace: cr.Namespace, Name: cr.Name},
				[]history.Disturbance{history.RevisionsEdited}, func() { f.emitRevision(history.Deleted, cr) })
		})},
		{"an orphan is adopted after the first pods are there", nil, heir(true)},
		{"it comes long after its pods", []string{"M-16"}, heir(false)},
		{"it was made before its pods, and its event is late", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			n := len(f.h.Entries) - 1
			late := f.h.Entries[n].ControllerRevision
			f.h.Entries = f.h.Entries[:n]
			f.ready(f.add(ds, "node-1"))
			f.wait(4)
			f.emitRevision(history.Added, late)
			f.observe(ds)
			return f
		}},
		{"the namespace is deleted, and revisions go first", nil, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.act("delete namespace", history.Reference{Name: ds.Namespace},
				[]history.Disturbance{history.DaemonSetDeleted, history.CreationRefused, history.PodsDeleted}, nil)
			f.emitRevision(history.Deleted, first(f, ds))
			f.wait(5)
			f.emitSet(history.Deleted, ds)
			for _, p := range pods {
				f.remove(p)
			}
		})},
		{"its data change", []string{"M-16"}, at(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) {
			cr := first(f, ds).DeepCopy()
			cr.Data.Raw = []byte(`{"spec":{}}`)
			f.emitRevision(history.Modified, cr)
		})},
		{"its number falls", []string{"M-16"}, at(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) {
			cr := f.revs[ds.UID][1].DeepCopy()
			cr.Revision = 0
			f.emitRevision(history.Modified, cr)
		})},
		{"two with the same number", []string{"M-16"}, at(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) {
			cr := first(f, ds).DeepCopy()
			cr.Revision = 2
			f.emitRevision(history.Modified, cr)
		})},
		{"deleted while a pod bears its hash", []string{"M-16"}, at(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) {
			f.emitRevision(history.Deleted, first(f, ds))
			f.wait(10)
		})},
		{"a rollback that raises no number", []string{"M-16"}, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.update(ds, image("v1"))
			f.observe(ds)
			f.wait(3)
		})},
		{"a rollback that is observed, and its number is on its way", nil, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.update(ds, image("v1"))
			f.observe(ds)
		})},
		{"a rollback that raises no number and is called complete", []string{"M-16"}, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.update(ds, image("v1"))
			f.observe(ds)
			f.completed(ds)
		})},
	})
}
