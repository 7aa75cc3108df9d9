package rollout

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

// The API server is not among them: a new one no longer knows the events that its predecessor had not yet sent, so that nobody could
// say what happened in between.
var _ = Describe("An update in the middle of which the control plane is restarted", Serial, func() {
	r := rollout.New()

	DescribeTable("goes on, restarts no pod that is up to date, and ends as if nothing had been", func(ctx SpecContext, component string) {
		r.Nodes(ctx, 4)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1), rollout.MinReadySeconds(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		next := rollout.WithImage(fixtures.FluentdNext)
		half := r.Eventually(ctx, ds).Should(rollout.Match("have two pods or more of the new template", func(s rollout.State) string {
			if n := len(rollout.Where(s.Pods, next)); n < 2 {
				return fmt.Sprintf("has %d", n)
			}
			return ""
		}))
		r.Restart(ctx, component)
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(4, "of the new template", next), rollout.HaveRevisions(1, 2)))
		Expect(after.Pods).To(ContainElements(rollout.SamePods(rollout.Where(half.Pods, next))...), "pods that were up to date before the restart of %s should run on", component)
	},
		Entry("when it is the controller", catalog.CoversWith([]catalog.Need{catalog.ControllerRestart}, "M-22"), "kube-controller-manager"),
		Entry("when it is etcd", catalog.CoversWith([]catalog.Need{catalog.ControllerRestart}, "M-22"), "etcd"),
	)

	It("stays as it is when nothing is under way", catalog.CoversWith([]catalog.Need{catalog.ControllerRestart}, "M-22"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd())
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Restart(ctx, "kube-controller-manager")
		r.Settle(ctx)
		after := r.State(ds)
		Expect(after.Pods).To(ConsistOf(rollout.SamePods(before.Pods)...), "no pod should be replaced")
		Expect(after.Revisions).To(HaveLen(1), "the restart is no revision")
	})
})
