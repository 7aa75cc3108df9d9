package invariant

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/framework/history"
)

func TestGracefulDeletion(t *testing.T) {
	force := func(f *film, p *corev1.Pod, grace int64) {
		at := f.second()
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &grace
		f.gone(p)
	}
	rest := func() (*film, *corev1.Pod) {
		f := shoot(1)
		pods := f.fill(f.create("fluentd", onDelete), 1)
		return f, pods[0]
	}
	// bound is a pod of the last template that has just been bound.
	bound := func() (*film, *corev1.Pod) {
		f := shoot(1)
		ds := f.create("fluentd")
		p := f.add(ds, "node-1")
		f.update(ds, image("v2"))
		f.observe(ds)
		f.wait(5)
		f.bind(p)
		return f, p
	}
	// ending is a pod of the last template that has begun to end; hasten has somebody ask once more, for its end at once.
	ending := func() (*film, *corev1.Pod) {
		f := shoot(1)
		ds := f.create("fluentd")
		pods := f.fill(ds, 1)
		f.update(ds, image("v2"))
		f.observe(ds)
		f.del(pods[0])
		f.wait(5)
		return f, pods[0]
	}
	hasten := func(f *film, p *corev1.Pod) {
		at, none := f.second(), int64(0)
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &none
		f.emitPod(history.Modified, p)
		f.gone(p)
	}
	play(t, []scene{
		{"the pod's own period", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			pods := f.fill(ds, 1)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.remove(pods[0])
			return f
		}},
		{"an unbound pod goes at once", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			p := f.add(ds, "node-1")
			f.update(ds, image("v2"))
			f.observe(ds)
			f.wait(5)
			f.del(p)
			return f
		}},
		{"a failed pod goes at once", nil, func() *film {
			f, p := rest()
			f.fail(p)
			f.del(p)
			return f
		}},
		{"the suite forces it", nil, func() *film {
			f, p := rest()
			f.act("delete", podRef(p), []history.Disturbance{history.PodsDeleted}, func() { force(f, p, 0) })
			return f
		}},
		{"PodGC forces it on a node that is gone", nil, func() *film {
			f, p := rest()
			f.emitNode(history.Deleted, f.node["node-1"])
			f.wait(60)
			force(f, p, 0)
			return f
		}},
		{"the node is back by the time that PodGC's deletion is seen", nil, func() *film {
			f, p := rest()
			f.emitNode(history.Deleted, f.node["node-1"])
			f.wait(60)
			f.emitNode(history.Added, newNode("node-1"))
			f.wait(0.5)
			force(f, p, 0)
			return f
		}},
		{"the node has been back for long", []string{"M-11", "M-12"}, func() *film {
			f, p := rest()
			f.emitNode(history.Deleted, f.node["node-1"])
			f.wait(60)
			f.emitNode(history.Added, newNode("node-1"))
			f.wait(10)
			force(f, p, 0)
			return f
		}},
		{"the scheduler binds it while it is being deleted", nil, func() *film {
			f, p := bound()
			f.wait(1)
			force(f, p, 0)
			return f
		}},
		{"no grace long after it was bound", []string{"M-12"}, func() *film {
			f, p := bound()
			f.wait(5)
			force(f, p, 0)
			return f
		}},
		{"its kubelet takes it away once it has ended", nil, func() *film { f, p := ending(); f.die(p); force(f, p, 0); return f }},
		{"the suite forces it while it ends", nil, func() *film {
			f, p := ending()
			f.act("delete", podRef(p), []history.Disturbance{history.PodsDeleted}, func() { hasten(f, p) })
			return f
		}},
		{"PodGC forces it while it ends", nil, func() *film {
			f, p := ending()
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "DeletionByPodGC"})
			f.emitPod(history.Modified, p)
			hasten(f, p)
			return f
		}},
		{"it bears the name of a pod that has just gone", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			pods := f.fill(ds, 1)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.remove(pods[0])
			next := f.add(ds, "node-1", named(pods[0]))
			f.ready(next)
			f.update(ds, image("v3"))
			f.observe(ds)
			f.del(next)
			hasten(f, next)
			return f
		}},
		{"forced while it ends", []string{"M-12"}, func() *film { f, p := ending(); hasten(f, p); return f }},
		{"forced while it ends by a user's wish", []string{"M-12"}, func() *film {
			f, p := rest()
			f.act("delete", podRef(p), []history.Disturbance{history.PodsDeleted}, func() { f.del(p) })
			f.wait(5)
			hasten(f, p)
			return f
		}},
		{"no grace at all", []string{"M-11", "M-12"}, func() *film { f, p := rest(); force(f, p, 0); return f }},
		{"a shorter grace", []string{"M-11", "M-12"}, func() *film {
			f, p := rest()
			at, one := f.second(), int64(1)
			p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &one
			f.emitPod(history.Modified, p)
			return f
		}},
		{"the eviction API", []string{"M-12"}, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			pods := f.fill(ds, 1)
			f.update(ds, image("v2"))
			f.observe(ds)
			pods[0].Status.Conditions = append(pods[0].Status.Conditions,
				corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI"})
			f.emitPod(history.Modified, pods[0])
			f.del(pods[0])
			return f
		}},
	})
}

