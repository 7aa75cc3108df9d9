package adoption

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("Deleting a DaemonSet", func() {
	r := rollout.New()

	It("removes the object at once, and after it the revisions and, with their grace period, the pods", catalog.Covers("J-07"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r, rollout.TerminatesFor(2))
		r.Delete(ctx, before.DaemonSet, metav1.DeletePropagationBackground)
		_, err := r.Client.AppsV1().DaemonSets(r.Namespace).Get(ctx, before.DaemonSet.Name, metav1.GetOptions{})
		Expect(err).To(WithTransform(apierrors.IsNotFound, Equal(true)), "the DaemonSet should be gone when the deletion is answered, but reading it says: %v", err)
		after := r.Soon(ctx, before.DaemonSet).Should(rollout.BeGone())
		ending := map[types.UID]bool{}
		for _, e := range after.All.Entries {
			if e.Pod != nil && e.Pod.DeletionTimestamp != nil && !ending[e.Pod.UID] {
				ending[e.Pod.UID] = true // its kubelet shortens the time that is left when the pod has ended
				Expect(e.Pod.DeletionGracePeriodSeconds).To(HaveValue(BeEquivalentTo(30)), "pod %s should have its own grace period", e.Pod.Name)
			}
		}
		Expect(ending).To(HaveLen(2), "both pods should be seen ending")
	})

	It("in the foreground keeps the object until its pods and revisions are gone", catalog.Covers("J-07"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r, rollout.TerminatesFor(2))
		r.Delete(ctx, before.DaemonSet, metav1.DeletePropagationForeground)
		end := r.Soon(ctx, before.DaemonSet).Should(rollout.Match("be gone", func(s rollout.State) string {
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
		Expect(end.All.Entries).To(ContainElement(HaveField("DaemonSet", And(Not(BeNil()), HaveField("ObjectMeta.DeletionTimestamp", Not(BeNil()))))),
			"the DaemonSet should have been seen waiting for them")
	})

	It("creates nothing and writes nothing for it while it is being deleted", catalog.Covers("J-08", "M-24"), func(ctx SpecContext) {
		r.Hurry()
		r.Nodes(ctx, 2)
		before := complete(ctx, r, rollout.Lingering)
		ds := before.DaemonSet
		r.Delete(ctx, ds, metav1.DeletePropagationForeground)
		r.Settle(ctx) // by now the controller knows of the deletion
		status := r.State(ds).DaemonSet.Status
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.DeletePodWithin(ctx, before.Pods[0], 0) // a kubelet need not make haste with a pod that it is ending already
		r.Soon(ctx, ds).Should(rollout.Match("have lost a pod", func(s rollout.State) string {
			if s.Find(before.Pods[0]) != nil {
				return "has pod " + before.Pods[0].Name + " still"
			}
			return ""
		}))
		r.Settle(ctx)
		after := r.State(ds)
		Expect(after.DaemonSet).NotTo(BeNil(), "pod %s takes ten minutes to end, so the DaemonSet should be there still", before.Pods[1].Name)
		Expect(after.DaemonSet.Status).To(Equal(status), "nobody should write the status of a DaemonSet that ends")
		for _, e := range after.All.Entries {
			switch {
			case e.Pod != nil && e.Pod.Labels["name"] == fixtures.FluentdName:
				Expect(before.Pods).To(ContainElement(HaveField("UID", e.Pod.UID)), "pod %s was made for a DaemonSet that ends", e.Pod.Name)
			case e.ControllerRevision != nil && e.ControllerRevision.Labels["name"] == fixtures.FluentdName:
				Expect(before.Revisions).To(ContainElement(HaveField("UID", e.ControllerRevision.UID)), "revision %s was made for a DaemonSet that ends", e.ControllerRevision.Name)
			}
		}
		r.DeletePodWithin(ctx, before.Pods[1], 0)
		r.Soon(ctx, ds).Should(rollout.BeGone())
	})

	It("adopts nothing for it while it is being deleted, or the garbage collector would take that too", catalog.Covers("J-08", "J-12"), func(ctx SpecContext) {
		r.Hurry()
		nodes := r.Nodes(ctx, 2)
		before := complete(ctx, r, rollout.Lingering)
		ds := before.DaemonSet
		r.Delete(ctx, ds, metav1.DeletePropagationForeground)
		r.Settle(ctx) // by now the controller knows of the deletion
		orphan := r.CreatePod(ctx, lookalike("orphan", nodes[0]))
		r.Settle(ctx)
		Expect(r.State(ds).DaemonSet).NotTo(BeNil(), "the pods take ten minutes to end, so the DaemonSet should be there still")
		expectUntouched(r.State(ds), orphan)
		for _, pod := range before.Pods {
			r.DeletePodWithin(ctx, pod, 0)
		}
		r.Soon(ctx, ds).Should(rollout.BeGone())
		expectUntouched(r.State(ds), orphan)
	})

	It("does not keep one of the same name from being created at once", catalog.Covers("J-11"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r, rollout.TerminatesFor(2))
		r.Delete(ctx, before.DaemonSet, metav1.DeletePropagationBackground)
		next := r.Create(ctx, fixtures.Fluentd(), rollout.Image(fixtures.FluentdNext))
		rollout.Deviating(func() {
			r.Eventually(ctx, next).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of its own template", rollout.WithImage(fixtures.FluentdNext))))
		})
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
		doomed.Update(ctx, ds, rollout.Image(fixtures.FluentdNext), rollout.NeverReady()) // it stays in the middle
		// Whether the status tells of it yet is the controller's choice.
		doomed.Eventually(ctx, ds).Should(rollout.HavePods(1, "that still run the old template", rollout.WithImage(fixtures.FluentdImage)))
		doomed.DeleteNamespace(ctx)
		// The namespace controller takes the DaemonSet away, when its turn comes: other namespaces may be ending too.
		doomed.Soon(ctx, ds).Within(5 * time.Minute).Should(rollout.BeGone())
		// A controller that went on trying would have no time for others.
		r.Settle(ctx)
	})
})

var _ = Describe("Orphaning, adopting and deleting", func() {
	r := rollout.New()

	It("leaves the pods alone that a DaemonSet does not control", catalog.Covers("J-12", "M-13"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		// An owner of the DaemonSet's name: whose a pod is, its owner's UID says.
		owned := r.CreatePod(ctx, lookalike("owned", nodes[0], r.Foreign(ctx, fixtures.FluentdName)))
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
		inherited(ctx, r, ds)
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
		pod := rollout.First(before.Pods, rollout.OnNode(nodes[0]))
		keeper := r.Foreign(ctx, "keeper")
		keeper.Controller = nil // it owns the pod without controlling it
		r.EditPod(ctx, pod, "label name=released, and another owner", func(live *corev1.Pod) {
			live.Labels["name"] = "released"
			live.OwnerReferences = append(live.OwnerReferences, keeper)
		})
		released := r.Eventually(ctx, before.DaemonSet).Should(rollout.And(rollout.BeComplete(), rollout.Match("have let the pod go", func(s rollout.State) string {
			if live := s.Find(pod); live == nil || metav1.GetControllerOf(live) != nil {
				return "has not"
			}
			return ""
		}))).Find(pod)
		Expect(released.OwnerReferences).To(Equal([]metav1.OwnerReference{keeper}), "who lets pod %s go should leave it its other owner", pod.Name)
		r.Delete(ctx, before.DaemonSet, metav1.DeletePropagationForeground)
		r.Soon(ctx, before.DaemonSet).Should(rollout.BeGone())
		r.Settle(ctx)
		expectUntouched(r.State(before.DaemonSet), released)
	})
})
