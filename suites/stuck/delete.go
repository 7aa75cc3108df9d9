package stuck

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/rollout"
)

func deletePod(r *rollout.R, pod *corev1.Pod) func(context.Context) error {
	return func(ctx context.Context) error {
		return r.Client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{})
	}
}
