package surge

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

var _ = Describe("RollingUpdate with maxSurge to a template that tolerates other taints", func() {
	r := rollout.New()

	It("starts pods on new nodes at once, and keeps those on excluded nodes until enough others are available", catalog.Covers("D-09"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 3)
		excluded, stays, joins := nodes[0], nodes[1], nodes[2]
		r.Taint(ctx, excluded, "old", corev1.TaintEffectNoSchedule)
		r.Taint(ctx, joins, "new", corev1.TaintEffectNoSchedule)
		// Who sees a node's label sees the taint that it had before: nobody who lags behind makes a pod where one would be stuck then.
		for _, node := range nodes {
			r.LabelNode(ctx, node, "tainted")
		}
		// minReadySeconds lets the first pods grow older than a second: of two pods of one second nobody can tell the older (DEVIATIONS.md, D-07).
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1), rollout.MinReadySeconds(2), rollout.Tolerating("old"), r.NodesLabelled("tainted"))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.Tolerating("new"), rollout.NeverReady())
		// The node that joins does not use the surge up, nor does the one that leaves.
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(),
			rollout.HavePods(1, "of the new template on the node that joins", rollout.All(second, rollout.OnNode(joins))),
			rollout.HavePods(1, "of the new template on the node that stays", rollout.All(second, rollout.OnNode(stays)))))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.And(rollout.KeepPods(before.Pods), rollout.HavePods(0, "of the new template on the excluded node", rollout.All(second, rollout.OnNode(excluded)))))

		r.Update(ctx, ds, rollout.ReadyAfter(0))
		r.KeepAwake(ctx, ds)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", second)))
	})

	It("takes away no more pods on excluded nodes than there are too many", catalog.Covers("D-09"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 4)
		hog := r.Fill(ctx, nodes[3], resource.MustParse("100Mi"))
		for i, node := range nodes {
			r.Taint(ctx, node, []string{"old", "new"}[i/2], corev1.TaintEffectNoSchedule)
			r.LabelNode(ctx, node, "tainted") // as above
		}
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1), rollout.MinReadySeconds(2), rollout.RequestMemory("200Mi"),
			rollout.Tolerating("old"), r.NodesLabelled("tainted"))
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes[:2]...))
		r.Update(ctx, ds, rollout.Edition("2"), rollout.Tolerating("new"))
		r.KeepAwake(ctx, ds)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HavePods(1, "of the new template without room", rollout.All(second, rollout.Unschedulable)),
			rollout.HavePods(1, "of the new template that are Ready", rollout.All(second, rollout.Ready)),
			// Before minReadySeconds are over nothing is too many.
			rollout.HaveStatus("1 of 2 nodes available", func(s appsv1.DaemonSetStatus) bool { return s.DesiredNumberScheduled == 2 && s.NumberAvailable == 1 })))
		r.Settle(ctx)
		// Two nodes are to have a pod, and one of them has: one old pod is too many. Who keeps it until the other node is served takes nothing from anybody.
		Expect(rollout.Where(r.State(ds).Pods, rollout.All(first, rollout.Ready))).NotTo(BeEmpty(), "an old pod should serve for the node that has none yet")
		r.MakeRoom(ctx, hog)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeCompleteOn(nodes[2:]...), rollout.HavePods(2, "of the new template", second)))
	})

	It("takes a pod that is not available from an excluded node at once", catalog.Covers("D-09"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		r.Taint(ctx, nodes[0], "old", corev1.TaintEffectNoSchedule)
		r.AwaitKnown(ctx, nodes[0])
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1), rollout.Tolerating("old"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(2, "in all", rollout.Any)))
		r.Update(ctx, ds, rollout.Edition("2"), rollout.Tolerating())
		r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(),
			rollout.HavePods(0, "on the excluded node", rollout.OnNode(nodes[0])), rollout.HavePods(1, "of the new template", second)))
	})
})
