package rollout

import (
	. "github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A RollingUpdate budget of 0%", func() {
	r := rollout.New()

	// A percentage is rounded up, which makes one node of 1%, and still none of 0%. What comes of it at every instant, the judge sees.
	DescribeTable("is none, like one of 0:", func(ctx SpecContext, strategy rollout.Change) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), strategy, rollout.TerminatesFor(2))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.ReadyAfter(1))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", rollout.OfEdition("2"))))
	},
		Entry("as maxSurge it lets no new pod start beside the old one", catalog.CoversWith([]catalog.Need{catalog.Surge}, "C-03", "C-04"),
			rollout.Change(func(ds *appsv1.DaemonSet) {
				rollout.MaxUnavailable(1)(ds)
				ds.Spec.UpdateStrategy.RollingUpdate.MaxSurge = new(intstr.FromString("0%"))
			})),
		Entry("as maxUnavailable it lets no old pod go before the new one is available", catalog.CoversWith([]catalog.Need{catalog.Surge}, "D-01", "D-02"),
			rollout.Change(func(ds *appsv1.DaemonSet) {
				rollout.MaxSurge(1)(ds)
				ds.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable = new(intstr.FromString("0%"))
			})),
	)
})
