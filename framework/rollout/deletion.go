package rollout

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

// Delete deletes a DaemonSet with a propagation policy: Background (what the API server does when none is given), Foreground or
// Orphan. It returns when the API server has answered, which says nothing of pods.
func (r *R) Delete(ctx context.Context, ds *appsv1.DaemonSet, propagation metav1.DeletionPropagation) {
	ginkgo.GinkgoHelper()
	disturbs := []history.Disturbance{history.DaemonSetDeleted}
	if propagation == metav1.DeletePropagationOrphan {
		r.AwaitCollector(ctx)
		disturbs = append(disturbs, history.PodsForeign)
	}
	uid := ds.UID
	act := history.Act{Verb: "delete", Object: r.reference(ds), Disturbs: disturbs, Note: "propagation " + string(propagation)}
	r.Act(ctx, act, func(ctx context.Context) error {
		return r.Client.AppsV1().DaemonSets(r.Namespace).Delete(ctx, ds.Name, metav1.DeleteOptions{
			PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid},
		})
	})
}
