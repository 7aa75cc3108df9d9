package status

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("The status of a DaemonSet at rest", func() {
	r := rollout.New()

	It("tells Ready pods from others, and new ones from old ones", catalog.Covers("G-01", "G-02"), func(ctx SpecContext) {
		r.Nodes(ctx, 4)
		before := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), rollout.OnDelete())).Should(rollout.BeComplete())
		ds := r.Update(ctx, before.DaemonSet, rollout.Image(fixtures.FluentdNext), rollout.NeverReady())
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.DeletePod(ctx, before.Pods[0])
		r.Soon(ctx, ds).Should(rollout.And(
			rollout.HavePods(1, "with the next image, which run", func(pod *corev1.Pod) bool {
				return rollout.WithImage(fixtures.FluentdNext)(pod) && pod.Status.Phase == corev1.PodRunning
			}),
			rollout.HaveExactStatus(rollout.WithImage(fixtures.FluentdNext))))
		r.Settle(ctx)
		after := r.State(ds)
		Expect(after).To(rollout.HaveExactStatus(rollout.WithImage(fixtures.FluentdNext)))
		Expect(after.DaemonSet.Status).To(And(HaveField("NumberReady", BeEquivalentTo(3)), HaveField("UpdatedNumberScheduled", BeEquivalentTo(1))), "by hand")
	})

	It("counts pods that wait for room as scheduled, but not as ready", catalog.Covers("G-01", "G-02"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.Container(func(c *corev1.Container) {
			c.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Pi")}
		}))
		r.Eventually(ctx, ds).Should(rollout.And(
			rollout.HavePods(2, "that the scheduler has no room for", rollout.Unschedulable), rollout.HaveExactStatus(rollout.Any)))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HaveExactStatus(rollout.Any))
		Expect(r.State(ds).DaemonSet.Status).To(And(HaveField("CurrentNumberScheduled", BeEquivalentTo(2)), HaveField("NumberUnavailable", BeEquivalentTo(2))), "by hand")
	})

	It("counts a pod on a node that is not eligible any more as misscheduled, until the node is eligible again",
		catalog.CoversWith([]catalog.Need{catalog.NodeChanges}, "G-01", "G-02"), func(ctx SpecContext) {
			nodes := r.NodesAlone(ctx, 3)
			ds := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd())).Should(rollout.BeComplete()).DaemonSet
			r.Taint(ctx, nodes[0], "misscheduled", corev1.TaintEffectNoSchedule)
			r.AwaitKnown(ctx, nodes[0])
			// A change of the spec has to be looked at; whether the taint alone is noticed is G-09.
			limit := int32(5)
			r.Update(ctx, ds, func(ds *appsv1.DaemonSet) { ds.Spec.RevisionHistoryLimit = &limit })
			r.Soon(ctx, ds).Should(rollout.And(rollout.HaveExactStatus(rollout.Any), rollout.HaveStatus("1 of 3 nodes misscheduled", func(s appsv1.DaemonSetStatus) bool {
				return s.DesiredNumberScheduled == 2 && s.NumberMisscheduled == 1
			})))
			// The status was written, which has a controller look once more: it must not be that look that sees the taint gone.
			r.Settle(ctx)
			r.Untaint(ctx, nodes[0], "misscheduled")
			r.Soon(ctx, ds).Should(rollout.And(rollout.HaveExactStatus(rollout.Any), rollout.BeComplete()))
		})
})