func TestOtherOwners(t *testing.T) {
	// at has a pod at rest be deleted that has another owner besides its DaemonSet, after something has happened to that one.
	at := func(owner func(*film, *appsv1.DaemonSet) metav1.OwnerReference, happens func(*film)) func() *film {
		return func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			p := f.add(ds, "node-1", func(p *corev1.Pod) { p.OwnerReferences = append(p.OwnerReferences, owner(f, ds)) })
			f.ready(p)
			f.observe(ds)
			f.wait(10)
			if happens != nil {
				happens(f)
			}
			f.del(p)
			return f
		}
	}
	node := func(f *film, _ *appsv1.DaemonSet) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: "node-1", UID: f.node["node-1"].UID}
	}
	set := func(f *film, _ *appsv1.DaemonSet) metav1.OwnerReference {
		ds := f.create("other", nodeSelector("none", "such"))
		return metav1.OwnerReference{APIVersion: "apps/v1", Kind: "DaemonSet", Name: ds.Name, UID: ds.UID}
	}
	revision := func(f *film, ds *appsv1.DaemonSet) metav1.OwnerReference {
		cr := f.revs[ds.UID][0]
		return metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ControllerRevision", Name: cr.Name, UID: cr.UID}
	}
	play(t, []scene{
		{"one that is not recorded", nil, at(func(*film, *appsv1.DaemonSet) metav1.OwnerReference {
			return metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "owner", UID: "owner"}
		}, nil)},
		{"a node of another UID", nil, at(func(f *film, ds *appsv1.DaemonSet) metav1.OwnerReference {
			owner := node(f, ds)
			owner.UID = "before"
			return owner
		}, nil)},
		{"its node, which has just gone", nil, at(node, func(f *film) { f.emitNode(history.Deleted, f.node["node-1"]) })},
		{"a DaemonSet that has just gone", nil, at(set, func(f *film) {
			f.act("delete", refOf(f.sets[1]), []history.Disturbance{history.DaemonSetDeleted}, func() { f.emitSet(history.Deleted, f.sets[1]) })
		})},
		{"its revision, which has just gone", nil, at(revision, func(f *film) {
			cr := f.revs["ds-1"][0]
			f.act("delete", history.Reference{Resource: history.ControllerRevisions, Namespace: cr.Namespace, Name: cr.Name},
				[]history.Disturbance{history.RevisionsEdited}, func() { f.emitRevision(history.Deleted, cr) })
		})},
		{"its node", []string{"M-11"}, at(node, nil)},
		{"a DaemonSet", []string{"M-11"}, at(set, nil)},
		{"its revision", []string{"M-11"}, at(revision, nil)},
	})
}

func TestIsolation(t *testing.T) {
	two := func() (*film, []*corev1.Pod, []*corev1.Pod, types.UID) {
		f := shoot(2)
		a, b := f.create("fluentd"), f.create("fluentd")
		return f, f.fill(a, 2), f.fill(b, 2), b.UID
	}
	play(t, []scene{
		{"side by side", nil, func() *film { f, _, _, _ := two(); return f }},
		{"each with its own budget", nil, func() *film {
			f := shoot(2)
			a, b := f.create("fluentd"), f.create("fluentd")
			pa, pb := f.fill(a, 2), f.fill(b, 2)
			f.update(a, image("v2"))
			f.update(b, image("v2"))
			f.observe(a)
			f.observe(b)
			f.del(pa[0])
			f.del(pb[1])
			return f
		}},
		{"released and adopted", nil, func() *film {
			f, pa, _, other := two()
			owners := pa[0].OwnerReferences
			f.act("label", podRef(pa[0]), []history.Disturbance{history.PodsEdited, history.PodsForeign}, nil)
			pa[0].OwnerReferences = nil
			f.emitPod(history.Modified, pa[0])
			pa[0].OwnerReferences = owners
			pa[0].OwnerReferences[0].UID = other
			f.emitPod(history.Modified, pa[0])
			f.wait(1)
			f.remove(pa[0])
			return f
		}},
		{"deleted because the other one selects it", []string{"M-23"}, func() *film {
			f, pa, _, _ := two()
			f.wait(5)
			f.del(pa[0])
			return f
		}},
		{"taken over", []string{"M-23"}, func() *film {
			f, pa, _, other := two()
			pa[0].OwnerReferences[0].UID = other
			f.emitPod(history.Modified, pa[0])
			return f
		}},
	})
}

