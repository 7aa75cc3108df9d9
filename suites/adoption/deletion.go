package adoption

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("Deleting a DaemonSet", func() {
	r := rollout.New()

	It("takes the object away at once and its pods, with their grace, and revisions after it", catalog.Covers("J-07"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r, rollout.TerminatesFor(2))
		r.Delete(ctx, before.DaemonSet, metav1.DeletePropagationBackground)
		_, err := r.Client.AppsV1().DaemonSets(r.Namespace).Get(ctx, before.DaemonSet.Name, metav1.GetOptions{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "the DaemonSet should be gone when the deletion is answered, but reading it says: %v", err)
		after := r.Soon(ctx, before.DaemonSet).Should(rollout.BeGone())
		for _, e := range after.All.Entries {
			if e.Pod != nil && e.Pod.DeletionTimestamp != nil && !rollout.Terminal(e.Pod) {
				Expect(e.Pod.DeletionGracePeriodSeconds).To(HaveValue(BeEquivalentTo(30)), "pod %s should have its own grace period", e.Pod.Name)
			}
		}
	})

	It("in the foreground keeps the object until its pods and revisions are gone", catalog.Covers("J-07"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r, rollout.TerminatesFor(2))
		r.Delete(ctx, before.DaemonSet, metav1.DeletePropagationForeground)
		r.Soon(ctx, before.DaemonSet).Should(rollout.Match("be on its way", func(s rollout.State) string {
			if s.DaemonSet == nil || s.DaemonSet.DeletionTimestamp == nil || len(s.Pods) == 0 {
				return "is gone already, though its pods take two seconds to end"
			}
			return ""
		}))
		r.Soon(ctx, before.DaemonSet).Should(rollout.Match("be gone", func(s rollout.State) string {
			if s.DaemonSet != nil {
				return "is still there"
			}
			return ""
		}))
		// What is listed now was there when the DaemonSet went, which we have seen.
		pods, err := r.Client.CoreV1().Pods(r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "name=" + fixtures.FluentdName})
		Expect(err).NotTo(HaveOccurred())
		Expect(pods.Items).To(BeEmpty(), "the DaemonSet is gone, so its pods should be")
		revisions, err := r.Client.AppsV1().ControllerRevisions(r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "name=" + fixtures.FluentdName})
		Expect(err).NotTo(HaveOccurred())
		Expect(revisions.Items).To(BeEmpty(), "the DaemonSet is gone, so its revisions should be")
	})

	It("makes nothing and writes nothing for it while it ends", catalog.Covers("J-08", "M-24"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r, rollout.TerminatesFor(8))
		ds := before.DaemonSet
		r.Delete(ctx, ds, metav1.DeletePropagationForeground)
		r.Settle(ctx) // by now the controller knows of the deletion
		status := r.State(ds).DaemonSet.Status
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.DeletePodWithin(ctx, before.Pods[0], 1)
		r.Soon(ctx, ds).Should(rollout.Match("have lost a pod", func(s rollout.State) string {
			if s.Find(before.Pods[0]) != nil {
				return "has pod " + before.Pods[0].Name + " still"
			}
			return ""
		}))
		r.Settle(ctx)
		after := r.State(ds)
		if after.DaemonSet != nil { // unless the machine is so slow that the other pod has ended too
			Expect(after.Pods).To(ConsistOf(rollout.SamePods(before.Pods[1:])...), "no pod should be made for a DaemonSet that ends")
			Expect(after.Revisions).To(BeEmpty(), "no revision should be made for a DaemonSet that ends")
			Expect(after.DaemonSet.Status).To(Equal(status), "nobody should write the status of a DaemonSet that ends")
		}
		end := r.Soon(ctx, ds).Should(rollout.BeGone())
		for _, e := range end.All.Entries {
			if e.Pod != nil && e.Pod.Labels["name"] == fixtures.FluentdName {
				Expect(before.Pods).To(ContainElement(HaveField("UID", e.Pod.UID)), "pod %s was made while the DaemonSet ended", e.Pod.Name)
			}
		}
	})

	It("does not keep another of its name from coming at once", catalog.Covers("J-11"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r, rollout.TerminatesFor(2))
		r.Delete(ctx, before.DaemonSet, metav1.DeletePropagationBackground)
		next := r.Create(ctx, fixtures.Fluentd(), rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, next).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of its own template", rollout.WithImage(fixtures.FluentdNext))))
		r.Soon(ctx, before.DaemonSet).Should(rollout.BeGone())
	})

	It("is not held up by pods on a node that does not answer", catalog.Covers("J-10"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		before := complete(ctx, r)
		r.StopNode(ctx, nodes[0])
		r.Delete(ctx, before.DaemonSet, metav1.DeletePropagationBackground)
		r.Soon(ctx, before.DaemonSet).Should(rollout.Match("be gone, with its pod on the node that answers", func(s rollout.State) string {
			if s.DaemonSet != nil {
				return "still exists"
			}
			for _, pod := range s.Pods {
				if rollout.TargetNode(pod) != nodes[0] {
					return "still has pod " + pod.Name
				}
			}
			return ""
		}))
	})

	It("with its namespace works in the middle of an update, and keeps the controller from nothing else", catalog.Covers("J-09"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		doomed := r.Elsewhere(ctx, "doomed")
		ds := doomed.Create(ctx, fixtures.Fluentd(), rollout.TerminatesFor(2))
		doomed.Eventually(ctx, ds).Should(rollout.BeComplete())
		doomed.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		doomed.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "that still run the old template", rollout.WithImage(fixtures.FluentdImage))))
		doomed.DeleteNamespace(ctx)
		doomed.Soon(ctx, ds).Should(rollout.BeGone())
		// A controller that went on trying would have no time for others.
		r.Settle(ctx)
	})
})

