package invariant

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"rollcall.dev/framework/history"
)

// midway is a rollout of three nodes of which the first two are done.
func midway(options ...option) (*film, *appsv1.DaemonSet, []*corev1.Pod) {
	f := shoot(3)
	ds := f.create("fluentd", options...)
	pods := f.fill(ds, 3)
	f.update(ds, image("v2"))
	f.revise(ds)
	f.observe(ds)
	pods[0] = f.replace(ds, pods[0])
	pods[1] = f.replace(ds, pods[1])
	f.observe(ds)
	f.wait(3)
	return f, ds, pods
}

// flap has a node in the middle of a rollout be tainted for a moment, and so many seconds later its new pod deleted.
func flap(seconds float64) *film {
	f, _, pods := midway()
	n := f.node["node-1"].DeepCopy()
	n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoExecute}}
	f.emitNode(history.Modified, n)
	f.wait(0.2)
	f.emitNode(history.Modified, newNode("node-1"))
	f.wait(seconds)
	f.del(pods[0])
	return f
}

// adopting has a DaemonSet adopt a pod with the current hash and the given image, and delete it later.
func adopting(image string) *film {
	f := shoot(1)
	ds := f.create("fluentd")
	p, adopt := f.orphan(ds, "node-1", func(p *corev1.Pod) { p.Spec.Containers[0].Image = image })
	f.ready(p)
	adopt()
	f.observe(ds)
	f.wait(10)
	f.remove(p)
	f.ready(f.add(ds, "node-1"))
	return f
}

