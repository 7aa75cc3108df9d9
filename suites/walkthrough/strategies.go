package walkthrough

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

// The page's part "DaemonSet Update Strategy", where it is about OnDelete. What it says of RollingUpdate is proven where a
// template is updated.
var _ = Describe("The update strategy OnDelete", func() {
	w := &walk{rollout.New()}

	It("replaces a pod when it is deleted by hand, only then and only there", Label("S3", "S4"), catalog.Covers("E-01", "E-02", "E-03", "E-04"), func(ctx SpecContext) {
		w.Nodes(ctx, 2)
		before := w.State(w.applied(ctx, fixtures.FluentdOnDeleteFile))
		ds := before.DaemonSet
		Expect(w.change(ctx, "set", "image", resourceName, fixtures.FluentdName+"="+fixtures.FluentdNext)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch image updated"))
		w.Soon(ctx, ds).Should(rollout.HaveObserved())
		w.Settle(ctx)
		Expect(w.State(ds).Pods).To(ConsistOf(samePods(before.Pods)), "nobody deleted a pod, so none should be replaced")
		Expect(w.State(ds).Revisions).To(HaveLen(2), "the new template should be on record at once")

		deleted, kept := before.Pods[0], before.Pods[1:]
		w.DeletePod(ctx, deleted)
		after := w.Eventually(ctx, ds).Should(rollout.HavePods(1, "that are new and Ready", newAndReady))
		w.Settle(ctx)
		Expect(rollout.TargetNode(rollout.First(after.Pods, newAndReady))).To(Equal(deleted.Spec.NodeName), "the new pod should be where one was deleted")
		Expect(rollout.Where(w.State(ds).Pods, rollout.WithImage(fixtures.FluentdImage))).To(ConsistOf(samePods(kept)), "the other pods should be left alone")
	})

	It("has no rollout status", Label("S3"), catalog.Covers("E-09"), func(ctx SpecContext) {
		w.Nodes(ctx, 2)
		w.applied(ctx, fixtures.FluentdOnDeleteFile)
		Expect(w.ask(ctx, "rollout", "status", resourceName)).To(kubectl.Refuse("error: rollout status is only available for RollingUpdate strategy type"))
	})
})
