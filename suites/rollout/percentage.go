package rollout

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A RollingUpdate budget in percent", func() {
	r := rollout.New()

	// The field docs: of the desired number of pods, as it is when the update is made. Both are updates that get stuck, so that what is affected can be counted.
	DescribeTable("is taken of the nodes that there are", func(ctx SpecContext, strategy rollout.Change, from, to, affected, kept int) {
		nodes := r.Nodes(ctx, max(from, to))
		for _, node := range nodes[:from] {
			r.LabelNode(ctx, node, "member")
		}
		ds := r.Create(ctx, fixtures.Fluentd(), strategy, r.NodesLabelled("member"))
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes[:from]...))
		for i := from; i < to; i++ {
			r.LabelNode(ctx, nodes[i], "member")
		}
		for i := to; i < from; i++ {
			r.UnlabelNode(ctx, nodes[i], "member")
		}
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes[:to]...))
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(affected, "of the new template", rollout.OfEdition("2")))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.And(rollout.HavePods(affected, "of the new template", rollout.OfEdition("2")),
			rollout.HavePods(kept, "of the old template that are Ready", rollout.All(rollout.OfEdition(""), rollout.Ready))))
	},
		Entry("when nodes have joined since its creation, as maxUnavailable", catalog.Covers("C-07", "C-08", "K-03"), rollout.MaxUnavailable("50%"), 1, 3, 2, 1),
		Entry("when nodes have left since its creation, as maxUnavailable", catalog.Covers("C-07", "C-08", "K-03"), rollout.MaxUnavailable("50%"), 3, 2, 1, 1),
		Entry("when nodes have joined since its creation, as maxSurge", catalog.Covers("D-03", "D-04", "K-03"), rollout.MaxSurge("50%"), 1, 3, 2, 3),
		Entry("when nodes have left since its creation, as maxSurge", catalog.Covers("D-03", "D-04", "K-03"), rollout.MaxSurge("50%"), 3, 2, 1, 2),
	)
})