// batch has a DaemonSet be deleted while its first pods are being made, with so much time between one and the next.
func batch(gap float64) *film {
	f := shoot(60)
	ds := f.create("fluentd")
	for i := 1; i <= 60; i++ {
		f.wait(gap)
		f.add(ds, fmt.Sprintf("node-%d", i))
		if i == 10 {
			f.act("delete", refOf(ds), []history.Disturbance{history.DaemonSetDeleted}, func() {
				at := f.second()
				ds.DeletionTimestamp = &at
				f.emitSet(history.Modified, ds)
			})
		}
	}
	return f
}

// refill has a DaemonSet be deleted while pods are made for its nodes one after another, all of which an update has emptied, or that are not
// empty yet when it is deleted.
func refill(emptied bool) *film {
	f := shoot(60)
	ds := f.create("fluentd", maxUnavailable("100%"))
	pods := f.fill(ds, 60)
	f.update(ds, image("v2"))
	f.revise(ds)
	f.observe(ds)
	for i, p := range pods {
		if emptied || i < 10 {
			f.remove(p)
		}
	}
	for i := 1; i <= 60; i++ {
		f.wait(0.2)
		if !emptied && i > 10 {
			f.remove(pods[i-1])
		}
		f.add(ds, fmt.Sprintf("node-%d", i))
		if i == 10 {
			f.act("delete", refOf(ds), []history.Disturbance{history.DaemonSetDeleted}, func() {
				at := f.second()
				ds.DeletionTimestamp = &at
				f.emitSet(history.Modified, ds)
			})
		}
	}
	return f
}

func TestDeletionFence(t *testing.T) {
	ending := func(after float64, times int, node func(int) string) *film {
		f := shoot(3)
		ds := f.create("fluentd")
		pods := f.fill(ds, 3)
		f.act("delete", refOf(ds), []history.Disturbance{history.DaemonSetDeleted}, func() {
			at := f.second()
			ds.DeletionTimestamp = &at
			f.emitSet(history.Modified, ds)
		})
		for _, p := range pods {
			f.remove(p)
		}
		f.wait(after)
		for i := range times {
			f.remove(f.add(ds, node(i)))
			f.wait(1)
		}
		return f
	}
	each := func(i int) string { return fmt.Sprintf("node-%d", i+1) }
	play(t, []scene{
		{"no more pods", nil, func() *film { return ending(10, 0, each) }},
		{"one that was under way", nil, func() *film { return ending(0.2, 1, each) }},
		{"one a node that was under way", nil, func() *film { return ending(0.2, 2, each) }},
		{"one of a controller whose caches lag", nil, func() *film { return ending(4, 1, each) }},
		{"a pod after moments", []string{"M-24"}, func() *film { return ending(7, 1, each) }},
		{"two on one node", []string{"M-24"}, func() *film { return ending(1.1, 2, func(int) string { return "node-1" }) }},
		{"in the middle of a batch of first pods", nil, func() *film { return batch(0.1) }},
		{"in the middle of a batch for nodes that an update has emptied", nil, func() *film { return refill(true) }},
		{"a batch that empties nodes itself", []string{"M-24"}, func() *film { return refill(false) }},
		{"a batch of first pods that begins once more", []string{"M-24"}, func() *film { return batch(1.1) }},
		{"deleted and created again", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			pods := f.fill(ds, 1)
			f.act("delete", refOf(ds), []history.Disturbance{history.DaemonSetDeleted}, func() { f.emitSet(history.Deleted, ds) })
			f.sets = nil
			again := f.create("fluentd")
			f.ready(f.add(again, "node-1"))
			f.remove(pods[0])
			return f
		}},
	})
}
