package invariant

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/framework/history"
)

// scene is one history and the invariants that it must be accused of, none for a legal one.
type scene struct {
	name string
	want []string
	play func() *film
}

func play(t *testing.T, scenes []scene) {
	t.Helper()
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			f := s.play()
			if len(s.want) == 0 {
				passes(t, f)
				return
			}
			fails(t, f, s.want...)
		})
	}
}

func TestPinning(t *testing.T) {
	rest := func() (*film, []*corev1.Pod) {
		f := shoot(3)
		return f, f.fill(f.create("fluentd"), 3)
	}
	play(t, []scene{
		{"bound where it is pinned", nil, func() *film { f, _ := rest(); return f }},
		{"never bound", nil, func() *film {
			f := shoot(1)
			f.add(f.create("fluentd"), "node-1")
			return f
		}},
		{"an adopted pod has no pinning", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			p := f.pod(ds, "node-1")
			p.Spec.Affinity, p.Spec.NodeName = nil, "node-1"
			owners := p.OwnerReferences
			p.OwnerReferences = nil
			f.act("create", podRef(p), []history.Disturbance{history.PodsForeign}, func() { f.emitPod(history.Added, p) })
			p.OwnerReferences = owners
			f.emitPod(history.Modified, p)
			return f
		}},
		{"bound elsewhere", []string{"M-06"}, func() *film {
			f := shoot(2)
			p := f.add(f.create("fluentd"), "node-1")
			p.Spec.NodeName = "node-2"
			f.emitPod(history.Modified, p)
			return f
		}},
		{"pinned anew", []string{"M-06"}, func() *film {
			f := shoot(2)
			p := f.add(f.create("fluentd"), "node-1")
			p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields[0].Values[0] = "node-2"
			f.emitPod(history.Modified, p)
			return f
		}},
	})
}

func TestCompleteFromBirth(t *testing.T) {
	born := func(change func(*corev1.Pod)) *film {
		f := shoot(1)
		p := f.pod(f.create("fluentd"), "node-1")
		change(p)
		f.emitPod(history.Added, p)
		return f
	}
	play(t, []scene{
		{"complete", nil, func() *film { return born(func(*corev1.Pod) {}) }},
		{"with more labels than asked for", nil, func() *film { return born(func(p *corev1.Pod) { p.Labels["pod-template-generation"] = "1" }) }},
		{"made by the suite", nil, func() *film {
			f := shoot(1)
			p := f.pod(f.create("fluentd"), "node-1")
			p.Labels = map[string]string{"name": "fluentd"}
			f.act("create", podRef(p), []history.Disturbance{history.PodsForeign}, func() { f.emitPod(history.Added, p) })
			return f
		}},
		{"no hash", []string{"M-07"}, func() *film { return born(func(p *corev1.Pod) { delete(p.Labels, "controller-revision-hash") }) }},
		{"not pinned", []string{"M-07"}, func() *film { return born(func(p *corev1.Pod) { p.Spec.Affinity, p.Spec.NodeName = nil, "node-1" }) }},
		{"without controller at first", []string{"M-07"}, func() *film {
			f := shoot(1)
			p := f.pod(f.create("fluentd"), "node-1")
			owners := p.OwnerReferences
			p.OwnerReferences = nil
			f.emitPod(history.Added, p)
			p.OwnerReferences = owners
			f.emitPod(history.Modified, p)
			return f
		}},
	})
}

func TestFidelity(t *testing.T) {
	made := func(change func(*corev1.Pod)) *film {
		f := shoot(1)
		p := f.pod(f.create("fluentd"), "node-1")
		change(p)
		f.emitPod(history.Added, p)
		return f
	}
	play(t, []scene{
		{"as the revision says", nil, func() *film { return made(func(*corev1.Pod) {}) }},
		{"with a sidecar and a token volume", nil, func() *film {
			return made(func(p *corev1.Pod) {
				p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "sidecar"})
				p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "token"})
			})
		}},
		{"edited in place by the suite", nil, func() *film {
			f := shoot(1)
			p := f.add(f.create("fluentd"), "node-1")
			f.act("set image", podRef(p), []history.Disturbance{history.PodsEdited}, func() {
				p.Spec.Containers[0].Image = "other"
				f.emitPod(history.Modified, p)
			})
			return f
		}},
		{"another image", []string{"M-08"}, func() *film { return made(func(p *corev1.Pod) { p.Spec.Containers[0].Image = "fluentd:v0" }) }},
		{"other arguments", []string{"M-08"}, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			ds.Spec.Template.Spec.Containers[0].Args = []string{"--new"}
			f.update(ds, image("v2"))
			f.revise(ds)
			p := f.pod(ds, "node-1")
			p.Spec.Containers[0].Args = []string{"--old"}
			f.emitPod(history.Added, p)
			return f
		}},
		{"relabelled with the new hash", []string{"M-08"}, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			pods := f.fill(ds, 1)
			f.update(ds, image("v2"))
			pods[0].Labels["controller-revision-hash"] = f.revise(ds)
			f.emitPod(history.Modified, pods[0])
			return f
		}},
		{"no such revision", []string{"M-08"}, func() *film {
			return made(func(p *corev1.Pod) { p.Labels["controller-revision-hash"] = "nothing" })
		}},
	})
}

func TestCurrentTemplate(t *testing.T) {
	// refill has the pods of node-1 deleted by the suite, so that one must be made anew, from the template that refill is given.
	refill := func(wait float64, observed, old bool) *film {
		f := shoot(2)
		ds := f.create("fluentd", onDelete)
		pods := f.fill(ds, 2)
		was := ds.DeepCopy()
		f.update(ds, image("v2"))
		f.revise(ds)
		if observed {
			f.observe(ds)
		}
		f.wait(wait)
		f.act("delete", podRef(pods[0]), []history.Disturbance{history.PodsDeleted}, func() { f.remove(pods[0]) })
		if old {
			f.ready(f.add(was, "node-1"))
		} else {
			f.ready(f.add(ds, "node-1"))
		}
		return f
	}
	play(t, []scene{
		{"from the new template", nil, func() *film { return refill(10, true, false) }},
		{"one more wave before it is observed", nil, func() *film { return refill(10, false, true) }},
		{"at the very time of the observation", nil, func() *film { return refill(0.5, true, true) }},
		{"from the old template after the observation", []string{"M-09"}, func() *film { return refill(3, true, true) }},
		{"from the old template long after the observation", []string{"M-09"}, func() *film { return refill(100, true, true) }},
		{"back to the first template", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			pods := f.fill(ds, 1)
			f.update(ds, image("v2"))
			f.revise(ds)
			f.observe(ds)
			p := f.replace(ds, pods[0])
			f.wait(10)
			f.update(ds, image("v1"))
			f.revise(ds)
			f.observe(ds)
			f.wait(10)
			f.replace(ds, p)
			return f
		}},
	})
}

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
		{"a pod after moments", []string{"M-24"}, func() *film { return ending(4, 1, each) }},
		{"two on one node", []string{"M-24"}, func() *film { return ending(1.1, 2, func(int) string { return "node-1" }) }},
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