func TestChurn(t *testing.T) {
	play(t, []scene{
		{"the rollout ends", nil, func() *film {
			f, ds, pods := midway()
			f.replace(ds, pods[2])
			f.observe(ds)
			return f
		}},
		{"a rollback takes the new pods back, not the old one", nil, func() *film {
			f, ds, pods := midway()
			f.update(ds, image("v1"))
			f.revise(ds)
			f.observe(ds)
			f.replace(ds, pods[0])
			f.replace(ds, pods[1])
			f.observe(ds)
			return f
		}},
		{"the suite deletes a new pod", nil, func() *film {
			f, ds, pods := midway()
			f.act("delete", podRef(pods[0]), []history.Disturbance{history.PodsDeleted}, func() { f.remove(pods[0]) })
			f.ready(f.add(ds, "node-1"))
			return f
		}},
		{"a new pod fails and is replaced", nil, func() *film {
			f, ds, pods := midway()
			f.fail(pods[0])
			f.del(pods[0])
			f.ready(f.add(ds, "node-1"))
			return f
		}},
		{"a node is tainted in the middle", nil, func() *film {
			f, _, pods := midway()
			n := f.node["node-1"].DeepCopy()
			n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoExecute}}
			f.emitNode(history.Modified, n)
			f.remove(pods[0])
			return f
		}},
		{"the taint arrives after the deletion that it causes", nil, func() *film {
			f, _, pods := midway()
			n := f.node["node-1"].DeepCopy()
			n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoExecute}}
			f.remove(pods[0])
			f.wait(0.3)
			f.emitNode(history.Modified, n)
			return f
		}},
		{"a taint has come and gone, and the deletion that it caused was slow", nil, func() *film { return flap(3) }},
		{"a taint came and went long ago", []string{"M-10"}, func() *film { return flap(8) }},
		{"an adopted pod has the current hash and another image", nil, func() *film { return adopting("fluentd:v0") }},
		{"an adopted pod is up to date", []string{"M-11"}, func() *film { return adopting("fluentd:v1") }},
		{"an update that is under way makes new pods old", nil, func() *film {
			f, ds, pods := midway()
			f.act("update", refOf(ds), nil, func() {
				f.del(pods[0]) // its event overtakes the DaemonSet's
				ds.Spec.Template.Spec.Containers[0].Image = "fluentd:v3"
				ds.Generation++
				f.emitSet(history.Modified, ds)
			})
			return f
		}},
		{"a new pod that has its predecessor's name is taken for it", nil, func() *film { return namesake(0, false) }},
		{"a new pod that has its predecessor's name is deleted like any other", []string{"M-11"}, func() *film { return namesake(0, true) }},
		{"a new pod that has its predecessor's name is deleted long after that one went", []string{"M-11"}, func() *film { return namesake(6, false) }},
		{"a new pod is deleted in the rollout", []string{"M-10"}, func() *film {
			f, _, pods := midway()
			f.del(pods[0])
			return f
		}},
		{"a broken new pod is deleted in the rollout", []string{"M-10"}, func() *film {
			f, _, pods := midway()
			f.unready(pods[1])
			f.wait(30)
			f.del(pods[1])
			return f
		}},
		{"a pod is deleted at rest", []string{"M-11"}, func() *film {
			f := shoot(2)
			pods := f.fill(f.create("fluentd"), 2)
			f.wait(10)
			f.del(pods[0])
			return f
		}},
		{"minReadySeconds changes and pods restart", []string{"M-11"}, func() *film {
			f := shoot(2)
			ds := f.create("fluentd")
			pods := f.fill(ds, 2)
			f.update(ds, minReady(5))
			f.observe(ds)
			f.wait(10)
			f.remove(pods[0])
			f.ready(f.add(ds, "node-1"))
			return f
		}},
		{"OnDelete keeps old pods", nil, func() *film {
			f := shoot(2)
			ds := f.create("fluentd", onDelete)
			f.fill(ds, 2)
			f.update(ds, image("v2"))
			f.revise(ds)
			f.observe(ds)
			f.wait(100)
			f.observe(ds)
			return f
		}},
		{"OnDelete, and an old pod is deleted", []string{"M-11"}, func() *film {
			f := shoot(2)
			ds := f.create("fluentd", onDelete)
			pods := f.fill(ds, 2)
			f.update(ds, image("v2"))
			f.revise(ds)
			f.observe(ds)
			f.wait(3)
			f.del(pods[0])
			return f
		}},
		{"a surge pod is made, pruned and made again", []string{"M-11"}, func() *film {
			f := shoot(1)
			ds := f.create("fluentd", maxSurge("1"))
			f.fill(ds, 1)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.wait(3)
			for range 2 {
				f.remove(f.add(ds, "node-1"))
			}
			return f
		}},
		{"a duplicate is pruned, and much later the pod that stayed fails", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			pods := f.fill(ds, 1)
			f.act("restart", history.Reference{}, []history.Disturbance{history.ControllerRestarted}, nil)
			f.wait(5)
			f.remove(f.add(ds, "node-1"))
			f.wait(100)
			f.fail(pods[0])
			f.del(pods[0])
			f.ready(f.add(ds, "node-1"))
			return f
		}},
		{"failed pods are replaced in a hot loop", []string{"M-11"}, hotLoopFilm},
		{"failed pods are replaced in a hot loop by a controller that is restarted all the time", nil, func() *film {
			return hotLoopFilm().held(history.ControllerRestarted)
		}},
		{"failed pods are replaced ever more slowly, and from the start after a change", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			for _, tag := range []string{"v2", "v3"} {
				for i := range 7 {
					p := f.add(ds, "node-1")
					f.bind(p)
					f.fail(p)
					f.del(p)
					f.wait(float64(int(1)<<i) / 2)
				}
				f.update(ds, image(tag))
				f.revise(ds)
				f.observe(ds)
			}
			return f
		}},
		{"failed pods are replaced ever more slowly", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			for i := range 12 {
				p := f.add(ds, "node-1")
				f.bind(p)
				f.fail(p)
				f.del(p)
				f.wait(float64(int(1) << i))
			}
			return f
		}},
	})
}

func TestStrays(t *testing.T) {
	// on has pods of one DaemonSet come to a node with a taint of the given effect, one after another, each deleted before the next.
	on := func(effect corev1.TaintEffect, play func(f *film, ds *appsv1.DaemonSet, n *corev1.Node)) func() *film {
		return func() *film {
			f := shoot(1)
			n := newNode("node-2")
			n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: effect}}
			f.emitNode(history.Added, n)
			f.wait(30)
			ds := f.create("fluentd")
			f.fill(ds, 1)
			play(f, ds, n)
			return f
		}
	}
	thrice := func(f *film, ds *appsv1.DaemonSet, _ *corev1.Node) {
		for range 3 {
			f.del(f.add(ds, "node-2"))
			f.wait(1)
		}
	}
	play(t, []scene{
		{"twice", nil, on(corev1.TaintEffectNoExecute, func(f *film, ds *appsv1.DaemonSet, _ *corev1.Node) {
			for range 2 {
				f.del(f.add(ds, "node-2"))
			}
		})},
		{"the taint has just gone, and comes back", nil, on(corev1.TaintEffectNoExecute, func(f *film, ds *appsv1.DaemonSet, n *corev1.Node) {
			f.emitNode(history.Modified, newNode("node-2"))
			f.wait(0.5)
			f.emitNode(history.Modified, n)
			thrice(f, ds, n)
		})},
		{"the controller is being restarted", nil, on(corev1.TaintEffectNoExecute, func(f *film, ds *appsv1.DaemonSet, n *corev1.Node) {
			f.act("restart", history.Reference{}, []history.Disturbance{history.ControllerRestarted}, func() { thrice(f, ds, n) })
		})},
		{"the node is not recorded", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			f.fill(ds, 1)
			thrice(f, ds, nil)
			return f
		}},
		{"one a revision, beside an old pod that may stay", nil, func() *film {
			f := shoot(2)
			ds := f.create("fluentd", maxSurge("1"))
			f.fill(ds, 2)
			n := f.node["node-2"].DeepCopy()
			n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoSchedule}}
			f.emitNode(history.Modified, n)
			f.wait(10)
			f.update(ds, image("v2"))
			f.revise(ds)
			f.observe(ds)
			for range 3 {
				p := f.add(ds, "node-2")
				f.wait(1)
				f.fail(p)
				f.del(p)
			}
			return f
		}},
		{"three times", []string{"M-11"}, on(corev1.TaintEffectNoExecute, thrice)},
		{"three times where they could stay", []string{"M-11"}, on(corev1.TaintEffectNoSchedule, thrice)},
	})
}

