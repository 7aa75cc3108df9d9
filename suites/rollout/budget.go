package rollout

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("RollingUpdate with maxUnavailable", func() {
	r := rollout.New()

	It("deletes first, waits for the end of the old pod, and counts its node as down meanwhile",
		catalog.Covers("C-03", "C-04", "C-05", "C-12"), func(ctx SpecContext) {
			r.Nodes(ctx, 3)
			ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1), rollout.TerminatesFor(2))
			r.Eventually(ctx, ds).Should(rollout.BeComplete())
			r.Update(ctx, ds, rollout.Edition("2"), rollout.ReadyAfter(1))
			r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the new template", rollout.OfEdition("2"))))
		})

	DescribeTable("stops at its budget, rounded up, when new pods never become available,", func(ctx SpecContext, budget any, nodes, affected int) {
		r.Nodes(ctx, nodes)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(budget))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(affected, "of the new template", rollout.OfEdition("2")))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(affected, "of the new template", rollout.OfEdition("2")))
		Expect(r.State(ds)).To(rollout.HavePods(nodes-affected, "of the old template that are Ready", rollout.All(rollout.OfEdition(""), rollout.Ready)))
	},
		Entry("with maxUnavailable 1", catalog.Covers("C-05", "C-07"), 1, 3, 1),
		Entry("with maxUnavailable 2", catalog.Covers("C-05", "C-07"), 2, 3, 2),
		Entry("with maxUnavailable 1%", catalog.Covers("C-07", "C-08"), "1%", 3, 1),
		Entry("with maxUnavailable 34%", catalog.Covers("C-07", "C-08"), "34%", 3, 2),
		Entry("with maxUnavailable 50%", catalog.Covers("C-07", "C-08"), "50%", 3, 2),
		Entry("with maxUnavailable 100%", catalog.Covers("C-07", "C-08"), "100%", 3, 3),
		// What comes out even is not rounded.
		Entry("with maxUnavailable 50% of two", catalog.Covers("C-07", "C-08"), "50%", 2, 1),
	)

	It("waits for pods whose containers are ready while a readiness gate withholds that of the pod", catalog.Covers("C-07", "G-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.Template(func(t *corev1.PodTemplateSpec) {
			t.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "rollcall.dev/gate"}}
		}))
		gated := rollout.All(rollout.OfEdition("2"), containersReady)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HavePods(1, "of the new template whose containers are ready", gated), rollout.HaveExactStatus(rollout.OfEdition("2"))))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.And(rollout.HavePods(1, "of the new template", rollout.OfEdition("2")),
			rollout.HavePods(1, "of the old template that are Ready", rollout.All(rollout.OfEdition(""), rollout.Ready)),
			rollout.HaveExactStatus(rollout.OfEdition("2"))))
	})

	It("replaces pods that are down already at once, and counts them", catalog.Covers("C-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(2))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("broken"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(2, "of the broken template", rollout.OfEdition("broken")))
		r.Settle(ctx)
		healthy := rollout.Where(r.State(ds).Pods, rollout.OfEdition(""))

		r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.StrategyChanged}, rollout.MaxUnavailable(1), rollout.Edition("broken too"))
		r.Eventually(ctx, ds).Should(rollout.HavePods(2, "of the second broken template", rollout.OfEdition("broken too")))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.KeepPods(healthy))
	})

	It("counts pods as down that are Ready, but not yet for minReadySeconds", SpecPriority(10), catalog.Covers("C-05", "C-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 5)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(2), rollout.MinReadySeconds(40), rollout.ReadyAfter(6))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		lost := before.Pods[:2]
		for _, pod := range lost {
			r.DeletePod(ctx, pod)
		}
		r.Eventually(ctx, ds).Should(rollout.HavePods(5, "that are Ready, the lost ones replaced", rollout.All(rollout.Ready, rollout.Other(lost[0]), rollout.Other(lost[1]))))
		// The new pods use the budget up: whoever takes another one down before they are available, the judge sees. Which go is free.
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Settle(ctx)
	})

	It("keeps its healthy pods through one broken update after another, and finishes with a good one", catalog.Covers("C-05", "C-06", "H-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		for _, edition := range []string{"2", "3", "4"} {
			r.Update(ctx, ds, rollout.Edition(edition), rollout.NeverReady())
			r.Eventually(ctx, ds).Should(rollout.HavePods(1, "of the broken template "+edition, rollout.OfEdition(edition)))
			r.Settle(ctx)
			Expect(r.State(ds)).To(rollout.HavePods(2, "of the first template that are Ready", rollout.All(rollout.OfEdition(""), rollout.Ready)))
		}
		r.Update(ctx, ds, rollout.Edition("good"), rollout.ReadyAfter(0))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the good template", rollout.OfEdition("good"))))
	})

	It("goes on to more nodes when the budget of a stuck update is raised", catalog.Covers("C-17"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.HavePods(1, "of the new template", rollout.OfEdition("2")))
		r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.StrategyChanged}, rollout.MaxUnavailable(2))
		r.Eventually(ctx, ds).Should(rollout.HavePods(2, "of the new template", rollout.OfEdition("2")))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(1, "of the old template that are Ready", rollout.All(rollout.OfEdition(""), rollout.Ready)))
	})

	DescribeTable("makes a lost pod again at once, from the new template and whatever the budget,", func(ctx SpecContext, lose func(context.Context, *corev1.Pod)) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		stuck := r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "of the new template", rollout.OfEdition("2"))))
		lost := rollout.First(stuck.Pods, rollout.OfEdition(""))
		lose(ctx, lost)
		r.Soon(ctx, ds).Should(rollout.And(rollout.HavePods(2, "of the new template", rollout.OfEdition("2")),
			rollout.HavePods(1, "of the new template in the lost one's place", rollout.All(rollout.OfEdition("2"), rollout.OnNode(lost.Spec.NodeName)))))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(1, "of the old template", rollout.OfEdition("")))
	},
		Entry("when somebody deleted it", catalog.Covers("C-14"), func(ctx context.Context, pod *corev1.Pod) { r.DeletePod(ctx, pod) }),
		Entry("when somebody evicted it", catalog.Covers("C-14", "L-06"), func(ctx context.Context, pod *corev1.Pod) { r.EvictPod(ctx, pod) }),
		Entry("when it Failed", catalog.Covers("C-14", "L-01"), func(ctx context.Context, pod *corev1.Pod) { r.EndPod(ctx, pod, corev1.PodFailed, "Evicted") }),
	)

	It("gives a node that becomes eligible in its middle a pod of the new template at once, whatever the budget", catalog.Covers("C-14", "K-03"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 3)
		r.LabelNode(ctx, nodes[0], "joined")
		r.LabelNode(ctx, nodes[1], "joined")
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1), r.NodesLabelled("joined"))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "of the new template", rollout.OfEdition("2"))))
		r.Settle(ctx) // so that the label is what the controller has to notice
		r.LabelNode(ctx, nodes[2], "joined")
		r.Soon(ctx, ds).Should(rollout.HavePods(1, "of the new template on the new node", rollout.All(rollout.OfEdition("2"), rollout.OnNode(nodes[2]))))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(1, "of the old template", rollout.OfEdition("")))
	})

	// Three at once, since which pods go is free, and by chance could be those that do not matter.
	It("takes its budget in percent of the nodes that are to have a pod, not of those that have one", catalog.CoversWith([]catalog.Need{catalog.NodeChanges}, "C-05", "C-08"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 8)
		var sets []*appsv1.DaemonSet
		for _, name := range []string{"first", "second", "third"} {
			ds := r.Create(ctx, fixtures.Fluentd(), rollout.Named(name), rollout.MaxUnavailable("25%"))
			sets = append(sets, r.Eventually(ctx, ds).Should(rollout.BeComplete()).DaemonSet)
		}
		for _, node := range nodes[4:] { // whose pods stay
			r.Taint(ctx, node, "excluded", corev1.TaintEffectNoSchedule)
		}
		r.AwaitKnown(ctx, nodes[7])
		for _, ds := range sets {
			r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		}
		for _, ds := range sets {
			r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "of the new template", rollout.OfEdition("2"))))
		}
		r.Settle(ctx)
		for _, ds := range sets {
			Expect(r.State(ds)).To(rollout.And(rollout.HavePods(1, "of the new template", rollout.OfEdition("2")),
				rollout.HavePods(3, "of the old template on the nodes that are to have one", func(p *corev1.Pod) bool {
					return rollout.OfEdition("")(p) && slices.Contains(nodes[:4], rollout.TargetNode(p))
				})))
		}
	})

	It("makes exactly one new pod for each node", catalog.Covers("C-19"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(2))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the new template", rollout.OfEdition("2"))))
		r.Settle(ctx)
		made := map[types.UID]bool{}
		for _, e := range r.State(ds).All.Entries {
			if e.Pod != nil {
				made[e.Pod.UID] = true
			}
		}
		for _, e := range r.State(ds).All.Entries {
			if e.Pod != nil && e.Pod.Status.Phase == corev1.PodFailed && e.Pod.DeletionTimestamp == nil { // a kubelet that had not heard of its node's label turned it away
				delete(made, e.Pod.UID)
			}
		}
		rollout.Deviating(func() {
			Expect(made).To(HaveLen(6), "the pods that there ever were: three of the first template and three of the second")
		})
	})
})

// containersReady is the condition that all containers of the pod are ready, which does not make the pod Ready yet.
func containersReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.ContainersReady && c.Status == corev1.ConditionTrue
	})
}
