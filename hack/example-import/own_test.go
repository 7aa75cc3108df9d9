package conformance

import (
	. "github.com/onsi/ginkgo/v2"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

// A spec of one's own runs beside Rollcall's, is judged by the same invariants, and is in the same report.
var _ = Describe("A DaemonSet of ours", func() {
	r := rollout.New()

	It("is updated one node after the other", catalog.Covers("C-05"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.Named("ours"), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
	})
})
