package rollout

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// Settle returns when the controller has done, after the call, something for another DaemonSet that we can see, and the history holds all of
// it. What it was going to do by then about the spec's own DaemonSet it has done: the way to look for what must not happen, without
// waiting for nothing. The other DaemonSet, the sentinel, selects no node, so it never has a pod.
func (r *R) Settle(ctx context.Context) {
	ginkgo.GinkgoHelper()
	labels := map[string]string{"rollcall.dev/sentinel": "true"}
	sentinel := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "sentinel-", Namespace: r.Namespace, Labels: map[string]string{cluster.RunLabel: r.Run}},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					NodeSelector: map[string]string{"rollcall.dev/sentinel": "nowhere"},
					Containers:   []corev1.Container{{Name: "none", Image: "rollcall.dev/sentinel:none"}},
				},
			},
		},
	}
	sets := r.Client.AppsV1().DaemonSets(r.Namespace)
	r.Act(ctx, history.Act{Verb: "create", Object: history.Reference{Resource: history.DaemonSets, Namespace: r.Namespace}, Note: "sentinel"}, func(ctx context.Context) (err error) {
		sentinel, err = sets.Create(ctx, sentinel, metav1.CreateOptions{})
		return err
	})
	// Twice round: the first sync of a new DaemonSet could be under way beside one of the spec's that began before it.
	for range 2 {
		r.Soon(ctx, sentinel).Should(HaveObserved())
		sentinel = r.Update(ctx, sentinel, func(ds *appsv1.DaemonSet) { ds.Spec.MinReadySeconds++ })
	}
	r.Soon(ctx, sentinel).Should(HaveObserved())
	gomega.Expect(sets.Delete(ctx, sentinel.Name, metav1.DeleteOptions{})).To(gomega.Succeed(), "deleting the sentinel")
	r.Barrier(ctx)
}
