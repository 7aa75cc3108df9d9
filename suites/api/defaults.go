package api

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

// The specs of this area lease no node: what they are about is decided before there is a pod.
var _ = Describe("A DaemonSet's defaults", func() {
	r := rollout.New()

	It("make it RollingUpdate, one node at a time, with ten revisions kept", catalog.Covers("A-01", "A-02"), func(ctx SpecContext) {
		ds := r.Create(ctx, fixtures.Fluentd(), strategy(appsv1.DaemonSetUpdateStrategy{}), func(ds *appsv1.DaemonSet) { ds.Spec.RevisionHistoryLimit = nil })
		Expect(ds.Spec.UpdateStrategy).To(Equal(rolling(intstr.FromInt32(1), intstr.FromInt32(0))))
		Expect(ds.Spec.MinReadySeconds).To(BeZero(), "minReadySeconds")
		Expect(ds.Spec.RevisionHistoryLimit).To(HaveValue(BeEquivalentTo(10)), "revisionHistoryLimit")
	})

	It("fill in what a strategy leaves out, and nothing that it says", catalog.Covers("A-01", "A-02"), func(ctx SpecContext) {
		three := intstr.FromString("30%")
		unnamed := appsv1.DaemonSetUpdateStrategy{RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &three}}
		ds := r.Create(ctx, fixtures.Fluentd(), strategy(unnamed), rollout.MinReadySeconds(7))
		Expect(ds.Spec.UpdateStrategy).To(Equal(rolling(three, intstr.FromInt32(0))))
		Expect(ds.Spec.MinReadySeconds).To(BeEquivalentTo(7), "minReadySeconds was given")
	})

	It("add no rolling update block to OnDelete", catalog.Covers("A-03"), func(ctx SpecContext) {
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.OnDelete())
		Expect(ds.Spec.UpdateStrategy).To(Equal(appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType}))
	})
})

func strategy(s appsv1.DaemonSetUpdateStrategy) rollout.Change {
	return func(ds *appsv1.DaemonSet) { ds.Spec.UpdateStrategy = s }
}

func rolling(unavailable, surge intstr.IntOrString) appsv1.DaemonSetUpdateStrategy {
	return appsv1.DaemonSetUpdateStrategy{
		Type:          appsv1.RollingUpdateDaemonSetStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &unavailable, MaxSurge: &surge},
	}
}
