package invariant

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

func TestOnePodPerNodeLegal(t *testing.T) {
	for name, scene := range map[string]func() *film{
		"a dead predecessor beside its successor": func() *film {
			f := shoot(2)
			ds := f.create("fluentd")
			pods := f.fill(ds, 2)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.del(pods[0])
			f.die(pods[0])
			f.ready(f.add(ds, "node-1"))
			f.gone(pods[0])
			return f
		},
		"a dead pod that a finalizer holds": func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			pods := f.fill(ds, 1)
			pods[0].Finalizers = []string{"example.com/hold"}
			f.fail(pods[0])
			f.del(pods[0])
			f.ready(f.add(ds, "node-1"))
			f.wait(300)
			f.observe(ds)
			return f
		},
		"orphans are adopted and pruned": func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			f.fill(ds, 1)
			orphan, adopt := f.orphan(ds, "node-1")
			adopt()
			f.wait(1)
			f.remove(orphan)
			return f
		},
		"an older pod is adopted late, pruned for and then updated": func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			orphan, adopt := f.orphan(ds, "node-1", func(p *corev1.Pod) { delete(p.Labels, appsv1.ControllerRevisionHashLabelKey) })
			f.ready(orphan)
			own := f.fill(ds, 1)[0]
			f.act("edit", podRef(orphan), []history.Disturbance{history.PodsEdited}, func() {})
			adopt()
			f.remove(own)
			f.wait(1)
			f.remove(orphan)
			f.ready(f.add(ds, "node-1"))
			return f
		},
		"a duplicate after the controller's restart is pruned": func() *film {
			f := shoot(1)
			ds := f.create("fluentd")
			f.fill(ds, 1)
			f.act("restart", history.Reference{}, []history.Disturbance{history.ControllerRestarted}, nil)
			f.wait(5)
			twin := f.add(ds, "node-1")
			f.wait(1)
			f.remove(twin)
			return f
		},
		"with surge the new pod comes while the old one is there, even terminating": func() *film {
			f := shoot(2)
			ds := f.create("fluentd", maxSurge("1"))
			pods := f.fill(ds, 2)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.ready(f.add(ds, "node-1"))
			f.del(pods[0])
			f.ready(f.add(ds, "node-2"))
			f.del(pods[1])
			return f
		},
		"two DaemonSets with the same selector": func() *film {
			f := shoot(2)
			a, b := f.create("fluentd"), f.create("fluentd")
			f.fill(a, 2)
			f.fill(b, 2)
			return f
		},
	} {
		t.Run(name, func(t *testing.T) { passes(t, scene()) })
	}
}

func TestOnePodPerNodeIllegal(t *testing.T) {
	t.Run("the successor comes while the predecessor terminates", func(t *testing.T) {
		f := shoot(2)
		ds := f.create("fluentd")
		pods := f.fill(ds, 2)
		f.update(ds, image("v2"))
		f.observe(ds)
		f.del(pods[0])
		f.add(ds, "node-1")
		fails(t, f, "M-01")
	})
	t.Run("an unbound second pod counts by its target node", func(t *testing.T) {
		f := shoot(2)
		ds := f.create("fluentd", onDelete)
		f.fill(ds, 2)
		f.add(ds, "node-2")
		fails(t, f, "M-01")
	})
}

func TestCrowd(t *testing.T) {
	// beside has a pod be made beside an adopted one, so many seconds after the adoption.
	beside := func(seconds float64) *film {
		f := shoot(1)
		ds := f.create("fluentd")
		p, adopt := f.orphan(ds, "node-1")
		f.ready(p)
		adopt()
		f.observe(ds)
		f.wait(seconds)
		f.add(ds, "node-1")
		return f
	}
	// held has a pod that is to end be given a finalizer, as HoldPod does; its successor comes once it is dead, or before.
	held := func(dead bool) *film {
		f := shoot(1)
		ds := f.create("fluentd")
		p := f.fill(ds, 1)[0]
		f.act("edit", podRef(p), nil, func() {
			p.Finalizers = []string{"rollcall.dev/hold"}
			f.emitPod(history.Modified, p)
		})
		f.update(ds, image("v2"))
		f.revise(ds)
		f.observe(ds)
		f.del(p)
		f.wait(5)
		if dead {
			f.die(p)
		}
		f.ready(f.add(ds, "node-1"))
		return f
	}
	play(t, []scene{
		{"beside a pod that was adopted just now", nil, func() *film { return beside(2) }},
		{"beside a pod that was adopted long ago", []string{"M-01"}, func() *film { return beside(100) }},
		{"beside a dead pod that the suite holds", nil, func() *film { return held(true) }},
		{"beside a pod that ends and that the suite holds", []string{"M-01"}, func() *film { return held(false) }},
	})
}

