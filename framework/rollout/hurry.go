package rollout

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Hurry makes clean-up not wait for pods that take long to end: they are removed without their grace period, after the judge has seen the
// history. For specs that give their pods a long end; call it before they exist.
func (r *R) Hurry() {
	ginkgo.GinkgoHelper()
	ginkgo.DeferCleanup(func(ctx context.Context) error {
		background, now := metav1.DeletePropagationBackground, int64(0)
		if err := r.Client.AppsV1().DaemonSets(r.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: &background}, metav1.ListOptions{}); err != nil {
			return err
		}
		return r.Client.CoreV1().Pods(r.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
	}, ginkgo.NodeTimeout(r.patience(request)))
}
