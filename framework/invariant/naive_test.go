package invariant

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// TestNaiveStatementsAreNotAsserted plays, for each statement of the catalog's section M.2, a legal history that breaks it. Each
// scene returns whether it really does, so that a scene which proves nothing is noticed.
func TestNaiveStatementsAreNotAsserted(t *testing.T) {
	on := func(f *film, node string) (pods []*corev1.Pod) {
		for _, p := range f.pods {
			if targetNode(p) == node {
				pods = append(pods, p)
			}
		}
		return pods
	}
	terminatingNow := func(f *film) (n int) {
		for _, p := range f.pods {
			if terminating(p) && !dead(p) {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		id   string
		play func() (*film, bool)
	}{
		{"N-1 one pod object a node", func() (*film, bool) {
			f, ds, pods := midway()
			f.del(pods[2])
			f.die(pods[2])
			f.ready(f.add(ds, "node-3"))
			return f, len(on(f, "node-3")) == 2
		}},
		{"N-2 no more deletions at once than maxUnavailable", func() (*film, bool) {
			f := shoot(4)
			ds := f.create("fluentd")
			pods := f.fill(ds, 4)
			for _, p := range pods[:3] {
				f.unready(p)
			}
			f.held(history.ReadinessFlaps)
			f.wait(20)
			f.update(ds, image("v2"))
			f.observe(ds)
			for _, p := range pods[:3] {
				f.del(p)
			}
			return f, terminatingNow(f) == 3
		}},
		{"N-3 never fewer available than desired less maxUnavailable", func() (*film, bool) {
			f := shoot(3)
			ds := f.create("fluentd")
			pods := f.fill(ds, 3)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.unready(pods[1])
			f.unready(pods[2])
			f.held(history.ReadinessFlaps)
			return f, f.count(ds).NumberAvailable == 1
		}},
		{"N-4 the status shows the unavailability of a rollout", func() (*film, bool) {
			f, ds, pods := midway()
			f.del(pods[2])
			f.observe(ds)
			return f, ds.Status.NumberUnavailable == 0
		}},
		{"N-5 no more pods than desired and maxSurge", func() (*film, bool) {
			f, pods, add := surging(4, maxSurge("1"))
			for _, p := range pods {
				f.ready(add(targetNode(p)))
				f.del(p)
			}
			return f, len(f.pods) > 4+1
		}},
		{"N-6 no more nodes with two pods than maxSurge", func() (*film, bool) {
			f, pods, add := surging(4, maxSurge("1"))
			f.unready(pods[0])
			f.unready(pods[1])
			f.held(history.ReadinessFlaps)
			f.wait(10)
			for _, node := range []string{"node-1", "node-2", "node-3"} {
				f.bind(add(node))
			}
			return f, len(on(f, "node-1")) == 2 && len(on(f, "node-2")) == 2
		}},
		{"N-7 at most two revisions at a time", func() (*film, bool) {
			f := shoot(3)
			ds := f.create("fluentd", onDelete)
			pods := f.fill(ds, 3)
			for i, tag := range []string{"v2", "v3"} {
				f.update(ds, image(tag))
				f.revise(ds)
				f.observe(ds)
				f.wait(3)
				f.act("delete", podRef(pods[i]), []history.Disturbance{history.PodsDeleted}, func() { f.remove(pods[i]) })
				f.ready(f.add(ds, targetNode(pods[i])))
			}
			seen := map[string]bool{}
			for _, p := range f.pods {
				seen[p.Labels["controller-revision-hash"]] = true
			}
			return f, len(seen) == 3
		}},
		{"N-8 nodes in order", func() (*film, bool) {
			f := shoot(3)
			ds := f.create("fluentd")
			pods := f.fill(ds, 3)
			f.update(ds, image("v2"))
			f.revise(ds)
			f.observe(ds)
			for _, i := range []int{2, 0, 1} {
				f.replace(ds, pods[i])
			}
			return f, true
		}},
		{"N-9 contiguous revision numbers", func() (*film, bool) {
			f, ds, _ := midway()
			f.update(ds, image("v1"))
			f.revise(ds)
			f.observe(ds)
			return f, f.revs[ds.UID][0].Revision == 3 && len(f.revs[ds.UID]) == 2
		}},
		{"N-10 nothing old or terminating once it is complete", func() (*film, bool) {
			f, ds, pods := midway()
			n := f.node["node-3"].DeepCopy()
			n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoSchedule}}
			f.emitNode(history.Modified, n)
			f.observe(ds)
			f.wait(20)
			return f, ds.Status.UpdatedNumberScheduled == ds.Status.DesiredNumberScheduled && active(pods[2])
		}},
		{"N-11 a node counts as updated when its surge pod is Ready", func() (*film, bool) {
			f, _, add := surging(2, maxSurge("1"))
			f.ready(add("node-1"))
			f.observe(f.sets[0])
			return f, f.sets[0].Status.UpdatedNumberScheduled == 0
		}},
		{"N-12 percentages round down", func() (*film, bool) {
			f := shoot(5)
			ds := f.create("fluentd", maxUnavailable("30%"))
			pods := f.fill(ds, 5)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.del(pods[0])
			f.del(pods[1])
			return f, terminatingNow(f) == 2
		}},
		{"N-13 a rollout stops, or does not, at a node that is not Ready", func() (*film, bool) {
			f, ds, pods := midway()
			n := f.node["node-1"].DeepCopy()
			n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}}
			f.act("stop node", nodeRef("node-1"), []history.Disturbance{history.NodesDown, history.NodesChanged}, func() {
				f.emitNode(history.Modified, n)
				f.unready(pods[0])
			})
			f.wait(20)
			f.replace(ds, pods[2])
			return f, true
		}},
		{"N-14 cordoning pauses a DaemonSet", func() (*film, bool) {
			f, ds, pods := midway()
			n := f.node["node-3"].DeepCopy()
			n.Spec.Unschedulable = true
			n.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}}
			f.emitNode(history.Modified, n)
			f.wait(5)
			f.replace(ds, pods[2])
			f.observe(ds)
			return f, ds.Status.DesiredNumberScheduled == 3
		}},
		{"N-15 the phrase that the page prints", func() (*film, bool) {
			// What kubectl prints is in no history, and no statement of the judge speaks of it.
			f, _, _ := midway()
			said := false
			for _, i := range All() {
				said = said || strings.Contains(i.Statement, "successfully rolled out")
			}
			return f, !said
		}},
		{"N-16 with surge no pod comes while one terminates", func() (*film, bool) {
			f := shoot(1)
			ds := f.create("fluentd", maxSurge("1"))
			pods := f.fill(ds, 1)
			f.act("delete", podRef(pods[0]), []history.Disturbance{history.PodsDeleted}, func() { f.del(pods[0]) })
			f.ready(f.add(ds, "node-1"))
			return f, len(on(f, "node-1")) == 2
		}},
		{"N-17 the budget counts eligible nodes only", func() (*film, bool) {
			// The controller waits for a pod on a node that is not eligible: slower than the formula, and lawful.
			f, _, pods := midway()
			n := f.node["node-1"].DeepCopy()
			n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: corev1.TaintEffectNoSchedule}}
			f.emitNode(history.Modified, n)
			f.unready(pods[0])
			f.wait(40)
			return f, active(pods[2])
		}},
		{"N-18 Ready means go on at once", func() (*film, bool) {
			f, ds, pods := midway()
			f.wait(30)
			f.replace(ds, pods[2])
			return f, true
		}},
	} {
		t.Run(c.id, func(t *testing.T) {
			f, broken := c.play()
			if !broken {
				t.Fatal("the scene does not break the statement")
			}
			passes(t, f)
		})
	}
}
