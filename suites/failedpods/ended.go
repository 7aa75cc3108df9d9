package failedpods

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A pod that has ended", func() {
	r := rollout.New()

	DescribeTable("is replaced on its node", func(ctx SpecContext, phase corev1.PodPhase, reason string, strategy rollout.Change) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r, strategy)
		ended := before.Pods[0]
		r.EndPod(ctx, ended, phase, reason)
		after := r.Soon(ctx, before.DaemonSet).Should(rollout.And(rollout.BeComplete(),
			rollout.HavePods(1, "that are new", rollout.All(rollout.OnNode(ended.Spec.NodeName), rollout.Other(ended)))))
		Expect(after.Find(ended)).To(BeNil(), "pod %s should be deleted", ended.Name)
		Expect(after.Pods).To(ContainElement(HaveField("UID", before.Pods[1].UID)), "the other node's pod should be left alone")
	},
		Entry("if it is Failed", catalog.Covers("L-01"), corev1.PodFailed, "Evicted", rollout.MaxUnavailable(1)),
		Entry("if it is Succeeded", catalog.Covers("L-03"), corev1.PodSucceeded, "Completed", rollout.MaxUnavailable(1)),
		Entry("if it is Failed, with maxSurge", catalog.CoversWith([]catalog.Need{catalog.Surge}, "L-01"), corev1.PodFailed, "Evicted", rollout.MaxSurge(1)),
		Entry("if it is Succeeded, with maxSurge", catalog.CoversWith([]catalog.Need{catalog.Surge}, "L-03"), corev1.PodSucceeded, "Completed", rollout.MaxSurge(1)),
	)

	DescribeTable("is followed by another surging pod if it was one", func(ctx SpecContext, phase corev1.PodPhase, reason string) {
		r.Nodes(ctx, 2)
		// Of two pods of one second nobody can tell the older, which is the one that serves (DEVIATIONS.md, D-07): minReadySeconds parts them.
		before := complete(ctx, r, rollout.MaxSurge(1), rollout.MinReadySeconds(2))
		ds := before.DaemonSet
		next := rollout.WithImage(fixtures.FluentdNext)
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext), rollout.NeverReady())
		started := rollout.All(next, func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning }) // or its kubelet could write that over its end
		ended := rollout.First(r.Eventually(ctx, ds).Should(rollout.HavePods(1, "of the new template that run", started)).Pods, next)
		r.EndPod(ctx, ended, phase, reason)
		// The surge that it leaves unused may go to the other node.
		r.Soon(ctx, ds).Should(rollout.And(rollout.HavePods(1, "of the new template", next), rollout.HavePods(1, "in the ended one's place", rollout.All(next, rollout.Other(ended)))))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.KeepPods(before.Pods))
		r.Update(ctx, ds, rollout.ReadyAfter(0))
		r.KeepAwake(ctx, ds) // minReadySeconds with a surge stalls upstream's controller now and then, which is another spec's business (D-13)
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
	},
		Entry("that is Failed", catalog.CoversWith([]catalog.Need{catalog.Surge}, "L-01", "D-04"), corev1.PodFailed, "Evicted"),
		Entry("that is Succeeded", catalog.CoversWith([]catalog.Need{catalog.Surge}, "L-03", "D-04"), corev1.PodSucceeded, "Completed"),
	)

	DescribeTable("does not hold up its replacement while a finalizer keeps its object,", func(ctx SpecContext, end func(context.Context, *corev1.Pod)) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r)
		held := before.Pods[0]
		r.HoldPod(ctx, held)
		end(ctx, held)
		beside := r.Soon(ctx, before.DaemonSet).Should(rollout.And(
			rollout.HavePods(1, "that replace the one that is held", rollout.All(rollout.OnNode(held.Spec.NodeName), rollout.Other(held), rollout.Ready)),
			rollout.Match("still have the dead pod", func(s rollout.State) string {
				if dead := s.Find(held); dead == nil || dead.DeletionTimestamp == nil || !rollout.Terminal(dead) {
					return "has not: pod " + held.Name + " is gone, or not dead"
				}
				return ""
			})))
		Expect(beside.Pods).To(HaveLen(3), "two pods and a dead one")

		// Nor does it confuse an update.
		r.Update(ctx, before.DaemonSet, rollout.Image(fixtures.FluentdNext))
		// Nor the status: the node has its pod, whatever is left of the one before.
		r.Eventually(ctx, before.DaemonSet).Should(rollout.And(rollout.HaveObserved(),
			rollout.HavePods(2, "of the new template", rollout.All(rollout.WithImage(fixtures.FluentdNext), rollout.Ready)),
			rollout.HaveStatus("2 of 2 nodes updated and available", func(s appsv1.DaemonSetStatus) bool {
				return s.DesiredNumberScheduled == 2 && s.CurrentNumberScheduled == 2 && s.UpdatedNumberScheduled == 2 && s.NumberReady == 2 && s.NumberAvailable == 2
			})))
		r.LetGo(ctx, held)
		r.Eventually(ctx, before.DaemonSet).Should(rollout.BeComplete())
	},
		Entry("after a deletion by hand", catalog.Covers("L-04"), func(ctx context.Context, pod *corev1.Pod) { r.DeletePod(ctx, pod) }),
		Entry("after it failed", catalog.Covers("L-04"), func(ctx context.Context, pod *corev1.Pod) { r.EndPod(ctx, pod, corev1.PodFailed, "Evicted") }),
	)

	It("does not hold up the update of other nodes", catalog.Covers("L-05"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		before := complete(ctx, r, rollout.ReadyAfter(1))
		r.EndPod(ctx, before.Pods[0], corev1.PodFailed, "Evicted")
		r.UpdateDisturbing(ctx, before.DaemonSet, []history.Disturbance{history.PodsFailed}, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, before.DaemonSet).Should(rollout.And(rollout.BeComplete(),
			rollout.HavePods(3, "of the new template", rollout.WithImage(fixtures.FluentdNext))))
	})

	It("does not count as updated, and its replacement is of the new template", catalog.Covers("L-01", "L-05"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := complete(ctx, r).DaemonSet
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext), rollout.NeverReady())
		stuck := r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "of the new template", rollout.WithImage(fixtures.FluentdNext))))
		old := rollout.First(stuck.Pods, rollout.WithImage(fixtures.FluentdImage))
		r.EndPod(ctx, old, corev1.PodFailed, "Evicted")
		r.Soon(ctx, ds).Should(rollout.HavePods(1, "of the new template in its place", rollout.All(rollout.OnNode(old.Spec.NodeName), rollout.WithImage(fixtures.FluentdNext))))
		r.Settle(ctx)
		Expect(rollout.Where(r.State(ds).Pods, rollout.WithImage(fixtures.FluentdImage))).To(HaveLen(1), "the last old pod is all that is available, and should be left")
		r.Update(ctx, ds, rollout.ReadyAfter(0))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
	})
})

