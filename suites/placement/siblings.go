package placement

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

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
})
