package walkthrough

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

// The page's part "What's next": rolling back, and adopting pods that are there already.
var _ = Describe("After the task page", func() {
	w := &walk{rollout.New()}

	It("rolls back with kubectl rollout undo, restarting only what has to be", Label("S34"), catalog.Covers("I-05", "I-06", "I-07", "I-08", "M-17"), func(ctx SpecContext) {
		w.Nodes(ctx, 3)
		before := w.State(w.applied(ctx, fixtures.FluentdFile))
		ds := before.DaemonSet
		w.change(ctx, "apply", "-f", w.File(fixtures.FluentdBrokenImageFile))
		broken := w.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "that cannot be pulled", rollout.Waiting("ErrImagePull", "ImagePullBackOff"))))
		untouched := rollout.Where(broken.Pods, rollout.Ready)

		Expect(w.ask(ctx, "rollout", "history", resourceName)).To(kubectl.SayMatching(`daemonset\.apps/fluentd-elasticsearch *\nREVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>`))
		Expect(w.change(ctx, "rollout", "undo", resourceName)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch rolled back"))
		after := w.updatedTo(ctx, ds, fixtures.FluentdImage)
		Expect(after.Pods).To(ContainElements(samePods(untouched)), "pods that already ran the old template should not be restarted")
		w.Eventually(ctx, ds).Should(rollout.HaveRevisions(2, 3))
		Expect(w.ask(ctx, "rollout", "history", resourceName)).To(kubectl.SayMatching(`daemonset\.apps/fluentd-elasticsearch *\nREVISION +CHANGE-CAUSE\n2 +<none>\n3 +<none>`))
	})

	It("adopts the pods that an orphaning delete left, without restarting them", Label("S35"), catalog.Covers("J-01", "J-02", "J-03"), func(ctx SpecContext) {
		w.Nodes(ctx, 2)
		before := w.State(w.applied(ctx, fixtures.FluentdFile))
		w.orphan(ctx, before.DaemonSet)
		orphans := w.State(before.DaemonSet).All.Pods
		Expect(orphans).To(ConsistOf(samePods(before.Pods)), "the pods should run on without their DaemonSet")
		for _, pod := range orphans {
			Expect(metav1.GetControllerOf(pod)).To(BeNil(), "pod %s should have no controller", pod.Name)
		}
		w.AwaitPodsKnown(ctx)

		w.changeWith(ctx, []history.Disturbance{history.PodsForeign}, []string{"apply", "-f", w.File(fixtures.FluentdFile)})
		adopted := w.Eventually(ctx, w.ByName(ctx, fixtures.FluentdName)).Should(rollout.BeComplete())
		Expect(adopted.DaemonSet.UID).NotTo(Equal(before.DaemonSet.UID))
		Expect(adopted.Pods).To(ConsistOf(samePods(before.Pods)), "the new DaemonSet should have taken the pods over as they are")
	})

	It("replaces adopted pods that are not of its template, as its strategy says", Label("S35"), catalog.Covers("J-04"), func(ctx SpecContext) {
		w.Nodes(ctx, 2)
		ds := w.applied(ctx, fixtures.FluentdFile)
		// An update before the orphaning keeps this apart from the deviation J-05, which is about DaemonSets that never had one.
		w.Update(ctx, ds, func(ds *appsv1.DaemonSet) { ds.Spec.Template.Labels["step"] = "second" })
		w.Eventually(ctx, ds).Should(rollout.BeComplete())
		w.orphan(ctx, ds)

		w.changeWith(ctx, []history.Disturbance{history.PodsForeign}, []string{"apply", "-f", w.File(fixtures.FluentdUpdateFile)})
		w.updatedTo(ctx, w.ByName(ctx, fixtures.FluentdName), fixtures.FluentdNext)
	})
})
