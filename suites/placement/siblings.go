package placement

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("Two DaemonSets with the same selector", func() {
	r := rollout.New()

	It("each have a pod of their own on every node, and leave the other's alone", catalog.Covers("B-10", "M-23"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		first := r.Create(ctx, fixtures.Fluentd())
		second := r.Create(ctx, fixtures.Fluentd(), func(ds *appsv1.DaemonSet) { ds.Name = "twin" })
		r.Eventually(ctx, first).Should(rollout.BeCompleteOn(nodes...))
		r.Eventually(ctx, second).Should(rollout.BeCompleteOn(nodes...))
		kept := r.State(first)

		r.Update(ctx, second, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, second).Should(rollout.And(rollout.BeCompleteOn(nodes...), rollout.HavePods(len(nodes), "with the next image", rollout.WithImage(fixtures.FluentdNext))))
		r.DeletePod(ctx, r.State(second).Pods[0])
		r.Barrier(ctx)
		r.Eventually(ctx, second).Should(rollout.BeCompleteOn(nodes...))
		r.Settle(ctx)
		Expect(r.State(first)).To(rollout.BeCompleteOn(nodes...))
		Expect(r.State(first).Pods).To(ConsistOf(rollout.SamePods(kept.Pods)), "the first DaemonSet was not changed")
	})

	It("have budgets of their own: what is down of one is not down of the other", catalog.Covers("M-23", "C-05"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		broken := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable("100%"), rollout.NeverReady())
		ds := r.Create(ctx, fixtures.Fluentd(), func(ds *appsv1.DaemonSet) { ds.Name = "twin" }, rollout.MaxUnavailable(1))
		r.Eventually(ctx, broken).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(2, "in all", rollout.Any)))
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes...))
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeCompleteOn(nodes...), rollout.HavePods(len(nodes), "with the next image", rollout.WithImage(fixtures.FluentdNext))))
		Expect(r.State(broken)).To(rollout.HavePods(0, "that are Ready", rollout.Ready), "the other was down all the time")
	})
})

var _ = Describe("Two DaemonSets with the same name and selector in two namespaces", func() {
	r := rollout.New()

	It("have nothing to do with each other, nor with the other namespace's orphans", catalog.Covers("B-10", "J-12", "M-23"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		elsewhere := r.Elsewhere(ctx, "twin")
		orphan := rollout.BarePod("orphan", nodes[0])
		orphan.Labels = fixtures.Fluentd().Spec.Selector.MatchLabels
		orphan = elsewhere.CreatePod(ctx, orphan)
		ds := r.Create(ctx, fixtures.Fluentd())
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes...))
		r.Settle(ctx)
		left, err := r.Client.CoreV1().Pods(elsewhere.Namespace).Get(ctx, orphan.Name, metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred(), "the other namespace's orphan should be there")
		Expect(left.OwnerReferences).To(BeEmpty(), "no DaemonSet of another namespace should adopt pod %s", orphan.Name)

		elsewhere.DeletePod(ctx, orphan)
		twin := elsewhere.Create(ctx, fixtures.Fluentd())
		kept := elsewhere.Eventually(ctx, twin).Should(rollout.BeCompleteOn(nodes...))
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeCompleteOn(nodes...), rollout.HavePods(len(nodes), "with the next image", rollout.WithImage(fixtures.FluentdNext))))
		r.Settle(ctx)
		Expect(elsewhere.State(twin)).To(rollout.KeepPods(kept.Pods))
	})

	It("each get a pod on a node that comes to match, whatever the other has there", catalog.Covers("B-10", "K-03"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		r.LabelNode(ctx, nodes[0], "chosen")
		elsewhere := r.Elsewhere(ctx, "twin")
		// A name that no other spec's has: the pods of those would wake this one's DaemonSet, too.
		namesake := rollout.Named("namesake")
		elsewhere.Eventually(ctx, elsewhere.Create(ctx, fixtures.Fluentd(), namesake)).Should(rollout.BeCompleteOn(nodes...))
		ds := r.Create(ctx, fixtures.Fluentd(), namesake, r.NodesLabelled("chosen"))
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes[0]))
		for range 3 { // a look for another reason that comes just then hides what is not noticed
			r.Settle(ctx)
			r.LabelNode(ctx, nodes[1], "chosen")
			r.Soon(ctx, ds).Should(rollout.BeCompleteOn(nodes...))
			r.UnlabelNode(ctx, nodes[1], "chosen")
			r.Soon(ctx, ds).Should(rollout.BeCompleteOn(nodes[0]))
		}
	})
})
