package status

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/rollout"
)

// What kube-controller-manager is known to break.
var _ = Describe("The status of a DaemonSet, though nothing else happens,", func() {
	r := rollout.New()

	It("does not count a pod that is ending as ready or available", catalog.Covers("G-05"), func(ctx SpecContext) {
		r.Hurry()
		r.Nodes(ctx, 2)
		before := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), rollout.OnDelete(), rollout.Lingering)).Should(rollout.BeComplete())
		r.DeletePod(ctx, before.Pods[0])
		ending := rollout.Match("have a pod that is ending", func(s rollout.State) string {
			if pod := s.Find(before.Pods[0]); pod == nil || pod.DeletionTimestamp == nil || rollout.Terminal(pod) {
				return "has none"
			}
			return ""
		})
		rollout.Deviating(func() {
			r.Soon(ctx, before.DaemonSet).Briefly(7 * time.Second).Should(rollout.And(ending,
				rollout.HaveStatus("1 of 2 pods ready and available", func(s appsv1.DaemonSetStatus) bool {
					return s.DesiredNumberScheduled == 2 && s.NumberReady == 1 && s.NumberAvailable == 1 && s.NumberUnavailable == 1
				})))
		})
	})

	It("moves a node with a new NoSchedule taint from desired to misscheduled", catalog.Covers("G-09"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 3)
		ds := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd())).Should(rollout.BeComplete()).DaemonSet
		r.Settle(ctx)
		r.Taint(ctx, nodes[0], "misscheduled", corev1.TaintEffectNoSchedule)
		rollout.Deviating(func() { r.Soon(ctx, ds).Briefly(8 * time.Second).Should(desired(2, 1)) })
	})

	It("stops counting a node that is deleted", SpecPriority(10), catalog.Covers("G-10"), func(ctx SpecContext) {
		rollout.Need[cluster.NodeLifecycle](r)
		nodes := r.NodesAlone(ctx, 3)
		ds := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd())).Should(rollout.BeComplete()).DaemonSet
		r.Settle(ctx)
		r.RemoveNode(ctx, nodes[0])
		// The garbage collector leaves the pods of a node that is gone alone for 40 seconds.
		rollout.Deviating(func() { r.Soon(ctx, ds).Within(3 * time.Minute).Briefly(10 * time.Second).Should(desired(2, 0)) })
	})
})

func desired(nodes, misscheduled int32) types.GomegaMatcher {
	return rollout.HaveStatus(fmt.Sprintf("desiredNumberScheduled %d and numberMisscheduled %d", nodes, misscheduled), func(s appsv1.DaemonSetStatus) bool {
		return s.DesiredNumberScheduled == nodes && s.NumberMisscheduled == misscheduled
	})
}
