package invariant

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

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