func TestActivePods(t *testing.T) {
	t.Run("a third active pod", func(t *testing.T) {
		f := shoot(2)
		ds := f.create("fluentd", maxSurge("1"))
		f.fill(ds, 2)
		f.update(ds, image("v2"))
		f.observe(ds)
		f.bind(f.add(ds, "node-1"))
		f.update(ds, image("v3"))
		f.observe(ds)
		f.wait(3)
		f.add(ds, "node-1")
		fails(t, f, "M-05")
	})
	t.Run("two of the same revision", func(t *testing.T) {
		f := shoot(2)
		ds := f.create("fluentd", maxSurge("1"))
		f.fill(ds, 2)
		f.add(ds, "node-1")
		fails(t, f, "M-05")
	})
	t.Run("an update while a pair exists", func(t *testing.T) {
		f := shoot(2)
		ds := f.create("fluentd", maxSurge("1"))
		pods := f.fill(ds, 2)
		f.update(ds, image("v2"))
		f.observe(ds)
		second := f.add(ds, "node-1")
		f.bind(second)
		f.update(ds, image("v3"))
		f.remove(second)
		f.observe(ds)
		f.ready(f.add(ds, "node-1"))
		f.remove(pods[0])
		passes(t, f)
	})
	t.Run("terminating pods come on top", func(t *testing.T) {
		f := shoot(1)
		ds := f.create("fluentd", maxSurge("1"))
		pods := f.fill(ds, 1)
		f.update(ds, image("v2"))
		f.observe(ds)
		second := f.add(ds, "node-1")
		f.ready(second)
		f.del(pods[0])
		f.update(ds, image("v3"))
		f.observe(ds)
		f.ready(f.add(ds, "node-1"))
		f.del(second)
		passes(t, f)
	})
	t.Run("a switch from surge prunes the pair", func(t *testing.T) {
		f := shoot(1)
		ds := f.create("fluentd", maxSurge("1"))
		f.fill(ds, 1)
		f.update(ds, image("v2"))
		f.observe(ds)
		second := f.add(ds, "node-1")
		f.bind(second)
		f.update(ds, maxUnavailable("1"))
		f.wait(0.5)
		f.remove(second)
		f.observe(ds)
		passes(t, f)
	})
}

func TestPruningTooLate(t *testing.T) {
	// switched is a switch from surge that leaves a pair, of which the controller prunes the new pod a moment after the old one has met
	// with something.
	switched := func(meets func(*film, *corev1.Pod), after float64) func() *film {
		return func() *film {
			f := shoot(2)
			ds := f.create("fluentd", maxSurge("1"))
			pods := f.fill(ds, 2)
			f.update(ds, image("v2"))
			f.observe(ds)
			second := f.add(ds, "node-1")
			f.bind(second)
			f.wait(5)
			f.update(ds, maxUnavailable("1"))
			meets(f, pods[0])
			f.wait(after)
			f.del(second)
			f.observe(ds)
			return f
		}
	}
	deleted := func(f *film, p *corev1.Pod) {
		f.act("delete", podRef(p), []history.Disturbance{history.PodsDeleted}, func() { f.del(p) })
	}
	play(t, []scene{
		{"the suite has just deleted it", nil, switched(deleted, 0.3)},
		{"it has just failed", nil, switched((*film).fail, 0.3)},
		{"the suite deleted it long ago", []string{"M-10"}, switched(deleted, 10)},
		{"it failed long ago", []string{"M-10"}, switched((*film).fail, 10)},
		{"the controller has just deleted it", []string{"M-10"}, switched((*film).del, 0.3)},
	})
}

func TestLastingExcess(t *testing.T) {
	excess := func(pruned bool) *film {
		f := shoot(1)
		ds := f.create("fluentd")
		f.fill(ds, 1)
		f.held(history.PodsForeign)
		twin := f.add(ds, "node-1")
		f.ready(twin)
		f.wait(50)
		if pruned {
			f.remove(twin)
		}
		f.wait(50)
		return f
	}
	fails(t, excess(false), "M-25")
	passes(t, excess(true))
	t.Run("the node is gone, and the garbage collector is slow", func(t *testing.T) {
		f := excess(false)
		f.emitNode(history.Deleted, f.node["node-1"])
		f.wait(0.5)
		f.remove(f.pods[0])
		passes(t, f)
	})
	for _, refused := range []bool{true, false} {
		t.Run(fmt.Sprintf("a pair is left when surge ends, deletion is refused: %t", refused), func(t *testing.T) {
			f := shoot(1)
			ds := f.create("fluentd", maxSurge("1"))
			f.fill(ds, 1)
			f.update(ds, image("v2"))
			f.observe(ds)
			second := f.add(ds, "node-1")
			f.bind(second)
			if refused {
				f.act("refuse", history.Reference{}, []history.Disturbance{history.DeletionRefused}, nil)
			}
			f.update(ds, maxUnavailable("1"))
			f.observe(ds)
			f.wait(5)
			f.ready(second)
			f.wait(100)
			if refused {
				passes(t, f)
			} else {
				fails(t, f, "M-25")
			}
		})
	}
	t.Run("with surge, three of them", func(t *testing.T) {
		f := shoot(1)
		ds := f.create("fluentd", maxSurge("1"))
		f.fill(ds, 1)
		f.held(history.PodsForeign)
		var last *corev1.Pod
		for range 2 {
			last = f.add(ds, "node-1")
			f.ready(last)
		}
		f.wait(100)
		f.unready(last)
		fails(t, f, "M-25")
	})
}
