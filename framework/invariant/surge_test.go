package invariant

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// surging is a surge rollout that is just observed: pods of the old template on every node.
func surging(nodes int, options ...option) (*film, []*corev1.Pod, func(string) *corev1.Pod) {
	f := shoot(nodes)
	ds := f.create("fluentd", options...)
	pods := f.fill(ds, nodes)
	f.update(ds, image("v2"))
	f.revise(ds)
	f.observe(ds)
	return f, pods, func(node string) *corev1.Pod { return f.add(ds, node) }
}

func TestSurgeLegal(t *testing.T) {
	for name, scene := range map[string]func() *film{
		"one by one": func() *film {
			f, pods, add := surging(4, maxSurge("1"))
			for _, p := range pods {
				f.ready(add(targetNode(p)))
				f.remove(p)
			}
			return f
		},
		"an old pod that is not Ready goes at once": func() *film {
			f, pods, add := surging(2, maxSurge("1"))
			f.unready(pods[0])
			f.wait(0.1)
			f.bind(add("node-1"))
			f.del(pods[0])
			return f
		},
		"nodes whose old pod is unavailable surge beyond the limit": func() *film {
			f, pods, add := surging(4, maxSurge("1"))
			f.unready(pods[0])
			f.unready(pods[1])
			f.wait(10)
			f.bind(add("node-1"))
			f.bind(add("node-2"))
			f.bind(add("node-3"))
			return f
		},
		"twice maxSurge for an instant": func() *film {
			f, pods, add := surging(4, maxSurge("1"))
			first := add("node-1")
			f.ready(first)
			f.bind(add("node-2")) // node-1's new pod is available, so it does not count, and its old pod is still there
			f.remove(pods[0])
			return f
		},
		"terminating old pods do not count": func() *film {
			f, pods, add := surging(4, maxSurge("1"))
			for _, p := range pods {
				f.ready(add(targetNode(p)))
				f.del(p)
			}
			return f
		},
		"available after minReadySeconds": func() *film {
			f, pods, add := surging(2, maxSurge("1"), minReady(10))
			f.ready(add("node-1"))
			f.wait(10)
			f.del(pods[0])
			return f
		},
		"the suite deletes an old pod": func() *film {
			f, pods, add := surging(2, maxSurge("1"))
			f.act("delete", podRef(pods[0]), []history.Disturbance{history.PodsDeleted}, func() { f.del(pods[0]) })
			f.bind(add("node-1"))
			return f
		},
		"a node that is no longer eligible": func() *film {
			f, pods, _ := surging(2, maxSurge("1"))
			n := f.node["node-1"].DeepCopy()
			n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoSchedule}}
			f.emitNode(history.Modified, n)
			f.wait(1)
			f.del(pods[0])
			return f
		},
		"20% of 6 is two": func() *film {
			f, _, add := surging(6, maxSurge("20%"))
			f.bind(add("node-1"))
			f.bind(add("node-2"))
			return f
		},
	} {
		t.Run(name, func(t *testing.T) { passes(t, scene()) })
	}
}

func TestSurgeAdopting(t *testing.T) {
	// pruned has a pod that is not Ready be adopted beside one that is, of the same revision or an older one, and the Ready one be deleted.
	pruned := func(same bool) func() *film {
		return func() *film {
			f := shoot(1)
			ds := f.create("fluentd", maxSurge("1"))
			orphan, adopt := f.orphan(ds, "node-1", func(p *corev1.Pod) {
				if !same {
					p.Labels["controller-revision-hash"] = "older"
				}
			})
			f.bind(orphan)
			own := f.fill(ds, 1)[0]
			f.wait(10)
			adopt()
			f.del(own)
			return f
		}
	}
	play(t, []scene{
		{"one of two of the same revision is pruned", nil, pruned(true)},
		{"the only one that is up to date and Ready goes", []string{"M-03"}, pruned(false)},
	})
}

func TestSurgeIllegal(t *testing.T) {
	t.Run("the old pod goes before the new one is Ready", func(t *testing.T) {
		f, pods, add := surging(2, maxSurge("1"))
		f.bind(add("node-1"))
		f.del(pods[0])
		fails(t, f, "M-03")
	})
	t.Run("the old pod goes when the new one is Ready, not available", func(t *testing.T) {
		f, pods, add := surging(2, maxSurge("1"), minReady(10))
		f.ready(add("node-1"))
		f.wait(1)
		f.del(pods[0])
		fails(t, f, "M-03")
	})
	t.Run("no new pod at all", func(t *testing.T) {
		f, pods, _ := surging(2, maxSurge("1"))
		f.del(pods[0])
		fails(t, f, "M-03")
	})
	t.Run("one node too many", func(t *testing.T) {
		f, _, add := surging(4, maxSurge("2"))
		f.bind(add("node-1"))
		f.bind(add("node-2"))
		f.bind(add("node-3"))
		fails(t, f, "M-04")
	})
	t.Run("a percentage beyond rounding up", func(t *testing.T) {
		f, _, add := surging(4, maxSurge("25%"))
		f.bind(add("node-1"))
		f.bind(add("node-2"))
		fails(t, f, "M-04")
	})
}
