package status

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("kubectl rollout status", func() {
	r := rollout.New()

	It("reports success only when every node has an available pod of the new template", catalog.Covers("G-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(2), rollout.MinReadySeconds(2))).Should(rollout.BeComplete()).DaemonSet
		ds = r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		Expect(r.Kubectl(ctx, "rollout", "status", "ds/"+ds.Name, "-n", r.Namespace)).
			To(kubectl.SayMatching(`(Waiting for daemon set .*\.\.\.\n)*daemon ?set "fluentd-elasticsearch" successfully rolled out`))

		r.Barrier(ctx)
		after := r.State(ds)
		Expect(rollout.Where(after.Pods, rollout.All(rollout.WithImage(fixtures.FluentdNext), rollout.Ready))).To(HaveLen(3))
		Expect(after.DaemonSet.Status.ObservedGeneration).To(Equal(ds.Generation), "observedGeneration")
		Expect(after.DaemonSet.Status.UpdatedNumberScheduled).To(BeEquivalentTo(3), "updatedNumberScheduled")
		Expect(after.DaemonSet.Status.NumberAvailable).To(BeEquivalentTo(3), "numberAvailable")
	})

	It("reports success at once for a DaemonSet that matches no node", catalog.Covers("G-07"), func(ctx SpecContext) {
		ds := r.Create(ctx, fixtures.Fluentd())
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		Expect(r.Kubectl(ctx, "rollout", "status", "ds/"+ds.Name, "-n", r.Namespace)).
			To(kubectl.SayMatching(`daemon ?set "fluentd-elasticsearch" successfully rolled out`))
	})
})
