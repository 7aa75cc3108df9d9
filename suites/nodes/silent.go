package nodes

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

// noticed limits how long the control plane may take to call a silent node NotReady: 50 seconds by default, and more in large clusters.
const noticed = 3 * time.Minute

var _ = Describe("A node that does not answer", func() {
	r := rollout.New()

	It("keeps its pod, and gets one of a DaemonSet that tolerates all that it is tainted with", SpecPriority(5), catalog.Covers("K-08", "B-01"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		before := complete(ctx, r)
		r.StopNode(ctx, nodes[0])
		r.Soon(ctx, before.DaemonSet).Within(noticed).Should(notReady(nodes[0]))
		r.Settle(ctx)
		after := r.State(before.DaemonSet)
		Expect(after.Pods).To(ConsistOf(rollout.SamePods(before.Pods)...))
		Expect(podOn(after, nodes[0]).DeletionTimestamp).To(BeNil(), "nobody should delete the pod of a node for not answering")

		// Its taints are what counts, not its conditions: what makes a node Ready is often a DaemonSet's pod itself.
		tolerant := r.Create(ctx, fixtures.Fluentd(), rollout.Named("tolerant"), rollout.Template(func(t *corev1.PodTemplateSpec) {
			t.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		}))
		r.Soon(ctx, tolerant).Should(rollout.And(desire(2), rollout.HavePods(1, "for the node that does not answer", rollout.OnNode(nodes[0]))))

		r.StartNode(ctx, nodes[0])
		back := r.Eventually(ctx, before.DaemonSet).Should(rollout.BeComplete())
		r.Eventually(ctx, tolerant).Should(rollout.BeComplete())
		Expect(back.Pods).To(ConsistOf(rollout.SamePods(before.Pods)...), "the pods should be those from before")
	})

	DescribeTable("does not take an update beyond its budget, and the update goes on", SpecPriority(10), func(ctx SpecContext, resume func(context.Context, string, *corev1.Pod)) {
		nodes := r.NodesAlone(ctx, 3)
		before := complete(ctx, r)
		ds := before.DaemonSet
		r.StopNode(ctx, nodes[0])
		r.Soon(ctx, ds).Within(noticed).Should(notReady(nodes[0]))
		// A pod that is made before its controller knows of the taints stays Pending there for ever, and counts as unavailable.
		r.AwaitKnown(ctx, nodes[1])
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Settle(ctx)

		resume(ctx, nodes[0], podOn(before, nodes[0]))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(2, "of the new template on the nodes that answered",
			func(p *corev1.Pod) bool {
				return rollout.TargetNode(p) != nodes[0] && rollout.WithImage(fixtures.FluentdNext)(p) && rollout.Ready(p)
			})))
	},
		Entry("when the node comes back", catalog.Covers("K-09"), func(ctx context.Context, node string, _ *corev1.Pod) { r.StartNode(ctx, node) }),
		Entry("when its pod is deleted by force", catalog.Covers("K-09"), func(ctx context.Context, _ string, pod *corev1.Pod) {
			r.DeletePodWithin(ctx, pod, 0)
		}),
		Entry("when the node is deleted", catalog.Covers("K-09"), func(ctx context.Context, node string, _ *corev1.Pod) { r.RemoveNode(ctx, node) }),
	)
})
