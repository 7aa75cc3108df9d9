package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

// Elsewhere is a second namespace for the spec, on the nodes that it leased before: for what happens to a namespace as a whole. It is
// recorded, so that Eventually works, and not judged: a namespace that ends cannot prove that its history is complete.
func (r *R) Elsewhere(ctx context.Context, name string) *R {
	ginkgo.GinkgoHelper()
	other := &R{Environment: r.Environment, Namespace: r.Namespace + "-" + name, nodes: r.nodes, files: r.files, lessee: r.holder()}
	ginkgo.DeferCleanup(func(ctx context.Context) error {
		if other.recorder != nil {
			stopped, cancel := context.WithCancel(ctx)
			cancel() // no barrier
			_, _ = other.recorder.Stop(stopped)
		}
		if err := r.Client.CoreV1().Namespaces().Delete(ctx, other.Namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("deleting the spec's second namespace: %w", err)
		}
		return nil
	}, ginkgo.NodeTimeout(r.patience(time.Minute)))
	gomega.Expect(other.createNamespace(ctx)).To(gomega.Succeed())
	var err error
	other.recorder, err = history.Start(ctx, history.Options{
		Client: r.Client,
		Header: history.Header{
			Spec: ginkgo.CurrentSpecReport().FullText() + " / " + name, Namespace: other.Namespace,
			Implementation: r.Implementation, Provider: r.Provider.State().Provider, Seed: r.Seed, LeasedNodes: r.nodes,
		},
	})
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "recording namespace %s", other.Namespace)
	return other
}

// DeleteNamespace deletes the namespace of Elsewhere with everything in it, and returns when the API server has answered.
func (r *R) DeleteNamespace(ctx context.Context) {
	ginkgo.GinkgoHelper()
	act := history.Act{
		Verb: "delete namespace", Object: history.Reference{Name: r.Namespace},
		Disturbs: []history.Disturbance{history.DaemonSetDeleted, history.CreationRefused, history.PodsDeleted},
	}
	r.Act(ctx, act, func(ctx context.Context) error {
		return r.Client.CoreV1().Namespaces().Delete(ctx, r.Namespace, metav1.DeleteOptions{})
	})
}
