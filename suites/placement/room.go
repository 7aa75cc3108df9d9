package placement

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A DaemonSet whose pods do not fit on a node", func() {
	r := rollout.New()

	// Ports are the nodes', which other specs use too: nobody else asks for this one.
	port := rollout.Container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{ContainerPort: 24224, HostPort: 38471}} })

	DescribeTable("creates them all the same, and they wait", func(ctx SpecContext, first, second rollout.Change) {
		nodes := r.Nodes(ctx, 2)
		before := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), rollout.Named("first"), first)).Should(rollout.BeCompleteOn(nodes...))
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.Named("second"), second)
		waiting := r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(len(nodes), "that the scheduler has no room for", rollout.Unschedulable)))
		for _, node := range nodes {
			Expect(rollout.Where(waiting.Pods, rollout.OnNode(node))).To(HaveLen(1), "pods for %s", node)
		}
		r.Settle(ctx)
		Expect(r.State(ds).Pods).To(ConsistOf(rollout.SamePods(waiting.Pods)), "pods that wait should go on waiting")
		Expect(r.State(before.DaemonSet).Pods).To(ConsistOf(rollout.SamePods(before.Pods)), "pods that run should not have to go for them")
	},
		Entry("for memory", catalog.Covers("B-09"), rollout.Change(nothing), rollout.Container(func(c *corev1.Container) {
			c.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Pi")}
		})),
		Entry("for a host port", catalog.Covers("B-09"), port, port),
	)
})

func nothing(*appsv1.DaemonSet) {}
