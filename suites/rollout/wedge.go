package rollout

import (
	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

// An hour: longer than anybody waits for a lost event.
const hour = 3600

var _ = Describe("A pod that takes an hour to end", func() {
	r := rollout.New()

	// A controller that deletes such a pod once more counts on an event that does not come: it is terminating already.
	It("keeps the controller from nothing that is to be done on other nodes", catalog.Covers("M-20", "K-03", "B-05"), func(ctx SpecContext) {
		r.Hurry()
		nodes := r.Nodes(ctx, 3)
		r.LabelNode(ctx, nodes[0], "chosen")
		r.LabelNode(ctx, nodes[1], "chosen")
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.TerminatesFor(hour), r.NodesLabelled("chosen"), func(ds *appsv1.DaemonSet) {
			grace := int64(2 * hour)
			ds.Spec.Template.Spec.TerminationGracePeriodSeconds = &grace
		})
		r.Eventually(ctx, ds).Should(rollout.BeComplete())

		r.UnlabelNode(ctx, nodes[0], "chosen")
		r.Soon(ctx, ds).Should(ending(nodes[0]))
		r.LabelNode(ctx, nodes[2], "chosen")
		r.Soon(ctx, ds).Should(rollout.HavePods(1, "on the node that became eligible", rollout.All(rollout.OnNode(nodes[2]), rollout.Ready)))
		r.UnlabelNode(ctx, nodes[2], "chosen")
		r.Soon(ctx, ds).Should(ending(nodes[2]))
		lost := rollout.First(r.State(ds).Pods, rollout.OnNode(nodes[1]))
		r.DeletePodWithin(ctx, lost, 0)
		r.Soon(ctx, ds).Should(rollout.HavePods(1, "in the place of the lost one", rollout.All(rollout.OnNode(nodes[1]), rollout.Other(lost), rollout.Ready)))
	})
})

// ending matches when the DaemonSet's pod on the node is terminating and still there.
func ending(node string) types.GomegaMatcher {
	return rollout.Match("have a terminating pod on "+node, func(s rollout.State) string {
		for _, pod := range s.Pods {
			if rollout.TargetNode(pod) == node && pod.DeletionTimestamp != nil {
				return ""
			}
		}
		return "has none there"
	})
}