var _ = Describe("A pod that is evicted through the API", func() {
	r := rollout.New()

	It("is replaced like a deleted one", catalog.Covers("L-06"), func(ctx SpecContext) {
		r.NodesAlone(ctx, 2) // no other lease is to wake the controller
		before := complete(ctx, r)
		evicted := before.Pods[0]
		r.EvictPod(ctx, evicted)
		after := r.Soon(ctx, before.DaemonSet).Should(rollout.And(rollout.BeComplete(),
			rollout.HavePods(1, "that are new", rollout.All(rollout.OnNode(evicted.Spec.NodeName), rollout.Other(evicted)))))
		Expect(after.Pods).To(ContainElement(HaveField("UID", before.Pods[1].UID)))
	})

	It("is replaced by one of the new template in the middle of an update", catalog.Covers("L-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := complete(ctx, r).DaemonSet
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext), rollout.NeverReady())
		stuck := r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "of the new template", rollout.WithImage(fixtures.FluentdNext))))
		evicted := rollout.First(stuck.Pods, rollout.WithImage(fixtures.FluentdImage))
		r.EvictPod(ctx, evicted)
		r.Soon(ctx, ds).Should(rollout.HavePods(1, "of the new template in its place", rollout.All(rollout.OnNode(evicted.Spec.NodeName), rollout.WithImage(fixtures.FluentdNext))))
		r.Settle(ctx)
		Expect(rollout.Where(r.State(ds).Pods, rollout.WithImage(fixtures.FluentdImage))).To(HaveLen(1), "the last old pod is all that is available, and should be left")
	})
})

var _ = Describe("A container that ends", func() {
	r := rollout.New(rollout.Disturbing(history.ReadinessFlaps))

	It("is started again in its pod", catalog.Covers("L-07"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.Container(func(c *corev1.Container) { c.Command = []string{"/bin/sleep", "1"} }))
		first := r.Soon(ctx, ds).Should(rollout.HavePods(2, "in all", rollout.Any))
		r.Eventually(ctx, ds).Should(rollout.HavePods(2, "that were restarted", func(p *corev1.Pod) bool {
			return len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].RestartCount >= 1
		}))
		r.Settle(ctx)
		Expect(r.State(ds).Pods).To(ConsistOf(rollout.SamePods(first.Pods)...), "the pods should be the same ones")
	})
})