// namesake shows a new pod with its predecessor's name, which is deleted so many seconds after it was made: with a grace period once it is
// bound, else at once.
func namesake(seconds float64, bound bool) *film {
	f, ds, pods := midway()
	f.remove(pods[2])
	next := f.add(ds, "node-3", named(pods[2]))
	f.wait(seconds)
	if bound {
		f.bind(next)
	}
	f.remove(next)
	f.ready(f.add(ds, "node-3"))
	return f
}

// hotLoopFilm shows seventeen failed pods on one node, a second apart.
func hotLoopFilm() *film {
	f := shoot(1)
	ds := f.create("fluentd")
	for range 17 {
		p := f.add(ds, "node-1")
		f.bind(p)
		f.fail(p)
		f.del(p)
		f.wait(1)
	}
	return f
}

func TestRollback(t *testing.T) {
	back := func(play func(*film, *appsv1.DaemonSet, []*corev1.Pod)) func() *film {
		return func() *film {
			f, ds, pods := midway()
			f.update(ds, image("v1"))
			f.revise(ds)
			f.observe(ds)
			f.wait(3)
			play(f, ds, pods)
			return f
		}
	}
	restart := func(f *film, _ *appsv1.DaemonSet, pods []*corev1.Pod) {
		pods[2].Status.ContainerStatuses[0].RestartCount++
		f.emitPod(history.Modified, pods[2])
	}
	change := func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
		pods[2].Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}
		f.emitPod(history.Modified, pods[2])
		restart(f, ds, pods)
	}
	play(t, []scene{
		{"the target's pod stays", nil, back(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) { f.replace(ds, pods[0]) })},
		{"the revision's number rises", nil, back(func(*film, *appsv1.DaemonSet, []*corev1.Pod) {})},
		{"a crash that the spec expects", nil, func() *film { return back(change)().held(history.ReadinessFlaps) }},
		{"the target's pod is deleted", []string{"M-17"}, back(func(f *film, _ *appsv1.DaemonSet, pods []*corev1.Pod) { f.del(pods[2]) })},
		{"a kubelet restarts the target's containers", nil, back(restart)},
		{"the target's containers are changed, which restarts them", []string{"M-17"}, back(change)},
	})
}

func TestRestart(t *testing.T) {
	restarted := func(play func(*film, *appsv1.DaemonSet, []*corev1.Pod)) func() *film {
		return func() *film {
			f, ds, pods := midway()
			f.act("restart", history.Reference{Name: "controller"}, []history.Disturbance{history.ControllerRestarted}, func() { f.wait(10) })
			f.wait(5)
			play(f, ds, pods)
			return f
		}
	}
	play(t, []scene{
		{"it resumes", nil, restarted(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) { f.replace(ds, pods[2]); f.observe(ds) })},
		{"a duplicate is pruned", nil, restarted(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) { f.remove(f.add(ds, "node-1")) })},
		{"the status falls back for a moment", nil, restarted(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) {
			ds.Status.ObservedGeneration--
			f.emitSet(history.Modified, ds)
			f.observe(ds)
		})},
		{"up-to-date pods are restarted", []string{"M-22"}, restarted(func(f *film, _ *appsv1.DaemonSet, pods []*corev1.Pod) { f.del(pods[0]) })},
		{"two up-to-date pods are restarted", []string{"M-22"}, restarted(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.replace(ds, pods[0])
			f.replace(ds, pods[1])
		})},
	})
}
