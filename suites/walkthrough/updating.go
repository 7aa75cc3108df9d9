package walkthrough

import (
	"bytes"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

// updating is the page's part "Updating a DaemonSet template".
func updating(w *walk) {
	It("updates declaratively with kubectl apply, one node after another", Label("S1", "S6", "S7", "S17", "S18"), catalog.Covers("F-06", "C-01", "C-03", "C-04", "C-05", "M-01", "M-02"), func(ctx SpecContext) {
		ds := w.applied(ctx, fixtures.FluentdFile)
		Expect(w.change(ctx, "apply", "-f", w.File(fixtures.FluentdUpdateFile))).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch configured"))
		after := w.updatedTo(ctx, ds, fixtures.FluentdNext)
		Expect(after.DaemonSet.Generation).To(Equal(ds.Generation+1), "one apply is one generation")
		for _, pod := range after.Pods {
			Expect(pod.Spec.Containers[0].Resources.Requests).To(HaveKeyWithValue(corev1.ResourceMemory, resource.MustParse("200Mi")),
				"pod %s should have the resources of the update", pod.Name)
		}
	})

	It("updates imperatively with kubectl edit", Label("S19"), catalog.Covers("F-07", "C-01"), func(ctx SpecContext) {
		ds := w.applied(ctx, fixtures.FluentdFile)
		edit := []string{"edit", resourceName}
		unchanged := w.changeWith(ctx, nil, edit, kubectl.Editor("true"))
		Expect(unchanged.ExitCode).To(BeZero(), "leaving the editor without a change is not an error:\n%s", unchanged)
		Expect(unchanged.Stderr).To(ContainSubstring("Edit cancelled, no changes made."))

		Expect(w.changeWith(ctx, nil, edit, kubectl.Editor("sed -i s/fluentd:v2.5.2/fluentd:v2.6.0/"))).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch edited"))
		after := w.updatedTo(ctx, ds, fixtures.FluentdNext)
		Expect(after.DaemonSet.Generation).To(Equal(ds.Generation+1), "only the second edit changed something")
	})

	It("updates only the container image with kubectl set image", Label("S20"), catalog.Covers("F-08", "C-01"), func(ctx SpecContext) {
		ds := w.applied(ctx, fixtures.FluentdFile)
		Expect(w.change(ctx, "set", "image", resourceName, fixtures.FluentdName+"="+fixtures.FluentdNext)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch image updated"))
		after := w.updatedTo(ctx, ds, fixtures.FluentdNext).DaemonSet
		Expect(after.Generation).To(Equal(ds.Generation+1), "one set image is one generation")
		after.Spec.Template.Spec.Containers[0].Image = fixtures.FluentdImage
		Expect(after.Spec.Template).To(Equal(ds.Spec.Template), "nothing but the image should have changed")
	})

	It("refuses kubectl set image for a container that does not exist, and is silent where nothing changes", Label("S20"), catalog.Covers("F-09", "C-20"), func(ctx SpecContext) {
		ds := w.applied(ctx, fixtures.FluentdFile)
		Expect(w.change(ctx, "set", "image", resourceName, "fluent="+fixtures.FluentdNext)).To(kubectl.Refuse(`error: unable to find container named "fluent"`))
		Expect(w.change(ctx, "set", "image", resourceName, fixtures.FluentdName+"="+fixtures.FluentdImage)).To(kubectl.Say(""))
		w.Barrier(ctx)
		Expect(w.State(ds).DaemonSet.Generation).To(Equal(ds.Generation), "nothing was changed")
	})

	It("starts an update for any change of the template", Label("S17"), catalog.Covers("C-01", "F-10"), func(ctx SpecContext) {
		ds := w.applied(ctx, fixtures.FluentdFile)
		w.Update(ctx, ds, func(ds *appsv1.DaemonSet) {
			ds.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "FLUENTD_ARGS", Value: "--no-supervisor"}}
		})
		w.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveOnlyPods("with the new variable", func(pod *corev1.Pod) bool {
			return len(pod.Spec.Containers[0].Env) == 1 && pod.Spec.Containers[0].Env[0].Value == "--no-supervisor"
		})))
	})

	It("restarts nothing for a change outside the template", Label("S17"), catalog.Covers("C-02", "C-20"), func(ctx SpecContext) {
		before := w.State(w.applied(ctx, fixtures.FluentdFile))
		w.Update(ctx, before.DaemonSet, func(ds *appsv1.DaemonSet) {
			ds.Spec.MinReadySeconds = 1
			ds.Annotations = map[string]string{"rollcall.dev/note": "not part of the template"}
		})
		w.Eventually(ctx, before.DaemonSet).Should(rollout.And(rollout.HaveObserved(), rollout.BeComplete()))
		w.Settle(ctx)
		after := w.State(before.DaemonSet)
		Expect(after.Pods).To(ConsistOf(samePods(before.Pods)), "the pods should be those from before the change")
		Expect(after.Revisions).To(HaveLen(1), "a change outside the template is no revision")
	})
}

func replaceFirst(text []byte, old, new string) []byte {
	return bytes.Replace(text, []byte(old), []byte(new), 1)
}

// samePods matches exactly these pods, by UID.
func samePods(pods []*corev1.Pod) []any {
	var all []any
	for _, pod := range pods {
		all = append(all, HaveField("UID", pod.UID))
	}
	return all
}
