package rollout

import (
	"context"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// EvictPod evicts a pod through the API, as kubectl drain and autoscalers do.
func (r *R) EvictPod(ctx context.Context, pod *corev1.Pod) {
	ginkgo.GinkgoHelper()
	gomega.Expect(r.TryEvictPod(ctx, pod)).To(gomega.Succeed(), "evicting pod %s", pod.Name)
}

// TryEvictPod is EvictPod for an eviction that may be refused.
func (r *R) TryEvictPod(ctx context.Context, pod *corev1.Pod) error {
	uid := pod.UID
	eviction := &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}},
	}
	act := history.Act{Verb: "evict", Object: podReference(pod), Disturbs: []history.Disturbance{history.PodsDeleted}}
	return r.Try(ctx, act, func(ctx context.Context) error {
		return r.Client.PolicyV1().Evictions(pod.Namespace).Evict(ctx, eviction)
	})
}

// Protect gives the pod a PodDisruptionBudget that allows no eviction of it.
func (r *R) Protect(ctx context.Context, pod *corev1.Pod) {
	ginkgo.GinkgoHelper()
	one := intstr.FromInt32(1)
	_, err := r.Client.PolicyV1().PodDisruptionBudgets(pod.Namespace).Create(ctx, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Labels: map[string]string{cluster.RunLabel: r.Run}},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &one, Selector: &metav1.LabelSelector{MatchLabels: pod.Labels}},
	}, metav1.CreateOptions{})
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "creating a PodDisruptionBudget for pod %s", pod.Name)
}

// DeletePodWithin deletes a pod as a user would, with another grace period in seconds; 0 takes the object away at once.
// A pod that is gone already, because the garbage collector was faster, is fine.
func (r *R) DeletePodWithin(ctx context.Context, pod *corev1.Pod, grace int64) {
	ginkgo.GinkgoHelper()
	uid := pod.UID
	act := history.Act{Verb: "delete", Object: podReference(pod), Disturbs: []history.Disturbance{history.PodsDeleted}, Note: "by hand, with a grace period of its own"}
	r.Act(ctx, act, func(ctx context.Context) error {
		err := r.Client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace, Preconditions: &metav1.Preconditions{UID: &uid}})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}

// EndPod writes a terminal phase, Failed or Succeeded, into a pod's status, as its kubelet does when it evicts the pod or shuts
// its node down.
func (r *R) EndPod(ctx context.Context, pod *corev1.Pod, phase corev1.PodPhase, reason string) {
	ginkgo.GinkgoHelper()
	act := history.Act{Verb: "end pod", Object: podReference(pod), Disturbs: []history.Disturbance{history.PodsFailed}, Note: string(phase) + ": " + reason}
	r.Act(ctx, act, func(ctx context.Context) error {
		return r.writePod(ctx, pod, func(live *corev1.Pod) error {
			live.Status.Phase, live.Status.Reason = phase, reason
			for i := range live.Status.Conditions {
				if c := &live.Status.Conditions[i]; c.Type == corev1.PodReady || c.Type == corev1.ContainersReady {
					c.Status, c.Reason, c.LastTransitionTime = corev1.ConditionFalse, "PodFailed", metav1.Now()
				}
			}
			_, err := r.Client.CoreV1().Pods(live.Namespace).UpdateStatus(ctx, live, metav1.UpdateOptions{})
			return err
		})
	})
}

// EditPod changes a running pod in place.
func (r *R) EditPod(ctx context.Context, pod *corev1.Pod, note string, change func(*corev1.Pod)) {
	ginkgo.GinkgoHelper()
	r.editPod(ctx, pod, note, []history.Disturbance{history.PodsEdited}, change)
}

func (r *R) editPod(ctx context.Context, pod *corev1.Pod, note string, disturbs []history.Disturbance, change func(*corev1.Pod)) {
	ginkgo.GinkgoHelper()
	r.Act(ctx, history.Act{Verb: "edit", Object: podReference(pod), Disturbs: disturbs, Note: note}, func(ctx context.Context) error {
		return r.writePod(ctx, pod, func(live *corev1.Pod) error {
			change(live)
			_, err := r.Client.CoreV1().Pods(live.Namespace).Update(ctx, live, metav1.UpdateOptions{})
			return err
		})
	})
}

// writePod writes a pod that its kubelet writes too.
func (r *R) writePod(ctx context.Context, pod *corev1.Pod, write func(*corev1.Pod) error) error {
	return rewrite(func() error {
		live, err := r.Client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if live.UID != pod.UID { // the next one has its name
			return apierrors.NewNotFound(corev1.Resource("pods"), pod.Name)
		}
		return write(live)
	})
}

// holdFinalizer keeps a pod's object when the pod has ended.
const holdFinalizer = "rollcall.dev/hold"

// HoldPod gives the pod a finalizer, so that its object outlives it, until LetGo or the end of the spec. That disturbs nothing: no controller
// makes more pods, or others, for a finalizer.
func (r *R) HoldPod(ctx context.Context, pod *corev1.Pod) {
	ginkgo.GinkgoHelper()
	ginkgo.DeferCleanup(func(ctx context.Context) error { return r.letGo(ctx, pod) }, ginkgo.NodeTimeout(r.patience(time.Minute)))
	r.editPod(ctx, pod, "finalizer "+holdFinalizer, nil, func(live *corev1.Pod) { live.Finalizers = append(live.Finalizers, holdFinalizer) })
}

// LetGo takes HoldPod's finalizer away.
func (r *R) LetGo(ctx context.Context, pod *corev1.Pod) {
	ginkgo.GinkgoHelper()
	r.Act(ctx, history.Act{Verb: "let go", Object: podReference(pod)}, func(ctx context.Context) error { return r.letGo(ctx, pod) })
}

func (r *R) letGo(ctx context.Context, pod *corev1.Pod) error {
	err := r.writePod(ctx, pod, func(live *corev1.Pod) error {
		live.Finalizers = nil
		_, err := r.Client.CoreV1().Pods(live.Namespace).Update(ctx, live, metav1.UpdateOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// BarePod is a pod for CreatePod that no DaemonSet selects, bound to the node if one is given. It runs what the fixtures run.
func BarePod(name, node string, owners ...metav1.OwnerReference) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: owners},
		Spec: corev1.PodSpec{
			NodeName: node, TerminationGracePeriodSeconds: new(int64(1)),
			Containers: []corev1.Container{{Name: fixtures.FluentdName, Image: fixtures.FluentdImage}},
		},
	}
}

// CreatePod creates a pod that no DaemonSet made, in the spec's namespace, and returns it.
func (r *R) CreatePod(ctx context.Context, pod *corev1.Pod) *corev1.Pod {
	ginkgo.GinkgoHelper()
	pod = pod.DeepCopy()
	pod.Namespace = r.Namespace
	metav1.SetMetaDataLabel(&pod.ObjectMeta, cluster.RunLabel, r.Run)
	act := history.Act{Verb: "create", Object: podReference(pod), Disturbs: []history.Disturbance{history.PodsForeign}, Note: "by hand"}
	r.Act(ctx, act, func(ctx context.Context) (err error) {
		pod, err = r.Client.CoreV1().Pods(r.Namespace).Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	return pod
}
