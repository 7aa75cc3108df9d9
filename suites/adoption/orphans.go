package adoption

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("Pods that a deleted DaemonSet left behind", func() {
	r := rollout.New()

	It("run on with their revisions, and are not made again when they are deleted", catalog.Covers("J-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := complete(ctx, r).DaemonSet
		before := r.Soon(ctx, ds).Should(rollout.BeRecorded())
		orphaned(ctx, r, ds)
		left := r.State(ds).All
		Expect(left.Pods).To(ConsistOf(rollout.SamePods(before.Pods)...))
		for _, pod := range left.Pods {
			Expect(pod.OwnerReferences).To(BeEmpty(), "pod %s should have no owner", pod.Name)
			Expect(pod.Status.ContainerStatuses).To(HaveEach(HaveField("RestartCount", BeZero())), "pod %s should not be restarted", pod.Name)
		}
		r.Soon(ctx, ds).Should(rollout.Match("leave its revision behind, which has no owner", func(s rollout.State) string {
			all := s.All.ControllerRevisions
			switch {
			case len(all) != 1 || all[0].UID != before.Revisions[0].UID:
				return fmt.Sprintf("leaves %d revisions, or another one", len(all))
			case len(all[0].OwnerReferences) != 0:
				return fmt.Sprintf("leaves it to %s %s", all[0].OwnerReferences[0].Kind, all[0].OwnerReferences[0].Name)
			}
			return ""
		}))

		r.DeletePod(ctx, before.Pods[0])
		r.Soon(ctx, before.DaemonSet).Should(rollout.Match("have lost the pod", func(s rollout.State) string {
			if s.Find(before.Pods[0]) != nil {
				return "has pod " + before.Pods[0].Name + " still"
			}
			return ""
		}))
		r.Settle(ctx)
		Expect(r.State(before.DaemonSet).All.Pods).To(ConsistOf(rollout.SamePods(before.Pods[1:])...), "nobody should replace an orphan")
	})

	It("are adopted as they are by a DaemonSet of another name with their selector and template", catalog.Covers("J-02", "J-03"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		before := complete(ctx, r)
		inherited(ctx, r, before.DaemonSet)
		heir := r.Create(ctx, fixtures.Fluentd(), called("fluentd-heir"))
		r.Eventually(ctx, heir).Should(rollout.BeComplete())
		r.Settle(ctx)
		after := r.State(heir)
		Expect(after.Pods).To(ConsistOf(rollout.SamePods(before.Pods)...), "the heir should control the pods that were there")
		for _, pod := range after.Pods {
			Expect(pod.OwnerReferences).To(ContainElement(rollout.OwnedBy(heir)), "the heir should own pod %s as if it had made it", pod.Name)
			Expect(pod.Status.ContainerStatuses).To(HaveEach(HaveField("RestartCount", BeZero())), "pod %s should not be restarted", pod.Name)
		}
		Expect(rollout.Where(after.All.Pods, selected)).To(HaveLen(3), "no second pods should have been made")
	})

	It("are not adopted while they end, nor if another controller has them", catalog.Covers("J-02"), func(ctx SpecContext) {
		r.Hurry()
		nodes := r.Nodes(ctx, 2)
		foreign := r.CreatePod(ctx, lookalike("foreign", nodes[0], r.Foreign(ctx, "owner")))
		before := complete(ctx, r, rollout.Lingering)
		orphaned(ctx, r, before.DaemonSet)
		ending := rollout.First(before.Pods, rollout.OnNode(nodes[1]))
		r.DeletePod(ctx, ending)
		r.AwaitPodsKnown(ctx) // that one is ending, and that none has an owner

		heir := r.Create(ctx, fixtures.Fluentd(), rollout.Lingering)
		r.Eventually(ctx, heir).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "on the first node", rollout.OnNode(nodes[0]))))
		r.Settle(ctx)
		Expect(r.State(heir).All.Pods).To(ContainElement(HaveField("UID", ending.UID)), "pod %s takes ten minutes to end, so it should be there still", ending.Name)
		// Whether the heir makes a pod of its own beside it or waits for its end is free.
		r.DeletePodWithin(ctx, ending, 0)
		after := r.Eventually(ctx, heir).Should(rollout.BeComplete())
		Expect(after.Pods).NotTo(ContainElement(HaveField("UID", ending.UID)))
		Expect(rollout.Where(after.Pods, rollout.OnNode(nodes[1]))).To(HaveLen(1), "the node of the orphan that ended should have a pod of its own")
		Expect(rollout.Where(after.Pods, rollout.OnNode(nodes[0]))).To(ConsistOf(rollout.SamePods(rollout.Where(before.Pods, rollout.OnNode(nodes[0])))...))
		expectUntouched(after, foreign)
		for _, e := range after.All.Entries {
			if e.Pod != nil && e.Pod.UID == ending.UID {
				Expect(e.Pod.OwnerReferences).NotTo(ContainElement(HaveField("UID", heir.UID)), "pod %s was ending when the heir came", ending.Name)
			}
		}
	})

	DescribeTable("are replaced by a DaemonSet with another template, within its budget", func(ctx SpecContext, strategy rollout.Change, missing int) {
		r.Nodes(ctx, 3)
		ds := complete(ctx, r).DaemonSet
		// An update before the orphaning keeps this apart from the next spec.
		r.Update(ctx, ds, rollout.Template(func(t *corev1.PodTemplateSpec) { t.Labels["step"] = "second" }))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		inherited(ctx, r, ds)
		heir := r.Create(ctx, fixtures.FluentdUpdate(), rollout.ReadyAfter(1), strategy)
		r.Eventually(ctx, heir).Should(rollout.And(rollout.BeComplete(),
			rollout.HavePods(3, "of the heir's template", rollout.WithImage(fixtures.FluentdNext))))
		r.Barrier(ctx)
		Expect(mostMissing(r.State(heir), before.Pods)).To(BeNumerically("<=", missing), "the largest number of nodes that were without a Ready pod at once")
	},
		Entry("with maxUnavailable 1", catalog.Covers("J-04", "M-02"), rollout.MaxUnavailable(1), 1),
		Entry("with maxSurge 1", catalog.CoversWith([]catalog.Need{catalog.Surge}, "J-04", "M-03"), rollout.MaxSurge(1), 0),
	)

	It("are replaced, too, if they bear no revision's hash", catalog.Covers("J-04"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		r.CreatePod(ctx, lookalike("bare", nodes[0]))
		ds := r.Create(ctx, fixtures.FluentdUpdate())
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of its template", rollout.WithImage(fixtures.FluentdNext))))
	})

	It("are taken over also when they appear beside the pods of a DaemonSet, and one is left on their node", catalog.Covers("J-02", "B-07"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		before := complete(ctx, r)
		r.CreatePod(ctx, lookalike("late", nodes[0]))
		r.Barrier(ctx)
		after := r.Soon(ctx, before.DaemonSet).Should(rollout.And(rollout.BeComplete(), rollout.Match("leave no orphan", func(s rollout.State) string {
			for _, pod := range rollout.Where(s.All.Pods, selected) {
				if metav1.GetControllerOf(pod) == nil {
					return "leaves pod " + pod.Name + " an orphan"
				}
			}
			return ""
		})))
		Expect(rollout.Where(after.All.Pods, rollout.OnNode(nodes[0]))).To(HaveLen(1), "one of the two pods should be left")
	})

	It("are not pruned together with the younger pod beside them, where the node's pod may not go", catalog.Covers("B-07", "C-02", "M-02"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		elder := lookalike("elder", nodes[0])
		elder.Labels["name"] = "not-yet"
		elder = r.CreatePod(ctx, elder)
		hog := r.Fill(ctx, nodes[1], resource.MustParse("100Mi"))
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1), rollout.RequestMemory("200Mi"))
		// The node without room uses up what maxUnavailable allows.
		onFirst := rollout.All(rollout.OnNode(nodes[0]), rollout.Ready)
		before := r.Eventually(ctx, ds).Should(rollout.And(rollout.HavePods(1, "without room", rollout.Unschedulable), rollout.HavePods(1, "that is Ready on the first node", onFirst)))
		younger := rollout.First(before.Pods, onFirst)

		r.EditPod(ctx, elder, "label name="+fixtures.FluentdName, func(live *corev1.Pod) { live.Labels["name"] = fixtures.FluentdName })
		// Which of the two goes is the controller's choice: the older is of no revision, and the younger is one too many.
		left := r.Soon(ctx, ds).Should(rollout.Match("leave one pod on "+nodes[0], func(s rollout.State) string {
			if many := len(rollout.Where(s.All.Pods, rollout.OnNode(nodes[0]))); many != 1 {
				return fmt.Sprintf("leaves %d", many)
			}
			return ""
		}))
		r.Settle(ctx)
		for _, s := range []rollout.State{left, r.State(ds)} {
			Expect(rollout.Where(s.All.Pods, rollout.OnNode(nodes[0]))).To(Or(ConsistOf(rollout.SamePods([]*corev1.Pod{elder})...), ConsistOf(rollout.SamePods([]*corev1.Pod{younger})...)),
				"one of the two pods should stay on %s: there is none on %s, and maxUnavailable is 1", nodes[0], nodes[1])
		}

		r.MakeRoom(ctx, hog)
		after := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		Expect(after.All.Pods).To(HaveEach(HaveField("Labels", HaveKey(appsv1.ControllerRevisionHashLabelKey))), "the pod of no revision should be replaced")
	})

	It("are adopted where the whole selector matches them, and left alone where only its labels do", catalog.Covers("J-02", "J-12"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		stray := r.CreatePod(ctx, lookalike("stray", nodes[0]))
		keeper := r.Foreign(ctx, "keeper")
		keeper.Controller = nil // it owns the pod without controlling it
		kin := lookalike("kin", nodes[1], keeper)
		kin.Labels["tier"] = "edge"
		kin = r.CreatePod(ctx, kin)
		r.AwaitPodsKnown(ctx)

		// OnDelete keeps what is adopted, though it is of no revision.
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.OnDelete(), func(ds *appsv1.DaemonSet) {
			ds.Spec.Selector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"node", "edge"}}}
			ds.Spec.Template.Labels["tier"] = "node"
		})
		own := rollout.All(rollout.OnNode(nodes[0]), rollout.Other(stray), rollout.Ready)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "of its own on the node of the pod that it does not select", own),
			rollout.HavePods(1, "that it adopted, since pod kin matches labels and expressions", func(p *corev1.Pod) bool { return p.UID == kin.UID })))
		r.Settle(ctx)
		after := r.State(ds)
		expectUntouched(after, stray)
		Expect(after.Find(kin).OwnerReferences).To(ContainElement(keeper), "who adopts pod kin should leave it its other owner")
		Expect(after).To(rollout.HavePods(2, "in all", rollout.Any))
	})

	DescribeTable("keep the DaemonSet that adopts them from nothing, though they are for no node", func(ctx SpecContext, affinity *corev1.Affinity) {
		r.Nodes(ctx, 2)
		ds := complete(ctx, r).DaemonSet
		nowhere := lookalike("nowhere", "")
		nowhere.Spec.NodeSelector = map[string]string{"rollcall.dev/nowhere": "true"}
		nowhere.Spec.Affinity = affinity
		r.CreatePod(ctx, nowhere)
		r.Update(ctx, ds, rollout.Edition("2"))
		// The pod itself may stay or go.
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(),
			rollout.HavePods(2, "of the new template that are Ready", rollout.All(rollout.OfEdition("2"), rollout.Ready)),
			rollout.HaveStatus("2 of 2 nodes updated and available", func(s appsv1.DaemonSetStatus) bool {
				return s.DesiredNumberScheduled == 2 && s.UpdatedNumberScheduled == 2 && s.NumberAvailable == 2
			})))
	},
		Entry("and have no affinity", catalog.Covers("J-02", "B-01"), nil),
		Entry("and avoid other pods", catalog.Covers("J-02", "B-01"), &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"name": "nobody"}}, TopologyKey: corev1.LabelHostname}},
		}}),
	)

	It("are kept by an OnDelete DaemonSet with another template", catalog.Covers("J-04"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := complete(ctx, r).DaemonSet
		r.Update(ctx, ds, rollout.Template(func(t *corev1.PodTemplateSpec) { t.Labels["step"] = "second" }))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		inherited(ctx, r, ds)
		heir := r.Create(ctx, fixtures.FluentdUpdate(), rollout.OnDelete())
		r.Soon(ctx, heir).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(2, "that it adopted", rollout.WithImage(fixtures.FluentdImage))))
		r.Settle(ctx)
		Expect(r.State(heir).Pods).To(ConsistOf(rollout.SamePods(before.Pods)...), "OnDelete must not replace a pod by itself")

		r.DeletePod(ctx, before.Pods[0])
		r.Eventually(ctx, heir).Should(rollout.HavePods(1, "of the heir's template", rollout.All(rollout.WithImage(fixtures.FluentdNext), rollout.Ready)))
	})

	It("are replaced, too, if they are of a DaemonSet that was never updated", catalog.Covers("J-05"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		inherited(ctx, r, complete(ctx, r).DaemonSet)
		heir := r.Create(ctx, fixtures.Fluentd(), rollout.Image(fixtures.FluentdNext))
		after := r.Eventually(ctx, heir).Should(rollout.BeComplete())
		rollout.Deviating(func() {
			Expect(rollout.Where(after.Pods, rollout.WithImage(fixtures.FluentdImage))).To(BeEmpty(),
				"the status calls the DaemonSet completely rolled out, so no pod should still run another image than its template's")
		})
	})
})

