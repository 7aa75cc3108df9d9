package nodes

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A change of a node", func() {
	r := rollout.New()

	It("that makes it match gets it a pod, and one that makes it match no longer takes the pod away, whatever the budget", catalog.Covers("K-03"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 3)
		namesake := r.Foreign(ctx, fixtures.FluentdName)
		for _, node := range nodes {
			r.LabelNode(ctx, node, "chosen")
			// Whoever looks for the DaemonSet's pod on a node finds others there, too.
			r.CreatePod(ctx, rollout.BarePod("nobodys-on-"+node, node))
			r.CreatePod(ctx, rollout.BarePod("namesakes-on-"+node, node, namesake))
		}
		before := complete(ctx, r, rollout.MaxUnavailable(1), rollout.TerminatesFor(1), r.NodesLabelled("chosen"))
		ds := before.DaemonSet

		r.UnlabelNode(ctx, nodes[0], "chosen")
		r.UnlabelNode(ctx, nodes[1], "chosen")
		r.Soon(ctx, ds).Should(rollout.And(haveNone(nodes[0]), haveNone(nodes[1]), desire(1)))
		r.Settle(ctx)
		Expect(r.State(ds).Pods).To(ConsistOf(rollout.SamePods(rollout.Where(before.Pods, rollout.OnNode(nodes[2])))...), "the node that still matches should keep its pod")

		r.LabelNode(ctx, nodes[0], "chosen")
		r.LabelNode(ctx, nodes[1], "chosen")
		r.Barrier(ctx)
		r.Soon(ctx, ds).Should(rollout.BeComplete())

		r.Settle(ctx) // so that the label is what the controller has to notice
		r.RelabelNode(ctx, nodes[2], "chosen")
		r.Soon(ctx, ds).Should(rollout.And(haveNone(nodes[2]), desire(2)))
	})

	It("that makes it match several DaemonSets gets it a pod of each", catalog.Covers("K-03"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		r.LabelNode(ctx, nodes[0], "chosen")
		chosen := r.NodesLabelled("chosen")
		first, second := complete(ctx, r, chosen).DaemonSet, complete(ctx, r, chosen, rollout.Named("second")).DaemonSet
		r.Settle(ctx) // so that the label is what each of them has to be looked at for
		r.LabelNode(ctx, nodes[1], "chosen")
		r.Soon(ctx, first).Should(rollout.BeCompleteOn(nodes...))
		r.Soon(ctx, second).Should(rollout.BeCompleteOn(nodes...))
	})

	It("that makes it match gets it a pod at once also while another node's pod takes long to end", catalog.Covers("K-03"), func(ctx SpecContext) {
		r.Hurry()
		nodes := r.NodesAlone(ctx, 2)
		r.LabelNode(ctx, nodes[0], "chosen")
		grace := int64(300)
		before := complete(ctx, r, rollout.TerminatesFor(300), r.NodesLabelled("chosen"), func(ds *appsv1.DaemonSet) {
			ds.Spec.Template.Spec.TerminationGracePeriodSeconds = &grace
		})
		r.UnlabelNode(ctx, nodes[0], "chosen")
		r.Soon(ctx, before.DaemonSet).Should(rollout.Match("let its pod go", func(s rollout.State) string {
			if pod := s.Find(before.Pods[0]); pod != nil && pod.DeletionTimestamp == nil {
				return "has not deleted pod " + pod.Name
			}
			return ""
		}))
		r.Settle(ctx)
		r.LabelNode(ctx, nodes[1], "chosen")
		after := r.Soon(ctx, before.DaemonSet).Should(rollout.HavePods(1, "on the node that matches now", rollout.All(rollout.OnNode(nodes[1]), rollout.Ready)))
		Expect(after.Find(before.Pods[0])).NotTo(BeNil(), "the first node's pod should still be ending")
	})

	DescribeTable("by an untolerated NoExecute taint takes the pod away until the taint", func(ctx SpecContext, end func(context.Context, string)) {
		nodes := r.NodesAlone(ctx, 2)
		before := complete(ctx, r)
		ds := before.DaemonSet
		r.Taint(ctx, nodes[0], "out", corev1.TaintEffectNoExecute)
		r.Soon(ctx, ds).Should(rollout.And(haveNone(nodes[0]), desire(1)))
		r.Settle(ctx)
		Expect(r.State(ds).Pods).To(ConsistOf(rollout.SamePods(rollout.Where(before.Pods, rollout.OnNode(nodes[1])))...), "the tainted node should stay without a pod, and the other keep its own")

		end(ctx, nodes[0])
		r.Barrier(ctx)
		r.Soon(ctx, ds).Should(rollout.BeComplete())
	},
		Entry("is gone", catalog.Covers("K-04"), func(ctx context.Context, node string) { r.Untaint(ctx, node, "out") }),
		Entry("says PreferNoSchedule instead", catalog.Covers("K-04", "K-06"), func(ctx context.Context, node string) {
			r.Taint(ctx, node, "out", corev1.TaintEffectPreferNoSchedule)
		}),
	)

	DescribeTable("by an untolerated NoSchedule taint leaves the pod, and makes none after it,", func(ctx SpecContext, strategy rollout.Change) {
		nodes := r.NodesAlone(ctx, 2)
		before := complete(ctx, r, strategy)
		ds := before.DaemonSet
		r.Taint(ctx, nodes[0], "full", corev1.TaintEffectNoSchedule)
		r.AwaitKnown(ctx, nodes[0])
		r.Update(ctx, ds, func(ds *appsv1.DaemonSet) { ds.Spec.MinReadySeconds = 1 }) // so that the controller looks at it
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Settle(ctx)
		Expect(r.State(ds).Pods).To(ConsistOf(rollout.SamePods(before.Pods)...), "the pod on the tainted node should run on")

		r.DeletePod(ctx, podOn(before, nodes[0]))
		r.Soon(ctx, ds).Should(rollout.And(haveNone(nodes[0]), rollout.HaveStatus("1 node desired, and none misscheduled", func(s appsv1.DaemonSetStatus) bool {
			return s.DesiredNumberScheduled == 1 && s.NumberMisscheduled == 0
		})))
		r.Settle(ctx)
		Expect(rollout.Where(r.State(ds).Pods, rollout.OnNode(nodes[0]))).To(BeEmpty(), "the tainted node should get no pod")

		r.Untaint(ctx, nodes[0], "full")
		r.Barrier(ctx)
		r.Soon(ctx, ds).Should(rollout.BeComplete())
	},
		Entry("with maxUnavailable", catalog.Covers("K-05", "G-01"), rollout.MaxUnavailable(1)),
		Entry("with maxSurge", catalog.CoversWith([]catalog.Need{catalog.Surge}, "K-05", "G-01"), rollout.MaxSurge(1)),
	)

	DescribeTable("by an untolerated NoSchedule taint keeps an update off the node, and from no other,", func(ctx SpecContext, strategy rollout.Change) {
		nodes := r.NodesAlone(ctx, 3)
		ds := complete(ctx, r, strategy).DaemonSet
		r.Taint(ctx, nodes[0], "full", corev1.TaintEffectNoSchedule)
		r.AwaitKnown(ctx, nodes[0])
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		next := rollout.WithImage(fixtures.FluentdNext)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(2, "of the new template that are Ready", rollout.All(next, rollout.Ready)),
			rollout.HavePods(0, "of the old template on the other nodes", func(p *corev1.Pod) bool { return !next(p) && rollout.TargetNode(p) != nodes[0] })))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(0, "of the new template on the tainted node", rollout.All(next, rollout.OnNode(nodes[0]))))
	}, // whether the old pod stays there is free
		Entry("with maxUnavailable", catalog.Covers("K-05", "C-01"), rollout.MaxUnavailable(1)),
		Entry("with maxSurge", catalog.CoversWith([]catalog.Need{catalog.Surge}, "K-05", "C-01"), rollout.MaxSurge(1)),
	)

	It("that makes it match no longer takes away a pod, too, that waits for room there", catalog.CoversWith([]catalog.Need{catalog.NodeChanges}, "K-03"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		r.Fill(ctx, nodes[0], resource.MustParse("100Mi"))
		for _, node := range nodes {
			r.LabelNode(ctx, node, "wanted")
		}
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.RequestMemory("200Mi"), r.NodesLabelled("wanted"))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(),
			rollout.HavePods(1, "without room", rollout.All(rollout.Unschedulable, rollout.OnNode(nodes[0]))),
			rollout.HavePods(1, "that are Ready", rollout.All(rollout.Ready, rollout.OnNode(nodes[1])))))
		r.UnlabelNode(ctx, nodes[0], "wanted")
		r.AwaitKnown(ctx, nodes[1]) // what came later
		// kube-controller-manager is not woken by a node whose pod has no room: the change is one of the spec.
		r.Update(ctx, ds, rollout.MinReadySeconds(1))
		r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "in all", rollout.Any), rollout.HavePods(0, "for the node that it is not for", rollout.OnNode(nodes[0]))))
	})

	It("that gives its taint a value which is tolerated gets it a pod", catalog.CoversWith([]catalog.Need{catalog.NodeChanges}, "B-01"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		key := r.TaintWith(ctx, nodes[0], "valued", "first", corev1.TaintEffectNoSchedule)
		r.AwaitKnown(ctx, nodes[0])
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.Template(func(t *corev1.PodTemplateSpec) {
			t.Spec.Tolerations = append(t.Spec.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpEqual, Value: "second"})
		}))
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes[1]))
		r.Settle(ctx)
		r.TaintWith(ctx, nodes[0], "valued", "second", corev1.TaintEffectNoSchedule)
		r.Soon(ctx, ds).Should(rollout.BeCompleteOn(nodes...))
	})

	It("by a PreferNoSchedule taint changes nothing", catalog.Covers("K-06"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		before := complete(ctx, r)
		ds := before.DaemonSet
		for _, node := range nodes {
			r.Taint(ctx, node, "rather-not", corev1.TaintEffectPreferNoSchedule)
		}
		r.Settle(ctx)
		Expect(r.State(ds).Pods).To(ConsistOf(rollout.SamePods(before.Pods)...))
		r.DeletePod(ctx, podOn(before, nodes[0]))
		r.Soon(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(1, "that are new", func(p *corev1.Pod) bool {
			return p.UID != before.Pods[0].UID && p.UID != before.Pods[1].UID
		})))
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", rollout.WithImage(fixtures.FluentdNext))))
	})

	DescribeTable("by cordoning it changes nothing: the pod runs, is made again and is updated", func(ctx SpecContext, strategy rollout.Change) {
		nodes := r.NodesAlone(ctx, 2)
		before := complete(ctx, r, strategy)
		ds := before.DaemonSet
		r.Cordon(ctx, nodes[0])
		r.Settle(ctx)
		Expect(r.State(ds).Pods).To(ConsistOf(rollout.SamePods(before.Pods)...), "the pods should run on")
		cordoned := podOn(before, nodes[0])
		r.DeletePod(ctx, cordoned)
		r.Soon(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(1, "that are new", rollout.All(rollout.OnNode(nodes[0]), rollout.Other(cordoned)))))
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", rollout.WithImage(fixtures.FluentdNext))))
	},
		Entry("with maxUnavailable", catalog.Covers("K-07"), rollout.MaxUnavailable(1)),
		Entry("with maxSurge", catalog.CoversWith([]catalog.Need{catalog.Surge}, "K-07"), rollout.MaxSurge(1)),
	)

	It("in its resources, conditions or annotations makes and deletes no pod", catalog.Covers("K-10"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		before := complete(ctx, r)
		r.Report(ctx, nodes[0], "rollcall.dev/things", "2")
		r.Annotate(ctx, nodes[1], "rollcall.dev/note")
		r.Settle(ctx)
		r.Update(ctx, before.DaemonSet, func(ds *appsv1.DaemonSet) { ds.Spec.MinReadySeconds = 1 }) // so that the controller looks at it
		r.Eventually(ctx, before.DaemonSet).Should(rollout.BeComplete())
		r.Settle(ctx)
		Expect(r.State(before.DaemonSet).Pods).To(ConsistOf(rollout.SamePods(before.Pods)...))
	})
})
