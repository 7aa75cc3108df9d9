package rollout

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("RollingUpdate with maxUnavailable", func() {
	r := rollout.New()

	It("deletes first, waits for the end of the old pod, and counts its node as down meanwhile",
		catalog.Covers("C-03", "C-04", "C-05", "C-12", "C-19"), func(ctx SpecContext) {
			r.Nodes(ctx, 3)
			ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1), rollout.TerminatesFor(2))
			r.Eventually(ctx, ds).Should(rollout.BeComplete())
			r.Update(ctx, ds, rollout.Edition("2"), rollout.ReadyAfter(1))
			r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the new template", rollout.OfEdition("2"))))
		})

	DescribeTable("stops at its budget, rounded up, when new pods never become available", func(ctx SpecContext, budget any, affected int) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(budget))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(affected, "of the new template", rollout.OfEdition("2")))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(affected, "of the new template", rollout.OfEdition("2")))
		Expect(r.State(ds)).To(rollout.HavePods(3-affected, "of the old template that are Ready", rollout.All(rollout.OfEdition(""), rollout.Ready)))
	},
		Entry("1", catalog.Covers("C-05", "C-07"), 1, 1),
		Entry("2", catalog.Covers("C-05", "C-07"), 2, 2),
		Entry("1%", catalog.Covers("C-07", "C-08"), "1%", 1),
		Entry("34%", catalog.Covers("C-07", "C-08"), "34%", 2),
		Entry("50%", catalog.Covers("C-07", "C-08"), "50%", 2),
		Entry("100%", catalog.Covers("C-07", "C-08"), "100%", 3),
	)

	It("replaces pods that are down already at once, and counts them", catalog.Covers("C-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(2))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("broken"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(2, "of the broken template", rollout.OfEdition("broken")))
		r.Settle(ctx)
		healthy := rollout.Where(r.State(ds).Pods, rollout.OfEdition(""))

		r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.StrategyChanged}, rollout.MaxUnavailable(1), rollout.Edition("broken too"))
		r.Eventually(ctx, ds).Should(rollout.HavePods(2, "of the second broken template", rollout.OfEdition("broken too")))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.KeepPods(healthy))
	})

	It("keeps its healthy pods through one broken update after another, and finishes with a good one", catalog.Covers("C-05", "C-06", "H-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		for _, edition := range []string{"2", "3", "4"} {
			r.Update(ctx, ds, rollout.Edition(edition), rollout.NeverReady())
			r.Eventually(ctx, ds).Should(rollout.HavePods(1, "of the broken template "+edition, rollout.OfEdition(edition)))
			r.Settle(ctx)
			Expect(r.State(ds)).To(rollout.HavePods(2, "of the first template that are Ready", rollout.All(rollout.OfEdition(""), rollout.Ready)))
		}
		r.Update(ctx, ds, rollout.Edition("good"), rollout.ReadyAfter(0))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the good template", rollout.OfEdition("good"))))
	})

	It("goes on to more nodes when the budget of a stuck update is raised", catalog.Covers("C-17"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(1, "of the new template", rollout.OfEdition("2")))
		r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.StrategyChanged}, rollout.MaxUnavailable(2))
		r.Eventually(ctx, ds).Should(rollout.HavePods(2, "of the new template", rollout.OfEdition("2")))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(1, "of the old template that are Ready", rollout.All(rollout.OfEdition(""), rollout.Ready)))
	})

	It("makes a deleted pod anew at once from the new template, whatever the budget", catalog.Covers("C-14"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "of the new template", rollout.OfEdition("2"))))
		r.DeletePod(ctx, rollout.Where(r.State(ds).Pods, rollout.OfEdition(""))[0])
		r.Soon(ctx, ds).Should(rollout.HavePods(2, "of the new template", rollout.OfEdition("2")))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(1, "of the old template", rollout.OfEdition("")))
	})
})