// mostMissing is the largest number of nodes that had no pod at once, of those that the pods were on. Where two pods of a node follow one
// another it counts from the event that took the first away to that which shows the second Ready.
func mostMissing(s rollout.State, first []*corev1.Pod) int {
	ready := map[string]map[string]bool{}
	began := false
	for _, pod := range first {
		ready[pod.Spec.NodeName] = map[string]bool{string(pod.UID): true}
	}
	most := 0
	for _, e := range s.All.Entries {
		if e.DaemonSet != nil && e.DaemonSet.UID == s.DaemonSet.UID {
			began = true
		}
		if e.Pod == nil || !began || !selected(e.Pod) || ready[e.Pod.Spec.NodeName] == nil {
			continue
		}
		// A pod that was Ready and is no longer is the node's affair, not the controller's.
		up := e.Type != history.Deleted && e.Pod.DeletionTimestamp == nil && (rollout.Ready(e.Pod) || ready[e.Pod.Spec.NodeName][string(e.Pod.UID)])
		ready[e.Pod.Spec.NodeName][string(e.Pod.UID)] = up
		missing := 0
		for _, pods := range ready {
			served := false
			for _, up := range pods {
				served = served || up
			}
			if !served {
				missing++
			}
		}
		most = max(most, missing)
	}
	return most
}
