package nodes

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

// gone limits how long the pods of a deleted node may take to be removed (catalog K-02), which is the pod garbage collector's work.
const gone = 3 * time.Minute

var _ = Describe("A node that joins", func() {
	r := rollout.New()

	It("gets a pod, and is counted", catalog.Covers("K-01"), func(ctx SpecContext) {
		r.NodesAlone(ctx, 2)
		before := complete(ctx, r)
		joined := r.AddNode(ctx)
		after := r.Soon(ctx, before.DaemonSet).Should(rollout.And(rollout.BeComplete(), desire(3)))
		podOn(after, joined)
		Expect(after.Pods).To(ContainElements(rollout.SamePods(before.Pods)...), "the other nodes should keep their pods")
	})

	It("in the middle of an update gets a pod of the new template", catalog.Covers("K-01"), func(ctx SpecContext) {
		r.NodesAlone(ctx, 2)
		ds := complete(ctx, r).DaemonSet
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "of the new template", rollout.WithImage(fixtures.FluentdNext))))
		joined := r.AddNode(ctx)
		r.Soon(ctx, ds).Should(rollout.And(desire(3),
			rollout.HavePods(1, "of the new template on the new node", rollout.All(rollout.OnNode(joined), rollout.WithImage(fixtures.FluentdNext)))))
		r.Settle(ctx)
		Expect(rollout.Where(r.State(ds).Pods, rollout.WithImage(fixtures.FluentdImage))).To(HaveLen(1), "with two nodes unavailable and maxUnavailable 1 nothing more should be taken down")

		r.Update(ctx, ds, rollout.ReadyAfter(0))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the new template", rollout.WithImage(fixtures.FluentdNext))))
	})

	It("again under its old name gets a pod of the current template", catalog.Covers("K-11"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		before := complete(ctx, r)
		ds := before.DaemonSet
		r.RemoveNode(ctx, nodes[0])
		r.AwaitKnown(ctx, nodes[1])
		r.DeletePodWithin(ctx, podOn(before, nodes[0]), 0) // the garbage collector would do so, a minute later
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), desire(1)))
		r.ReturnNode(ctx, nodes[0])
		after := r.Soon(ctx, ds).Should(rollout.And(rollout.BeComplete(), desire(2)))
		Expect(podOn(after, nodes[0])).To(WithTransform(rollout.WithImage(fixtures.FluentdNext), Equal(true)), "node %s came back after the update, so its pod should be of the new template", nodes[0])
	})
})

var _ = Describe("A node that is deleted", func() {
	r := rollout.New()

	DescribeTable("loses its pod and is no longer counted, and the other nodes are updated,", SpecPriority(10), func(ctx SpecContext, strategy rollout.Change) {
		nodes := r.NodesAlone(ctx, 3)
		before := complete(ctx, r, strategy)
		ds := before.DaemonSet
		r.RemoveNode(ctx, nodes[0])
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Soon(ctx, ds).Within(gone).Should(rollout.And(haveNone(nodes[0]), desire(2)))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", rollout.WithImage(fixtures.FluentdNext))))
	},
		Entry("with maxUnavailable", catalog.Covers("K-02"), rollout.MaxUnavailable(1)),
		Entry("with maxSurge", catalog.CoversWith([]catalog.Need{catalog.Surge}, "K-02"), rollout.MaxSurge(1)),
	)

	It("loses a pod, too, that never found room on it", catalog.Covers("K-02"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.RequestMemory("900Ti"))
		r.Eventually(ctx, ds).Should(rollout.HavePods(2, "without room", rollout.Unschedulable))
		r.RemoveNode(ctx, nodes[0])
		r.AwaitKnown(ctx, nodes[1])
		r.Update(ctx, ds, rollout.MinReadySeconds(1)) // so that the controller looks at it: no garbage collector takes away a pod that was never bound
		r.Soon(ctx, ds).Within(gone).Should(rollout.And(haveNone(nodes[0]), desire(1)))
	})
})
