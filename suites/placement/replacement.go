package placement

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A pod of a DaemonSet that somebody deletes", func() {
	r := rollout.New()

	It("is made again on its node, and the others are left alone", catalog.Covers("B-05"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 3) // no other lease is to wake the controller
		before := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd())).Should(rollout.BeCompleteOn(nodes...))
		r.DeletePod(ctx, before.Pods[0])
		r.Barrier(ctx)
		after := r.Soon(ctx, before.DaemonSet).Should(rollout.BeCompleteOn(nodes...))
		Expect(after.Pods).NotTo(ContainElement(HaveField("UID", before.Pods[0].UID)), "the deleted pod should be gone")
		Expect(after.Pods).To(ContainElements(rollout.SamePods(before.Pods[1:])), "the pods that were not deleted")
	})

	It("is made again from the template in force now", catalog.Covers("B-05"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2) // as above
		before := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), rollout.OnDelete())).Should(rollout.BeCompleteOn(nodes...))
		ds := r.Update(ctx, before.DaemonSet, rollout.Image(fixtures.FluentdNext))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.DeletePod(ctx, before.Pods[0])
		after := r.Soon(ctx, ds).Should(rollout.HavePods(1, "that are Ready with the next image", rollout.All(rollout.WithImage(fixtures.FluentdNext), rollout.Ready)))
		Expect(rollout.TargetNode(rollout.First(after.Pods, rollout.WithImage(fixtures.FluentdNext)))).To(Equal(before.Pods[0].Spec.NodeName))
	})

	DescribeTable("has no successor before it has ended", func(ctx SpecContext, strategy rollout.Change) {
		nodes := r.Nodes(ctx, 2)
		before := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), strategy, rollout.TerminatesFor(3))).Should(rollout.BeCompleteOn(nodes...))
		deleted := before.Pods[0]
		r.DeletePod(ctx, deleted)
		// Something else to do for the controller while the pod ends: a mere look at the DaemonSet must not make it forget.
		limit := int32(5)
		r.Update(ctx, before.DaemonSet, func(ds *appsv1.DaemonSet) { ds.Spec.RevisionHistoryLimit = &limit })
		r.Soon(ctx, before.DaemonSet).Should(rollout.HaveObserved())
		r.Eventually(ctx, before.DaemonSet).Should(rollout.And(rollout.BeCompleteOn(nodes...), rollout.HavePods(0, "of those that were deleted", func(pod *corev1.Pod) bool {
			return pod.UID == deleted.UID
		})))
	}, // that no successor came too early is M-01
		Entry("under RollingUpdate", catalog.Covers("B-06", "M-01"), rollout.MaxUnavailable(1)),
		Entry("under OnDelete", catalog.Covers("B-06", "M-01"), rollout.OnDelete()),
	)
})

var _ = Describe("A node with more than one pod of a DaemonSet", func() {
	r := rollout.New()

	DescribeTable("is left with one", func(ctx SpecContext, strategy rollout.Change) {
		nodes := r.Nodes(ctx, 2)
		state := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), strategy)).Should(rollout.BeCompleteOn(nodes...))
		crowd := []*corev1.Pod{state.Pods[0], r.CreatePod(ctx, twin(state.Pods[0], "second"))}
		r.Barrier(ctx)
		r.Soon(ctx, state.DaemonSet).Should(rollout.BeCompleteOn(nodes...))
		r.Settle(ctx)
		after := r.State(state.DaemonSet)
		Expect(after).To(rollout.BeCompleteOn(nodes...))
		left := rollout.Where(after.Pods, rollout.OnNode(crowd[0].Spec.NodeName))
		Expect(crowd).To(ContainElement(HaveField("UID", left[0].UID)), "one of the pods should have been kept, not made again")
		Expect(after.Pods).To(ContainElements(rollout.SamePods(state.Pods[1:])), "the other node had one pod only")
	},
		Entry("under RollingUpdate", catalog.Covers("B-07"), rollout.MaxUnavailable(1)),
		Entry("under OnDelete", catalog.Covers("B-07"), rollout.OnDelete()),
		// With surge two may stand side by side, but not two of the same revision.
		Entry("with maxSurge", catalog.Covers("D-06"), rollout.Change(surgesLate)),
	)
})

// twin is another pod like the given one, on its node and with its owner.
func twin(pod *corev1.Pod, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: pod.GenerateName + name, Labels: pod.Labels, Annotations: pod.Annotations, OwnerReferences: pod.OwnerReferences},
		Spec:       pod.Spec,
	}
}

// surgesLate is a surge whose pods are older than a second when they count as available: which of two pods of one second is the older, nobody
// can tell, and the younger is not Ready yet (see DEVIATIONS.md, D-07).
func surgesLate(ds *appsv1.DaemonSet) {
	rollout.MaxSurge(1)(ds)
	rollout.MinReadySeconds(2)(ds)
}
