package ondelete

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

var second = rollout.OfEdition("2")

var _ = Describe("OnDelete", func() {
	r := rollout.New()

	It("records an update and replaces a pod only where one is deleted", catalog.Covers("E-01", "E-02", "E-03", "E-04"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.FluentdOnDelete())
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(), updated(0)))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.And(rollout.KeepPods(before.Pods), rollout.HavePods(3, "in all", rollout.Any)))
		Expect(r.State(ds).Revisions).To(HaveLen(2), "the update is a revision")

		deleted := before.Pods[0]
		r.DeletePod(ctx, deleted)
		r.Soon(ctx, ds).Should(rollout.And(updated(1), rollout.HavePods(1, "of the new template on its node", rollout.All(second, rollout.OnNode(deleted.Spec.NodeName)))))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.And(rollout.KeepPods(before.Pods[1:]), rollout.HavePods(3, "in all", rollout.Any)))
	})

	It("leaves old pods alone that are not available, too", catalog.Covers("E-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.FluentdOnDelete(), rollout.NeverReady())
		before := r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(2, "in all", rollout.Any)))
		r.Update(ctx, ds, rollout.Edition("2"), rollout.ReadyAfter(0))
		r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(), updated(0)))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.And(rollout.KeepPods(before.Pods), rollout.HavePods(2, "in all", rollout.Any)))
		for _, pod := range before.Pods {
			r.DeletePod(ctx, pod)
		}
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", second)))
	})

	It("gives a node that becomes eligible a pod of the updated template", catalog.Covers("E-05"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		r.LabelNode(ctx, nodes[0], "joined")
		ds := r.Create(ctx, fixtures.FluentdOnDelete(), r.NodesLabelled("joined"))
		r.Eventually(ctx, ds).Should(rollout.HavePods(1, "that are Ready", rollout.Ready))
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Settle(ctx) // so that the label is what the controller has to notice
		r.LabelNode(ctx, nodes[1], "joined")
		r.Soon(ctx, ds).Should(rollout.HavePods(1, "of the new template on the new node", rollout.All(second, rollout.OnNode(nodes[1]))))
		Expect(r.State(ds)).To(rollout.HavePods(1, "of the old template", rollout.OfEdition("")))
	})

	DescribeTable("makes a lost pod again from the updated template", func(ctx SpecContext, lose func(context.Context, *corev1.Pod)) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.FluentdOnDelete())
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		lost := before.Pods[0]
		lose(ctx, lost)
		r.Soon(ctx, ds).Should(rollout.HavePods(1, "of the new template on its node", rollout.All(second, rollout.OnNode(lost.Spec.NodeName))))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.And(rollout.KeepPods(before.Pods[1:]), rollout.HavePods(1, "of the new template", second)))
	},
		Entry("when it Failed", catalog.Covers("E-05"), func(ctx context.Context, pod *corev1.Pod) { r.EndPod(ctx, pod, corev1.PodFailed, "Evicted") }),
		Entry("when it Succeeded", catalog.Covers("E-05", "L-03"), func(ctx context.Context, pod *corev1.Pod) { r.EndPod(ctx, pod, corev1.PodSucceeded, "Completed") }),
		Entry("when somebody evicted it", catalog.Covers("E-05"), func(ctx context.Context, pod *corev1.Pod) { r.EvictPod(ctx, pod) }),
	)

	It("ignores the budgets that stand beside it", catalog.Covers("E-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		none, one := intstr.FromInt32(0), intstr.FromInt32(1)
		ds := r.Create(ctx, fixtures.FluentdOnDelete(), rollout.TerminatesFor(2), func(ds *appsv1.DaemonSet) {
			ds.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &none, MaxSurge: &one}
		})
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.And(rollout.KeepPods(before.Pods), rollout.HavePods(2, "in all", rollout.Any)))
		r.DeletePod(ctx, before.Pods[0]) // that its successor waits for its end, the judge sees
		r.Soon(ctx, ds).Should(rollout.HavePods(1, "of the new template", second))
	})

	It("replaces exactly the outdated pods once it is switched to RollingUpdate", catalog.Covers("E-07"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.FluentdOnDelete())
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.DeletePod(ctx, before.Pods[0])
		current := rollout.Where(r.Soon(ctx, ds).Should(rollout.HavePods(1, "of the new template that are Ready", rollout.All(second, rollout.Ready))).Pods, second)
		r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.StrategyChanged}, rollout.MaxUnavailable(1))
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the new template", second)))
		Expect(after).To(rollout.KeepPods(current))
	})

	It("stops a rolling update that it is switched from", catalog.Covers("E-08"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1), rollout.TerminatesFor(2))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.ReadyAfter(10))
		r.Eventually(ctx, ds).Should(rollout.HavePods(2, "of the old template", rollout.OfEdition("")))
		r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.StrategyChanged}, rollout.OnDelete())
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Barrier(ctx)
		old := rollout.Where(r.State(ds).Pods, rollout.OfEdition(""))
		Expect(old).NotTo(BeEmpty(), "the update should be under way still")
		r.Eventually(ctx, ds).Should(rollout.HavePods(3, "that are Ready", rollout.Ready))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.KeepPods(old))
	})

	It("restarts nothing for kubectl set image, rollout restart and rollout undo", catalog.Covers("E-10"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.FluentdOnDelete())
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		name := "ds/" + ds.Name
		for _, args := range [][]string{{"set", "image", name, "*=" + fixtures.FluentdNext}, {"rollout", "restart", name}, {"rollout", "undo", name}} {
			result := r.KubectlAct(ctx, r.DaemonSetNamed(ds.Name), nil, append(args, "-n", r.Namespace))
			Expect(result).To(kubectl.SayMatching(`daemonset\.apps/fluentd-elasticsearch .*`))
			r.Soon(ctx, ds).Should(rollout.HaveObserved())
			r.Settle(ctx)
			Expect(r.State(ds)).To(rollout.And(rollout.KeepPods(before.Pods), rollout.HavePods(2, "in all", rollout.Any)))
		}
		Expect(r.State(ds).DaemonSet.Generation).To(Equal(ds.Generation+3), "each command changes the template")
	})
})

// updated matches when the status counts so many updated pods.
func updated(count int32) OmegaMatcher {
	return rollout.Match("count its updated pods", func(s rollout.State) string {
		if s.DaemonSet == nil || s.DaemonSet.Status.UpdatedNumberScheduled != count {
			return "does not have the right updatedNumberScheduled"
		}
		return ""
	})
}
