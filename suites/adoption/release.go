package adoption

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("Pods that a deleted DaemonSet left behind", func() {
	r := rollout.New()
	rename := func(ctx context.Context, pod *corev1.Pod, to string) {
		r.EditPod(ctx, pod, "label name="+to, func(live *corev1.Pod) { live.Labels["name"] = to })
	}

	It("are released when their labels change, and adopted again when they match", catalog.Covers("J-06"), func(ctx SpecContext) {
		r.NodesAlone(ctx, 2) // no other lease is to wake the controller
		before := complete(ctx, r)
		ds, pod := before.DaemonSet, before.Pods[0]
		rename(ctx, pod, "released")
		replaced := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.Match("have let the pod go", func(s rollout.State) string {
			if live := s.Find(pod); live == nil || len(live.OwnerReferences) > 0 {
				return "has not: it still controls the pod, or the pod is gone"
			}
			return ""
		})))
		Expect(rollout.Where(replaced.Pods, rollout.OnNode(pod.Spec.NodeName))).To(HaveLen(1), "the node of the released pod should have another")

		// At rest nothing but the change itself makes a controller look at the pod again.
		r.Settle(ctx)
		rename(ctx, pod, fixtures.FluentdName)
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.Match("have taken the pod back, or pruned it", func(s rollout.State) string {
			if live := s.Find(pod); live != nil && len(live.OwnerReferences) == 0 {
				return "has left it an orphan"
			}
			return ""
		})))
		last := ""
		for _, e := range after.All.Entries {
			if e.Pod != nil && e.Pod.UID == pod.UID && e.Type == history.Modified {
				last = "nobody"
				if c := metav1.GetControllerOf(e.Pod); c != nil {
					last = string(c.UID)
				}
			}
		}
		Expect(last).To(Equal(string(ds.UID)), "pod %s matches the selector again, so the DaemonSet should have taken it over before one of the two went", pod.Name)
		Expect(rollout.Where(after.All.Pods, rollout.OnNode(pod.Spec.NodeName))).To(HaveLen(1), "one of the two pods should be left")
	})

	It("are updated, too, when they match again after an update that is through", catalog.Covers("J-04", "J-06", "C-01"), func(ctx SpecContext) {
		r.NodesAlone(ctx, 2) // as above
		before := complete(ctx, r)
		ds, pod := before.DaemonSet, before.Pods[0]
		rename(ctx, pod, "released")
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(1, "in its place", rollout.All(rollout.OnNode(pod.Spec.NodeName), rollout.Other(pod)))))
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		next := rollout.HavePods(2, "with the next image", rollout.WithImage(fixtures.FluentdNext))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), next))
		r.Settle(ctx)
		// Whichever of the two goes then, the node is to have one of the new template.
		rename(ctx, pod, fixtures.FluentdName)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), next, rollout.Match("have taken the pod back, and replaced or pruned it", func(s rollout.State) string {
			if s.Find(pod) != nil {
				return "has left it there"
			}
			return ""
		})))
	})

	It("are released by one DaemonSet and adopted by another whose labels they are given", catalog.Covers("J-06", "J-02", "B-07"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2) // as above
		before := complete(ctx, r)
		other := complete(ctx, r, rollout.Named("second")).DaemonSet
		r.Settle(ctx) // so that the change is what both have to notice
		moved := before.Pods[0]
		rename(ctx, moved, "second")
		r.Eventually(ctx, before.DaemonSet).Should(rollout.And(rollout.BeCompleteOn(nodes...), rollout.HavePods(1, "in its place", rollout.All(rollout.OnNode(moved.Spec.NodeName), rollout.Other(moved)))))
		r.Eventually(ctx, other).Should(rollout.And(rollout.BeCompleteOn(nodes...), rollout.Match("leave no orphan", func(s rollout.State) string {
			if pod := s.Find(moved); pod != nil && metav1.GetControllerOf(pod) == nil {
				return "has not adopted pod " + pod.Name
			}
			return ""
		})))
	})
})
