package invariant

import (
	"strconv"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// claim writes a status that calls the current generation complete on n nodes.
func (f *film) claim(ds *appsv1.DaemonSet, n int32) {
	ds.Status = appsv1.DaemonSetStatus{ObservedGeneration: ds.Generation, DesiredNumberScheduled: n, CurrentNumberScheduled: n,
		UpdatedNumberScheduled: n, NumberReady: n, NumberAvailable: n}
	f.emitSet(history.Modified, ds)
}

func (f *film) completed(ds *appsv1.DaemonSet) { f.act(Completed, refOf(ds), nil, nil) }

func TestMisscheduled(t *testing.T) {
	// ends has a DaemonSet with a pod on each of two nodes end with one misscheduled, after something has happened.
	ends := func(happens func(*film, *appsv1.DaemonSet)) func() *film {
		return func() *film {
			f := shoot(2)
			ds := f.create("fluentd", nodeSelector("kubernetes.io/hostname", "node-1"))
			f.fill(ds, 1)
			if happens != nil {
				happens(f, ds)
			}
			f.observe(ds)
			ds.Status.NumberMisscheduled = 1
			f.emitSet(history.Modified, ds)
			f.wait(10)
			f.completed(ds)
			return f
		}
	}
	play(t, []scene{
		{"a pod is on a node that is not eligible", nil, ends(func(f *film, ds *appsv1.DaemonSet) { f.ready(f.add(ds, "node-2")) })},
		{"a node's label has changed, which the controller need not have looked at", nil, ends(func(f *film, _ *appsv1.DaemonSet) {
			n := f.node["node-2"].DeepCopy()
			n.Labels["kubernetes.io/hostname"] = "node-1"
			f.emitNode(history.Modified, n)
			f.wait(10)
			f.emitNode(history.Modified, newNode("node-2"))
		})},
		{"no pod is on a node that is not eligible", []string{"M-19"}, ends(nil)},
	})
}

func TestConvergence(t *testing.T) {
	at := func(play func(*film, *appsv1.DaemonSet, []*corev1.Pod)) func() *film {
		return func() *film {
			f, ds, pods := midway()
			play(f, ds, pods)
			return f
		}
	}
	pairs := func(bound bool) func() *film {
		return func() *film {
			f, _, add := surging(2, maxSurge("100%"))
			for _, node := range []string{"node-1", "node-2"} {
				if p := add(node); bound {
					f.bind(p)
				}
			}
			f.claim(f.sets[0], 2)
			f.wait(20)
			return f
		}
	}
	play(t, []scene{
		{"complete", nil, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.replace(ds, pods[2])
			f.observe(ds)
			f.completed(ds)
		})},
		{"not complete, and it does not say so", nil, at(func(f *film, ds *appsv1.DaemonSet, _ []*corev1.Pod) { f.wait(20) })},
		{"a pod that the suite has just deleted", nil, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			p := f.replace(ds, pods[2])
			f.observe(ds)
			f.act("delete", podRef(p), []history.Disturbance{history.PodsDeleted}, func() { f.remove(p) })
		})},
		{"a dead pod is left over", nil, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.del(pods[2])
			f.die(pods[2])
			f.ready(f.add(ds, "node-3"))
			f.observe(ds)
			f.wait(10)
			f.completed(ds)
		})},
		{"called complete with a node left out", []string{"M-19", "M-20"}, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.remove(pods[2])
			f.claim(ds, 3)
			f.wait(100)
			f.completed(ds)
		})},
		{"called complete with a pod that is not Ready", []string{"M-19"}, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.remove(pods[2])
			f.bind(f.add(ds, "node-3"))
			f.claim(ds, 3)
			f.wait(20)
			f.completed(ds)
		})},
		{"a surge on every node, whose updated pods it counts", nil, pairs(true)},
		{"a surge whose updated pods run nowhere", []string{"M-19"}, pairs(false)},
		{"desired falls short", []string{"M-19"}, at(func(f *film, ds *appsv1.DaemonSet, pods []*corev1.Pod) {
			f.replace(ds, pods[2])
			f.claim(ds, 2)
			f.wait(20)
		})},
	})
}

func TestRapidUpdates(t *testing.T) {
	burst := func(last bool) func() *film {
		return func() *film {
			f := shoot(2)
			ds := f.create("fluentd")
			pods := f.fill(ds, 2)
			f.wait(3)
			f.update(ds, image("v2"))
			f.revise(ds)
			f.update(ds, image("v3"))
			f.revise(ds)
			f.update(ds, image("v4"))
			made := ds.DeepCopy()
			if !last {
				made.Spec.Template.Spec.Containers[0].Image = "fluentd:v3"
			}
			for _, p := range pods {
				f.replace(made, p)
			}
			f.revise(ds)
			f.observe(ds)
			return f
		}
	}
	play(t, []scene{
		{"the last one wins", nil, burst(true)},
		{"an intermediate one is on its way out", nil, burst(false)},
		{"of three revisions at once, on the way", nil, func() *film {
			f := shoot(3)
			ds := f.create("fluentd")
			pods := f.fill(ds, 3)
			f.update(ds, image("v2"))
			f.revise(ds)
			f.observe(ds)
			f.replace(ds, pods[0])
			f.update(ds, image("v3"))
			f.revise(ds)
			f.observe(ds)
			f.replace(ds, pods[1])
			return f
		}},
		{"an intermediate one stays", []string{"M-15", "M-21"}, func() *film {
			f := burst(false)()
			f.wait(5)
			f.claim(f.sets[0], 2)
			f.wait(20)
			return f
		}},
		{"one node keeps an intermediate one", []string{"M-15", "M-21"}, func() *film {
			f := burst(false)()
			f.replace(f.sets[0], f.pods[0])
			f.wait(5)
			f.claim(f.sets[0], 2)
			f.wait(20)
			f.completed(f.sets[0])
			return f
		}},
	})
}

