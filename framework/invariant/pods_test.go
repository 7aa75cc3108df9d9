package invariant

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// copied gives a template the label of somebody's pod.
func copied(ds *appsv1.DaemonSet) {
	ds.Spec.Template.Labels = map[string]string{"name": ds.Name, appsv1.DefaultDaemonSetUniqueLabelKey: "copied"}
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
		{"the template has a label of that name", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd", copied)
			f.add(ds, "node-1", func(p *corev1.Pod) { p.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] = f.hash(ds) })
			return f
		}},
		{"the template has a label of that name, and the pod has it", []string{"M-08"}, func() *film {
			f := shoot(1)
			f.add(f.create("fluentd", copied), "node-1")
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

func TestForeignPods(t *testing.T) {
	// wrong has a pod come that bears a revision's hash, but not its image, so many seconds after an act that makes pods which it does not name.
	wrong := func(seconds float64, foreign ...history.Disturbance) *film {
		f := shoot(1)
		ds := f.create("fluentd")
		f.act("create", history.Reference{Resource: history.Pods, Namespace: ds.Namespace}, foreign, nil)
		f.wait(seconds)
		f.add(ds, "node-1", func(p *corev1.Pod) { p.Spec.Containers[0].Image = "fluentd:v0" })
		return f
	}
	// heir is a DaemonSet with the name of one whose pods were orphaned, and one of those pods, to be adopted as it is given.
	heir := func() (*film, *appsv1.DaemonSet, *corev1.Pod) {
		f := shoot(2)
		ds := f.create("fluentd")
		p := f.fill(ds, 1)[0]
		f.act("delete", refOf(ds), []history.Disturbance{history.DaemonSetDeleted, history.PodsForeign}, func() {
			f.emitSet(history.Deleted, ds)
			p.OwnerReferences = nil
			f.emitPod(history.Modified, p)
		})
		f.wait(60)
		return f, f.create("fluentd"), p
	}
	adopt := func(f *film, ds *appsv1.DaemonSet, p *corev1.Pod) {
		p.OwnerReferences = f.pod(ds, "node-1").OwnerReferences
		f.emitPod(history.Modified, p)
	}
	play(t, []scene{
		{"while the suite makes one that it does not name", nil, func() *film { return wrong(1, history.PodsForeign) }},
		{"long after the suite made one that it does not name", []string{"M-08"}, func() *film { return wrong(5, history.PodsForeign) }},
		{"long after the suite made one that disturbs nothing", []string{"M-08"}, func() *film { return wrong(5) }},
		{"an orphan is adopted by the next DaemonSet of the name", nil, func() *film {
			f, ds, p := heir()
			p.Spec.Containers[0].Image = "fluentd:v0"
			adopt(f, ds, p)
			f.wait(10)
			return f
		}},
		{"the next DaemonSet of the name makes a wrong pod", []string{"M-08"}, func() *film {
			f, ds, p := heir()
			adopt(f, ds, p)
			f.add(ds, "node-2", func(p *corev1.Pod) { p.Spec.Containers[0].Image = "fluentd:v0" })
			return f
		}},
		{"the next DaemonSet of the name makes a pod beside one of its own", []string{"M-01"}, func() *film {
			f, ds, _ := heir()
			f.ready(f.add(ds, "node-2"))
			f.wait(5)
			f.add(ds, "node-2")
			return f
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
	// late has a pod of the old template be made so many seconds before the new one is observed, and its event come four seconds later.
	late := func(before int) *film {
		f := shoot(2)
		ds := f.create("fluentd", onDelete)
		f.fill(ds, 1)
		was := ds.DeepCopy()
		f.update(ds, image("v2"))
		f.revise(ds)
		made := metav1.NewTime(f.second().Add(time.Duration(-before) * time.Second))
		f.observe(ds)
		f.wait(4)
		f.add(was, "node-2", func(p *corev1.Pod) { p.CreationTimestamp = made })
		return f
	}
	play(t, []scene{
		{"from the old template, seen long after it was made", nil, func() *film { return late(1) }},
		{"from the old template after the observation, and seen long after it was made", []string{"M-09"}, func() *film { return late(-1) }},
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
