package surge

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

// What kube-controller-manager is known to break.
var _ = Describe("RollingUpdate with maxSurge, though nothing else happens,", func() {
	r := rollout.New()

	It("counts a node as updated when its new pod is available, though the old one is still ending", catalog.Covers("D-11"), func(ctx SpecContext) {
		r.Hurry()
		node := r.Nodes(ctx, 1)[0]
		// minReadySeconds sets the two pods' creation apart by more than the second that it is told by.
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1), rollout.MinReadySeconds(2), rollout.Lingering)
		old := r.Eventually(ctx, ds).Should(rollout.BeComplete()).Pods[0]
		r.Update(ctx, ds, rollout.Edition("2"))
		r.KeepAwake(ctx, ds) // D-13 shows here too, now and then, and has a spec of its own
		// The old pod is deleted because the new one is available, so what the status has to say is known by then.
		still := rollout.Match("still have the old pod, which is ending", func(s rollout.State) string {
			if pod := s.Find(old); pod == nil || pod.DeletionTimestamp == nil || rollout.Terminal(pod) {
				return "has not"
			}
			return ""
		})
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), still, rollout.HavePods(1, "that are Ready", rollout.All(rollout.OnNode(node), second, rollout.Ready))))
		rollout.Deviating(func() {
			r.Soon(ctx, ds).Briefly(10 * time.Second).Should(rollout.And(still,
				rollout.HaveStatus("1 of 1 pods updated", func(s appsv1.DaemonSetStatus) bool { return s.UpdatedNumberScheduled == 1 })))
		})
	})

	It("deletes each old pod when its successor has been Ready for minReadySeconds", SpecPriority(10), catalog.Covers("D-13"), func(ctx SpecContext) {
		// Two nodes and a surge of two, so that nothing is left to begin when the first is done. The second pod becomes Ready between three
		// seconds and minReadySeconds after the first: it waits for room until then, and takes as long to start as the first.
		const minReady, start = 12, 6
		nodes := r.NodesAlone(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(2), rollout.MinReadySeconds(minReady), rollout.RequestMemory("1Mi"))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		hog := r.Fill(ctx, nodes[1], resource.MustParse("100Mi"))
		r.Update(ctx, ds, rollout.Edition("2"), rollout.RequestMemory("200Mi"), rollout.ReadyAfter(start))
		r.Eventually(ctx, ds).Should(rollout.And(
			rollout.HavePods(1, "that are Ready on the first node", rollout.All(second, rollout.Ready, rollout.OnNode(nodes[0]))),
			rollout.HavePods(1, "without room on the second", rollout.All(second, rollout.Unschedulable, rollout.OnNode(nodes[1])))))
		r.MakeRoom(ctx, hog)
		r.Eventually(ctx, ds).Should(rollout.HavePods(2, "of the new template that are Ready", rollout.All(second, rollout.Ready)))
		rollout.Deviating(func() {
			r.Soon(ctx, ds).Within((minReady + 60) * time.Second).Briefly((minReady + 30) * time.Second).Should(rollout.And(
				rollout.HavePods(0, "of the old template", first), rollout.HavePods(2, "of the new template", second)))
		})
	})
})
