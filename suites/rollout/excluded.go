package rollout

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

// soon is for what kube-controller-manager is known not to do.
const soon = 10 * time.Second

var _ = Describe("A new template that no longer tolerates the taint of any node", func() {
	r := rollout.New()

	DescribeTable("takes all pods away", func(ctx SpecContext, strategy rollout.Change) {
		nodes := r.NodesAlone(ctx, 2)
		for _, node := range nodes {
			r.Taint(ctx, node, "excluded", corev1.TaintEffectNoSchedule)
		}
		ds := r.Create(ctx, fixtures.Fluentd(), strategy, rollout.Tolerating("excluded"))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Tolerating())
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		rollout.Deviating(func() {
			r.Soon(ctx, ds).Briefly(soon).Should(rollout.HavePods(0, "on nodes that are not for it", rollout.Any))
		})
	},
		Entry("within maxUnavailable in percent", catalog.Covers("C-11"), rollout.MaxUnavailable("50%")),
		Entry("within maxUnavailable as a number", catalog.Covers("C-11"), rollout.MaxUnavailable(1)),
		Entry("with maxSurge as a number", catalog.Covers("D-09"), rollout.MaxSurge(1)),
		Entry("with maxSurge in percent", catalog.CoversWith([]catalog.Need{catalog.Surge}, "C-11"), rollout.MaxSurge("50%")),
	)
})