var _ = Describe("Orphaning, adopting and deleting", func() {
	r := rollout.New()

	It("leaves the pods alone that a DaemonSet does not control", catalog.Covers("J-12", "M-13"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		owned := r.CreatePod(ctx, lookalike("owned", nodes[0], r.Foreign(ctx, "owner")))
		other := lookalike("other", nodes[1])
		other.Labels = map[string]string{"name": "somebody-else"}
		other = r.CreatePod(ctx, other)
		untouched := func(what string) {
			GinkgoHelper()
			By(what)
			r.Settle(ctx)
			expectUntouched(r.State(fixtures.Fluentd()), owned)
			expectUntouched(r.State(fixtures.Fluentd()), other)
		}

		ds := complete(ctx, r).DaemonSet
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		untouched("after an update")
		orphaned(ctx, r, ds)
		heir := r.Create(ctx, fixtures.Fluentd(), called("fluentd-heir"), rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, heir).Should(rollout.BeComplete())
		untouched("after an adoption")
		r.Delete(ctx, heir, metav1.DeletePropagationForeground)
		r.Soon(ctx, heir).Should(rollout.BeGone())
		untouched("after a deletion")
	})

	It("takes no pod with it that the DaemonSet released before", catalog.Covers("J-12"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		before := complete(ctx, r)
		pod := rollout.Where(before.Pods, rollout.OnNode(nodes[0]))[0]
		r.EditPod(ctx, pod, "label name=released", func(live *corev1.Pod) { live.Labels["name"] = "released" })
		released := r.Eventually(ctx, before.DaemonSet).Should(rollout.And(rollout.BeComplete(), rollout.Match("have let the pod go", func(s rollout.State) string {
			if live := s.Find(pod); live == nil || len(live.OwnerReferences) > 0 {
				return "has not"
			}
			return ""
		}))).Find(pod)
		r.Delete(ctx, before.DaemonSet, metav1.DeletePropagationForeground)
		r.Soon(ctx, before.DaemonSet).Should(rollout.BeGone())
		r.Settle(ctx)
		expectUntouched(r.State(before.DaemonSet), released)
	})
})
