package update

import (
	"context"
	"encoding/json"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

// pathAnnotation is the template's field that every way of writing changes here, so that the results can be compared.
const pathAnnotation = "rollcall.dev/path"

var _ = Describe("A template change", func() {
	r := rollout.New()

	It("leads to one and the same update, whichever way it is sent", catalog.Covers("F-10", "C-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(2))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		for _, path := range []struct {
			name  string
			write func(context.Context, *appsv1.DaemonSet, string) *appsv1.DaemonSet
		}{
			{"PUT", func(ctx context.Context, ds *appsv1.DaemonSet, value string) *appsv1.DaemonSet {
				return r.Update(ctx, ds, rollout.Template(func(t *corev1.PodTemplateSpec) { t.Annotations = map[string]string{pathAnnotation: value} }))
			}},
			{"strategic merge patch", patchWith(r, types.StrategicMergePatchType, `{%s}`)},
			{"JSON merge patch", patchWith(r, types.MergePatchType, `{%s}`)},
			{"JSON patch", func(ctx context.Context, ds *appsv1.DaemonSet, value string) *appsv1.DaemonSet {
				return r.Patch(ctx, ds, types.JSONPatchType, fmt.Sprintf(`[{"op":"replace","path":"/spec/template/metadata/annotations/rollcall.dev~1path","value":%q}]`, value))
			}},
			{"server-side apply", patchWith(r, types.ApplyPatchType, `{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"`+ds.Name+`"},%s}`)},
		} {
			written := path.write(ctx, ds, path.name)
			Expect(written.Generation).To(Equal(ds.Generation+1), "%s should be one generation", path.name)
			Expect(apartFromPath(written)).To(MatchJSON(apartFromPath(ds)), "%s should have changed nothing but the annotation", path.name)
			after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the "+path.name, func(pod *corev1.Pod) bool {
				return pod.Annotations[pathAnnotation] == path.name
			})))
			for _, pod := range before.Pods {
				Expect(after.Pods).NotTo(ContainElement(HaveField("UID", pod.UID)), "pod %s should have been replaced after the %s", pod.Name, path.name)
			}
			ds, before = after.DaemonSet, after
		}
	})
})

// patchWith writes the annotation with a patch that has a place for the spec.
func patchWith(r *rollout.R, kind types.PatchType, format string) func(context.Context, *appsv1.DaemonSet, string) *appsv1.DaemonSet {
	return func(ctx context.Context, ds *appsv1.DaemonSet, value string) *appsv1.DaemonSet {
		spec := fmt.Sprintf(`"spec":{"template":{"metadata":{"annotations":{%q:%q}}}}`, pathAnnotation, value)
		return r.Patch(ctx, ds, kind, fmt.Sprintf(format, spec))
	}
}

// apartFromPath is the spec without the annotation, as JSON.
func apartFromPath(ds *appsv1.DaemonSet) string {
	GinkgoHelper()
	spec := ds.Spec.DeepCopy()
	spec.Template.Annotations = nil
	text, err := json.Marshal(spec)
	Expect(err).NotTo(HaveOccurred(), "encoding a spec")
	return string(text)
}
