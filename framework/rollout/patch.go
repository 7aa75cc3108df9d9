package rollout

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/framework/history"
)

// Patch sends a patch of the given kind for a DaemonSet and returns the result. A server-side apply takes over the fields that it
// names. The spec fails if it is refused.
func (r *R) Patch(ctx context.Context, ds *appsv1.DaemonSet, kind types.PatchType, patch string) *appsv1.DaemonSet {
	ginkgo.GinkgoHelper()
	patched, err := r.patch(ctx, ds, "patch", kind, patch)
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "%s of DaemonSet %s", kind, ds.Name)
	return patched
}

// TryPatch is Patch for a change that may be refused.
func (r *R) TryPatch(ctx context.Context, ds *appsv1.DaemonSet, kind types.PatchType, patch string) error {
	_, err := r.patch(ctx, ds, "patch", kind, patch)
	return err
}

// PatchStatus sends a JSON merge patch to the status subresource of a DaemonSet. The judge does not hold what it writes against the
// controller. The spec fails if it is refused.
func (r *R) PatchStatus(ctx context.Context, ds *appsv1.DaemonSet, patch string) *appsv1.DaemonSet {
	ginkgo.GinkgoHelper()
	patched, err := r.patch(ctx, ds, "write status", types.MergePatchType, patch, "status")
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "status patch of DaemonSet %s", ds.Name)
	return patched
}

// TryPatchStatus is PatchStatus for a change that may be refused.
func (r *R) TryPatchStatus(ctx context.Context, ds *appsv1.DaemonSet, patch string) error {
	_, err := r.patch(ctx, ds, "write status", types.MergePatchType, patch, "status")
	return err
}

func (r *R) patch(ctx context.Context, ds *appsv1.DaemonSet, verb string, kind types.PatchType, patch string, subresource ...string) (patched *appsv1.DaemonSet, err error) {
	options := metav1.PatchOptions{FieldManager: "rollcall"}
	if kind == types.ApplyPatchType {
		force := true
		options.Force = &force
	}
	err = r.Try(ctx, history.Act{Verb: verb, Object: r.reference(ds), Note: string(kind) + " " + patch}, func(ctx context.Context) error {
		patched, err = r.Client.AppsV1().DaemonSets(r.Namespace).Patch(ctx, ds.Name, kind, []byte(patch), options, subresource...)
		return err
	})
	r.generations.note(patched)
	return patched, err
}
