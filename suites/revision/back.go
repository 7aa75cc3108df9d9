package revision

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("Going back to an earlier template", func() {
	r := rollout.New()

	DescribeTable("takes up its revision again, under a new number,", func(ctx SpecContext, back func(context.Context, *appsv1.DaemonSet, *appsv1.ControllerRevision)) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r).DaemonSet
		// What the later template adds has to go again: a revision that is merged in instead of taking the template's place would keep it.
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext), rollout.Edition("later"))
		first := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(1, "of the later template", rollout.OfEdition("later")), rollout.BeRecorded()))
		old := rollout.Numbered(first.Revisions, 1)
		back(ctx, ds, old)
		after := r.Eventually(ctx, ds).Should(rollout.And(
			rollout.BeComplete(), rollout.HavePods(1, "of the earlier template", rollout.WithImage(fixtures.FluentdImage)), rollout.HaveRevisions(2, 3)))
		again := rollout.Numbered(after.Revisions, 3)
		Expect(again.UID).To(Equal(old.UID), "revision 3 should be the object that was revision 1")
		Expect(string(again.Data.Raw)).To(Equal(string(old.Data.Raw)), "its data")
		Expect(after.DaemonSet.Spec.Template).To(Equal(ds.Spec.Template), "the template should be that of revision 1, without what was added later")
	},
		Entry("by an update", catalog.Covers("I-05"), func(ctx context.Context, ds *appsv1.DaemonSet, _ *appsv1.ControllerRevision) {
			r.Update(ctx, ds, func(now *appsv1.DaemonSet) { now.Spec.Template = ds.Spec.Template })
		}),
		Entry("by a patch with the revision's data", catalog.Covers("I-05"), func(ctx context.Context, ds *appsv1.DaemonSet, old *appsv1.ControllerRevision) {
			r.PatchWith(ctx, ds, old)
		}),
	)

	It("restarts no pod that already runs it, from the middle of an update", catalog.Covers("I-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := complete(ctx, r).DaemonSet
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNotExisting))
		stuck := r.Eventually(ctx, ds).Should(rollout.And(
			rollout.HaveObserved(), rollout.HavePods(1, "that cannot be pulled", rollout.Waiting("ErrImagePull", "ImagePullBackOff"))))
		untouched := rollout.Where(stuck.Pods, rollout.Ready)
		Expect(untouched).To(HaveLen(2), "maxUnavailable is 1, so two pods should be untouched by the update")

		r.Update(ctx, ds, rollout.Image(fixtures.FluentdImage))
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the earlier template", rollout.WithImage(fixtures.FluentdImage))))
		Expect(after.Pods).To(ContainElements(rollout.SamePods(untouched)...), "pods that already ran the earlier template should not be replaced")
	})

	It("restarts no pod that already runs it, when only some nodes were updated", catalog.Covers("I-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		before := complete(ctx, r, rollout.OnDelete())
		ds := before.DaemonSet
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.DeletePod(ctx, before.Pods[1])
		r.Eventually(ctx, ds).Should(rollout.HavePods(1, "of the new template", rollout.All(rollout.WithImage(fixtures.FluentdNext), rollout.Ready)))

		r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.StrategyChanged}, rollout.Image(fixtures.FluentdImage), rollout.MaxUnavailable(3))
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the earlier template", rollout.WithImage(fixtures.FluentdImage))))
		Expect(after.Pods).To(ContainElements(rollout.SamePods(append(before.Pods[:1:1], before.Pods[2]))...),
			"pods that already ran the earlier template should not be replaced")
	})

	It("replaces the pods, though its history holds the template twice", catalog.Covers("I-17"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := complete(ctx, r).DaemonSet
		state := updated(ctx, r, ds, fixtures.FluentdNext)
		twin := rollout.Numbered(state.Revisions, 1).DeepCopy()
		twin.ObjectMeta.Name += "-again"
		twin.ObjectMeta.UID, twin.ObjectMeta.ResourceVersion, twin.ObjectMeta.CreationTimestamp = "", "", ds.CreationTimestamp
		twin.Labels[appsv1.ControllerRevisionHashLabelKey] += "again"
		r.CreateRevision(ctx, twin)

		r.Update(ctx, ds, rollout.Image(fixtures.FluentdImage))
		after := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		rollout.Deviating(func() {
			Expect(rollout.Where(after.Pods, rollout.WithImage(fixtures.FluentdNext))).To(BeEmpty(),
				"the status calls the way back complete, so no pod should still run the image of the update")
		})
	})
})