// crippled has an update to a broken template begin with so many nodes, nodes leave or join until there are so many, and nothing done
// for longer than a controller may need once so many nodes are down.
func crippled(before, after, down int) *film {
	f := shoot(before)
	ds := f.create("fluentd", maxUnavailable("30%"))
	pods := f.fill(ds, before)
	f.update(ds, image("v2"))
	f.revise(ds)
	f.observe(ds)
	for _, p := range pods[:down] {
		f.remove(p)
		f.bind(f.add(ds, targetNode(p)))
	}
	f.wait(3)
	for i := min(before, after) + 1; i <= max(before, after); i++ {
		n := nodeRef("node-" + strconv.Itoa(i))
		f.act("change nodes", n, []history.Disturbance{history.NodesChanged}, func() {
			if after < before {
				f.emitNode(history.Deleted, f.node[n.Name])
			} else {
				f.emitNode(history.Added, newNode(n.Name))
			}
		})
		if after > before {
			f.ready(f.add(ds, n.Name))
		}
	}
	for range 40 {
		f.wait(10)
		f.emitNode(history.Modified, f.node["node-1"])
	}
	return f
}

func TestWedge(t *testing.T) {
	// failing has so many pods fail, each of them Ready before or never, with twice the time between each time, and then nothing for so many
	// seconds more.
	failing := func(times, seconds int, ready bool) *film {
		f := shoot(1)
		ds := f.create("fluentd")
		f.observe(ds)
		idle := func(seconds int) {
			for range seconds {
				f.wait(1)
				f.emitNode(history.Modified, f.node["node-1"])
			}
		}
		for i := range times {
			p := f.add(ds, "node-1")
			f.bind(p)
			if ready {
				f.ready(p)
			}
			f.fail(p)
			f.del(p)
			idle(1 << i)
		}
		idle(seconds)
		return f
	}
	idle := func(seconds int, play func(*film, *appsv1.DaemonSet, []*corev1.Pod)) func() *film {
		return func() *film {
			f, ds, pods := midway()
			if play != nil {
				play(f, ds, pods)
			}
			for range seconds / 10 {
				f.wait(10)
				f.emitNode(history.Modified, f.node["node-1"])
			}
			return f
		}
	}
	play(t, []scene{
		{"a pause", nil, idle(50, nil)},
		{"stuck on a broken pod, as it should be", nil, idle(300, func(f *film, _ *appsv1.DaemonSet, pods []*corev1.Pod) { f.unready(pods[0]) })},
		{"creation is refused", nil, func() *film { return idle(300, nil)().held(history.CreationRefused) }},
		{"deletion is refused", nil, func() *film { return idle(300, nil)().held(history.DeletionRefused) }},
		{"OnDelete", nil, func() *film {
			f := shoot(1)
			ds := f.create("fluentd", onDelete)
			f.fill(ds, 1)
			f.update(ds, image("v2"))
			f.revise(ds)
			f.observe(ds)
			f.wait(200)
			f.observe(ds)
			return f
		}},
		{"an old pod and room in the budget", []string{"M-20"}, idle(100, nil)},
		{"an old pod and room in the budget, where the run is patient", nil, func() *film {
			f := idle(100, nil)()
			f.h.Header.TimeoutFactor = 4
			return f
		}},
		{"a node whose pods fail, and ever more time before the next one", nil, func() *film { return failing(9, 0, false) }},
		{"a node whose pods are Ready for a moment and fail, and ever more time before the next one", nil, func() *film { return failing(9, 0, true) }},
		{"a node whose pod failed once, and no other one came", []string{"M-20"}, func() *film { return failing(1, 100, false) }},
		{"a node whose pods failed, and no other one came for an hour", []string{"M-20"}, func() *film { return failing(2, 3600, false) }},
		{"a node whose pods were Ready for a moment and failed, and no other one came for an hour", []string{"M-20"}, func() *film { return failing(2, 3600, true) }},
		{"30% of six nodes, of which four left and two are down", nil, func() *film { return crippled(10, 6, 2) }},
		{"30% of six nodes that two are down of, and four more", nil, func() *film { return crippled(6, 10, 2) }},
		{"30% of six nodes that one is down of, and four more", []string{"M-20"}, func() *film { return crippled(6, 10, 1) }},
		{"a node without a pod", []string{"M-20"}, idle(100, func(f *film, _ *appsv1.DaemonSet, pods []*corev1.Pod) { f.remove(pods[2]) })},
		{"with surge, an old pod beside an available new one", []string{"M-20"}, func() *film {
			f, _, add := surging(2, maxSurge("1"))
			f.ready(add("node-1"))
			for range 10 {
				f.wait(10)
				f.emitNode(history.Modified, f.node["node-1"])
			}
			return f
		}},
	})
}
