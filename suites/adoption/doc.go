// Package adoption proves area J of the catalog: orphans, adoption and release, the three ways to delete, and what is left alone.
package adoption

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/rollout"
)

// complete creates the DaemonSet and waits until it is rolled out, and on record.
func complete(ctx context.Context, r *rollout.R, changes ...rollout.Change) rollout.State {
	GinkgoHelper()
	ds := r.Create(ctx, fixtures.Fluentd(), changes...)
	return r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.BeRecorded()))
}

// orphaned deletes the DaemonSet, leaving its pods and revisions, and waits until they have no owner.
func orphaned(ctx context.Context, r *rollout.R, ds *appsv1.DaemonSet) rollout.State {
	GinkgoHelper()
	r.Delete(ctx, ds, metav1.DeletePropagationOrphan)
	return r.Soon(ctx, ds).Should(rollout.BeGone())
}

// inherited is orphaned, and waits until the controller knows that the pods have no owner: a DaemonSet that comes then finds them there.
func inherited(ctx context.Context, r *rollout.R, ds *appsv1.DaemonSet) {
	GinkgoHelper()
	orphaned(ctx, r, ds)
	r.AwaitPodsKnown(ctx)
}

// called gives a DaemonSet another name and leaves its selector.
func called(name string) rollout.Change {
	return func(ds *appsv1.DaemonSet) { ds.Name = name }
}

// selected is the condition that the pod has the label that the fixtures' DaemonSet selects.
func selected(pod *corev1.Pod) bool { return pod.Labels["name"] == fixtures.FluentdName }

// lookalike is a pod on the node that the fixtures' DaemonSet selects.
func lookalike(name, node string, owners ...metav1.OwnerReference) *corev1.Pod {
	pod := rollout.BarePod(name, node, owners...)
	pod.Labels = map[string]string{"name": fixtures.FluentdName}
	return pod
}

// expectUntouched fails unless the pod is there as it was, with the owners that it had, and nobody deletes it.
func expectUntouched(s rollout.State, pod *corev1.Pod) {
	GinkgoHelper()
	live := s.Find(pod)
	Expect(live).NotTo(BeNil(), "pod %s should still exist", pod.Name)
	Expect(live.DeletionTimestamp).To(BeNil(), "nobody should delete pod %s", pod.Name)
	Expect(live.OwnerReferences).To(Equal(pod.OwnerReferences), "pod %s should have the owners that it had", pod.Name)
}
