package history

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
)

// MarkerPrefix begins the name of the pod that a recorder writes to for its barriers.
const MarkerPrefix = "rollcall-barrier-"

// marker is a pod that concerns nobody: no scheduler is asked to place it, no selector matches it, and it is Succeeded, so
// that no quota counts it. It never appears in a history. A write to it shows how far the stream of pods is.
// It only makes barriers faster, so a refusal (no permission, a dying namespace) is no failure. It is there from the recording's start, since what
// a spec does may have new pods refused later, and an API server without a watch cache has no faster way, nor any other: it sends no bookmarks.
//
// Its namespace owns it, if that can be read: a controller may look for orphans, which nobody controls, and behave otherwise where it finds one.
type marker struct {
	pods   typed.PodInterface
	name   string
	labels map[string]string
	owners []metav1.OwnerReference
	// limit is the longest that a write may take: it must not keep a barrier from what it is really waiting for.
	limit   time.Duration
	touched atomic.Bool
}

func newMarker(pods typed.PodInterface, labels map[string]string, limit time.Duration) *marker {
	return &marker{pods: pods, name: MarkerPrefix + rand.String(5), labels: labels, limit: limit}
}

// ownedBy names the namespace as the pod's controller. Whatever it owns is deleted with it anyhow.
func (m *marker) ownedBy(namespace *corev1.Namespace) {
	m.owners = []metav1.OwnerReference{*metav1.NewControllerRef(namespace, corev1.SchemeGroupVersion.WithKind("Namespace"))}
	m.owners[0].BlockOwnerDeletion = nil // only who may change the namespace's finalizers may ask for that
}

// isMarker says whether an object is a recorder's own, ours or another's in the same namespace.
func isMarker(resource Resource, object metav1.Object) bool {
	return resource == Pods && strings.HasPrefix(object.GetName(), MarkerPrefix)
}

// touch changes the pod, or creates it, and returns the resourceVersion of that write, "" if it was refused.
func (m *marker) touch(ctx context.Context) string {
	return m.touchWithin(ctx, m.limit)
}

func (m *marker) touchWithin(ctx context.Context, limit time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	text, err := json.Marshal(m.pod(time.Now()))
	if err != nil {
		return ""
	}
	options := metav1.PatchOptions{FieldManager: "rollcall", Force: new(true)}
	pod, err := m.pods.Patch(ctx, m.name, types.ApplyPatchType, text, options)
	if err != nil {
		return ""
	}
	m.touched.Store(true)
	if pod.Status.Phase != corev1.PodSucceeded {
		done := []byte(`{"status":{"phase":"Succeeded"}}`)
		_, _ = m.pods.Patch(ctx, m.name, types.MergePatchType, done, metav1.PatchOptions{}, "status")
	}
	return pod.ResourceVersion
}

// pod satisfies the strictest of the pod security standards.
func (m *marker) pod(now time.Time) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{
			"name": m.name, "labels": m.labels, "ownerReferences": m.owners,
			"annotations": map[string]string{"rollcall.dev/barrier": now.UTC().Format(time.RFC3339Nano)},
		},
		"spec": map[string]any{
			"schedulerName":                "rollcall.dev/none",
			"automountServiceAccountToken": false,
			"securityContext": map[string]any{
				"runAsNonRoot": true, "seccompProfile": map[string]any{"type": "RuntimeDefault"},
			},
			"containers": []any{map[string]any{
				"name": "barrier", "image": "rollcall.dev/none",
				"securityContext": map[string]any{
					"allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []string{"ALL"}},
				},
			}},
		},
	}
}

// remove deletes the pod. A failure leaves it to the namespace's or the run's end.
func (m *marker) remove(ctx context.Context) {
	if m.touched.Load() {
		ctx, cancel := context.WithTimeout(ctx, m.limit)
		defer cancel()
		_ = m.pods.Delete(ctx, m.name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
	}
}