var _ = Describe("The status of a DaemonSet during an update", func() {
	r := rollout.New()

	DescribeTable("adds up in every single write,", func(ctx SpecContext, strategy, minReady rollout.Change) {
		r.Nodes(ctx, 4)
		before := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), strategy, rollout.ReadyAfter(1))).Should(rollout.BeComplete())
		ds := r.Update(ctx, before.DaemonSet, rollout.Image(fixtures.FluentdNext), minReady)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(4, "with the next image", rollout.WithImage(fixtures.FluentdNext))))
	}, // that it does is M-14
		Entry("with maxUnavailable", catalog.Covers("G-02", "M-14"), rollout.MaxUnavailable(2), rollout.MinReadySeconds(1)),
		// With surge and minReadySeconds an update may wait for ever on upstream, which is D-13.
		Entry("with maxSurge", catalog.Covers("G-02", "M-14"), rollout.MaxSurge(2), rollout.MinReadySeconds(0)),
	)

	DescribeTable("counts a node as ready and available by its old pod while the new one beside it", func(ctx SpecContext, fails rollout.Change, waits func(*corev1.Pod) bool) {
		r.Nodes(ctx, 4)
		// minReadySeconds sets the two pods' creation apart by more than the second that it is told by.
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge("100%"), rollout.MinReadySeconds(2))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext), fails)
		r.Eventually(ctx, ds).Should(rollout.HavePods(4, "of the new template that wait", rollout.All(rollout.WithImage(fixtures.FluentdNext), waits)))
		// Whoever takes either of a node's pods is right now and then.
		for limit := range int32(3) {
			r.Update(ctx, ds, func(ds *appsv1.DaemonSet) { ds.Spec.RevisionHistoryLimit = new(5 + limit) })
			r.Soon(ctx, ds).Should(rollout.HaveObserved())
			r.Settle(ctx)
			Expect(r.State(ds)).To(rollout.HaveStatus("4 of 4 nodes scheduled, ready and available", func(s appsv1.DaemonSetStatus) bool {
				return s.DesiredNumberScheduled == 4 && s.CurrentNumberScheduled == 4 && s.NumberReady == 4 && s.NumberAvailable == 4 && s.NumberUnavailable == 0
			}))
		}
	},
		Entry("is not Ready", catalog.CoversWith([]catalog.Need{catalog.Surge}, "G-01", "D-04"), rollout.NeverReady(), func(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning }),
		Entry("has no room", catalog.CoversWith([]catalog.Need{catalog.Surge}, "G-01", "D-04"), rollout.RequestMemory("900Ti"), rollout.Unschedulable),
	)

	It("follows each change of the spec, and counts for the newest one", catalog.Covers("G-03", "M-15"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), rollout.OnDelete())).Should(rollout.BeComplete()).DaemonSet
		limit := int32(5)
		ds = r.Update(ctx, ds, func(ds *appsv1.DaemonSet) { ds.Spec.RevisionHistoryLimit = &limit })
		seen := r.Soon(ctx, ds).Should(rollout.HaveObserved())
		Expect(seen.DaemonSet.Status.UpdatedNumberScheduled).To(BeEquivalentTo(3), "the template is the one that all pods run")

		ds = r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		seen = r.Soon(ctx, ds).Should(rollout.HaveObserved())
		Expect(seen.DaemonSet.Status.UpdatedNumberScheduled).To(BeZero(), "no pod runs the template of generation %d", ds.Generation)

		ds = r.Update(ctx, ds, rollout.Image(fixtures.FluentdImage))
		seen = r.Soon(ctx, ds).Should(rollout.HaveObserved())
		Expect(seen.DaemonSet.Status.UpdatedNumberScheduled).To(BeEquivalentTo(3), "all pods run the template again")
	})

	It("can be written without a new generation and without an update of the pods", catalog.Covers("G-13"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd())).Should(rollout.BeComplete())
		Expect(before.DaemonSet.Generation).To(BeEquivalentTo(1), "the controller has written the status, and nobody the spec")
		r.PatchStatus(ctx, before.DaemonSet, `{"status":{"conditions":[{"type":"rollcall.dev/Seen","status":"True"}]}}`)
		r.Settle(ctx)
		after := r.State(before.DaemonSet)
		Expect(after).To(rollout.BeComplete())
		Expect(after.DaemonSet.Generation).To(BeEquivalentTo(1), "a condition is status too")
		Expect(after.Pods).To(ConsistOf(rollout.SamePods(before.Pods)), "nothing was updated")
	})
})

var _ = Describe("The status of a DaemonSet whose container ends", func() {
	r := rollout.New(rollout.Disturbing(history.ReadinessFlaps))

	It("no longer counts the pod as ready while the container waits to be started again, though nothing else happens", catalog.Covers("G-01", "G-02"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.Container(func(c *corev1.Container) { c.Command = []string{"/bin/sleep", "15"} }))
		r.Eventually(ctx, ds).Should(rollout.HaveStatus("1 of 1 pods ready and available", func(s appsv1.DaemonSetStatus) bool {
			return s.DesiredNumberScheduled == 1 && s.NumberReady == 1 && s.NumberAvailable == 1
		}))
		r.Eventually(ctx, ds).Should(rollout.And(
			rollout.HavePods(1, "whose container waits to be started again", rollout.Waiting("CrashLoopBackOff")),
			rollout.HaveStatus("no pod ready or available", func(s appsv1.DaemonSetStatus) bool {
				return s.CurrentNumberScheduled == 1 && s.NumberReady == 0 && s.NumberAvailable == 0 && s.NumberUnavailable == 1
			})))
	})
})
