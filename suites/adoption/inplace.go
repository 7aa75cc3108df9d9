package adoption

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

var _ = Describe("A pod that somebody changes in place", func() {
	r := rollout.New()

	It("is neither changed back nor replaced, and its successor is of the template", catalog.Covers("J-13"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r)
		ds, pod := before.DaemonSet, before.Pods[0]
		r.EditPod(ctx, pod, "image, label and annotation", func(live *corev1.Pod) {
			live.Spec.Containers[0].Image = fixtures.FluentdNext
			live.Labels["rollcall.dev/extra"] = "label"
			metav1.SetMetaDataAnnotation(&live.ObjectMeta, "rollcall.dev/extra", "annotation")
		})
		// A change outside the template makes the controller look at all of them.
		r.Update(ctx, ds, func(ds *appsv1.DaemonSet) { ds.Spec.MinReadySeconds = 1 })
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Settle(ctx)
		after := r.State(ds)
		Expect(after.Pods).To(ConsistOf(rollout.SamePods(before.Pods)...), "no pod should be replaced")
		edited := after.Find(pod)
		Expect(edited.Spec.Containers[0].Image).To(Equal(fixtures.FluentdNext), "the image should stay as it was edited")
		Expect(edited.Labels).To(HaveKeyWithValue("rollcall.dev/extra", "label"))
		Expect(edited.Annotations).To(HaveKeyWithValue("rollcall.dev/extra", "annotation"))
		Expect(after.DaemonSet.Status.UpdatedNumberScheduled).To(BeEquivalentTo(2), "the edited pod should still count as up to date")

		r.DeletePod(ctx, edited)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the template", func(p *corev1.Pod) bool {
			return rollout.WithImage(fixtures.FluentdImage)(p) && p.Labels["rollcall.dev/extra"] == ""
		})))
	})

	It("is replaced on its node, and left alone, when it is made another controller's", catalog.Covers("B-01", "J-12"), func(ctx SpecContext) {
		r.NodesAlone(ctx, 2) // no other lease is to wake the controller
		before := complete(ctx, r)
		taken := before.Pods[0].DeepCopy()
		taken.OwnerReferences = []metav1.OwnerReference{r.Foreign(ctx, "somebody-else")}
		r.Settle(ctx) // so that the change is what the controller has to notice
		r.EditPod(ctx, taken, "another controller", func(live *corev1.Pod) { live.OwnerReferences = taken.OwnerReferences })
		r.Soon(ctx, before.DaemonSet).Should(rollout.And(rollout.BeComplete(),
			rollout.HavePods(1, "in its place", rollout.All(rollout.OnNode(taken.Spec.NodeName), rollout.Other(taken)))))
		r.Settle(ctx)
		expectUntouched(r.State(before.DaemonSet), taken)
	})

	It("is replaced on its node, and left alone, when its label and its owner are taken off at once", catalog.Covers("B-01", "J-06", "J-12"), func(ctx SpecContext) {
		r.NodesAlone(ctx, 2) // as above
		before := complete(ctx, r)
		taken := before.Pods[0].DeepCopy()
		taken.OwnerReferences, taken.Labels["name"] = nil, "quarantined"
		r.Settle(ctx)
		r.EditPod(ctx, taken, "neither label nor owner", func(live *corev1.Pod) { live.OwnerReferences, live.Labels = nil, taken.Labels })
		r.Soon(ctx, before.DaemonSet).Should(rollout.And(rollout.BeComplete(),
			rollout.HavePods(1, "in its place", rollout.All(rollout.OnNode(taken.Spec.NodeName), rollout.Other(taken)))))
		r.Settle(ctx)
		expectUntouched(r.State(before.DaemonSet), taken)
	})
})
