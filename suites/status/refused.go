package status

import (
	. "github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("The status of a DaemonSet whose pods the API server refuses", func() {
	r := rollout.New()

	It("says how many there are, and follows the spec all the same", catalog.Covers("G-04", "G-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		r.LimitPods(ctx, 1)
		ds := r.Create(ctx, fixtures.Fluentd())
		short := rollout.And(rollout.HaveExactStatus(rollout.WithImage(fixtures.FluentdImage)), rollout.HaveStatus("1 of 3 pods", func(s appsv1.DaemonSetStatus) bool {
			return s.DesiredNumberScheduled == 3 && s.CurrentNumberScheduled == 1 && s.NumberReady == 1
		}))
		r.Soon(ctx, ds).Should(short)
		// No update of the one pod: there is no telling whether the next one would be allowed.
		limit := int32(5)
		r.Update(ctx, ds, func(ds *appsv1.DaemonSet) { ds.Spec.RevisionHistoryLimit = &limit })
		r.Soon(ctx, ds).Should(short)
	})
})
