package surge

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var (
	first  = rollout.OfEdition("")
	second = rollout.OfEdition("2")
)

var _ = Describe("RollingUpdate with maxSurge", func() {
	r := rollout.New()

	It("keeps an available pod on every node until its successor is available", catalog.Covers("D-01", "D-02", "D-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1), rollout.TerminatesFor(1), rollout.MinReadySeconds(6))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		// Ready is not available, whether minReadySeconds counts from Ready or not: what is deleted too early, the judge sees. It gives a pod
		// that has only just become available the benefit of the doubt, so it is lowered: the old ones have been for seconds.
		r.Update(ctx, ds, rollout.Edition("2"), rollout.MinReadySeconds(3), rollout.ReadyAfter(5))
		r.KeepAwake(ctx, ds)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the new template", second)))
	})

	DescribeTable("pauses at its limit, rounded up, when new pods never become available,", func(ctx SpecContext, surge any, nodes, pairs int) {
		r.Nodes(ctx, nodes)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(surge))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(pairs, "of the new template", second))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.And(rollout.HavePods(pairs, "of the new template", second), rollout.KeepPods(before.Pods)))
	},
		Entry("with maxSurge 1", catalog.Covers("D-03", "D-04"), 1, 3, 1),
		Entry("with maxSurge 1%", catalog.Covers("D-03", "D-04"), "1%", 3, 1),
		Entry("with maxSurge 34%", catalog.Covers("D-03", "D-04"), "34%", 3, 2),
		Entry("with maxSurge 100%", catalog.Covers("D-03", "D-04"), "100%", 3, 3),
		Entry("with maxSurge 50% of two", catalog.Covers("D-03", "D-04"), "50%", 2, 1), // what comes out even is not rounded
	)

	It("replaces pods that are not Ready at once, beyond its limit", catalog.Covers("D-05"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(3, "in all", rollout.Any)))
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HavePods(3, "of the new template", second), rollout.HavePods(0, "of the old template", first)))
	})

	It("gives nodes whose pod is Ready but not yet available a new one at once, and keeps the old", catalog.Covers("D-05"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1), rollout.MinReadySeconds(3600))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(3, "that are Ready", rollout.Ready)))
		before := r.State(ds)
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(3, "of the new template", second))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.KeepPods(before.Pods))
	})

	It("removes an unready new pod for a further template, and the old pods stay", catalog.Covers("D-07"), func(ctx SpecContext) {
		r.Nodes(ctx, 4) // whoever takes away either of a node's two pods is right now and then
		// minReadySeconds lets the old pods grow older than a second: which of two pods of one second is the older, nobody can tell
		// (upstream then goes by their names; see DEVIATIONS.md).
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge("100%"), rollout.MinReadySeconds(2))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(4, "of the second template", second))
		r.Update(ctx, ds, rollout.Edition("3"))
		r.Eventually(ctx, ds).Should(rollout.And(
			rollout.HavePods(0, "of the second template", second), rollout.HavePods(4, "of the third template", rollout.OfEdition("3"))))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.KeepPods(before.Pods))
		r.Update(ctx, ds, rollout.Edition("4"), rollout.ReadyAfter(0))
		r.KeepAwake(ctx, ds)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(4, "of the last template", rollout.OfEdition("4"))))
	})

	It("has one pod on each node while nothing is updated", catalog.CoversWith([]catalog.Need{catalog.Surge}, "B-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge("100%"))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.MinReadySeconds(1))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.And(rollout.KeepPods(before.Pods), rollout.HavePods(3, "in all", rollout.Any)))
	})

	It("makes a new pod while the deleted one is still terminating", catalog.Covers("D-08"), func(ctx SpecContext) {
		r.Hurry()
		r.Nodes(ctx, 1)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1), rollout.Lingering)
		old := r.Eventually(ctx, ds).Should(rollout.BeComplete()).Pods[0]
		r.DeletePod(ctx, old)
		state := r.Soon(ctx, ds).Should(rollout.HavePods(1, "beside the deleted one that are Ready", rollout.All(rollout.Other(old), rollout.Ready)))
		Expect(state.Pods).To(ContainElement(HaveField("UID", old.UID)), "the deleted pod should still be terminating")
	})

	It("makes a lost pod again at once, from the new template and whatever its limit", catalog.Covers("C-14", "D-08"), func(ctx SpecContext) {
		r.Hurry()
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1), rollout.Lingering)
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		stuck := r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "of the new template", second)))
		surging := rollout.TargetNode(rollout.First(stuck.Pods, second))
		lost := rollout.First(stuck.Pods, func(p *corev1.Pod) bool { return rollout.TargetNode(p) != surging })
		r.DeletePod(ctx, lost)
		r.Soon(ctx, ds).Should(rollout.HavePods(1, "of the new template in the lost one's place", rollout.All(second, rollout.OnNode(lost.Spec.NodeName))))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(1, "of the old template", first))
	})

	DescribeTable("leaves one pod on each node when it is switched", func(ctx SpecContext, to rollout.Change) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge("100%"))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(4, "in all", rollout.Any))
		r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.StrategyChanged}, to)
		nodes := r.AllNodes()
		r.Eventually(ctx, ds).Should(rollout.And(
			rollout.HavePods(1, "on the first node", rollout.OnNode(nodes[0])), rollout.HavePods(1, "on the second", rollout.OnNode(nodes[1]))))
	},
		Entry("to maxUnavailable", catalog.Covers("D-10"), rollout.MaxUnavailable(1)),
		Entry("to OnDelete", catalog.Covers("D-10"), rollout.OnDelete()),
	)

	DescribeTable("waits where both templates use the same host port", func(ctx SpecContext, port int32, recovery rollout.Change) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1), rollout.Container(func(c *corev1.Container) {
			c.Ports = []corev1.ContainerPort{{ContainerPort: port, HostPort: port}}
		}))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Eventually(ctx, ds).Should(rollout.HavePods(1, "that find no free port", rollout.Unschedulable))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.And(rollout.KeepPods(before.Pods), rollout.HavePods(1, "of the new template", second)))
		r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.StrategyChanged}, recovery)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", second)))
	},
		Entry("until the port is removed", catalog.Covers("D-14"), int32(39123), rollout.Container(func(c *corev1.Container) { c.Ports = nil })),
		Entry("until it is switched to maxUnavailable", catalog.Covers("D-14"), int32(39124), rollout.MaxUnavailable(1)),
	)

	It("is rolled back by taking the unready pods away alone", catalog.Covers("D-15"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(1, "of the new template", second))
		r.Update(ctx, ds, rollout.Template(func(t *corev1.PodTemplateSpec) { *t = *before.DaemonSet.Spec.Template.DeepCopy() }))
		after := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		Expect(after).To(rollout.KeepPods(before.Pods))
	})
})
