package update

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("kubectl set image", func() {
	r := rollout.New()

	// several gives the template a second container and an init container, all of the same image.
	several := rollout.Template(func(t *corev1.PodTemplateSpec) {
		t.Spec.Containers = append(t.Spec.Containers, corev1.Container{Name: "second", Image: fixtures.FluentdImage})
		t.Spec.InitContainers = []corev1.Container{{Name: "prepare", Image: fixtures.FluentdImage, Command: []string{"/bin/true"}}}
	})
	updated := func(pod *corev1.Pod) bool {
		for _, c := range append(pod.Spec.Containers, pod.Spec.InitContainers...) {
			if c.Image != fixtures.FluentdNext {
				return false
			}
		}
		return true
	}

	It("sets the image of every container with *, and is silent the second time", catalog.Covers("F-09"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), several)).Should(rollout.BeComplete()).DaemonSet
		Expect(change(ctx, r, "set", "image", object, "*="+fixtures.FluentdNext)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch image updated"))
		ds = r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "with the next image in every container", updated))).DaemonSet
		Expect(ds.Generation).To(BeEquivalentTo(2), "one command is one generation")

		Expect(change(ctx, r, "set", "image", object, "*="+fixtures.FluentdNext)).To(kubectl.Say(""))
		unchanged(ctx, r, ds, "the images were set already")
	})

	It("makes one update of several images", catalog.Covers("F-09", "F-08"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), several)).Should(rollout.BeComplete()).DaemonSet
		Expect(change(ctx, r, "set", "image", object, fixtures.FluentdName+"="+fixtures.FluentdNext, "second="+fixtures.FluentdNext, "prepare="+fixtures.FluentdNext)).
			To(kubectl.Say("daemonset.apps/fluentd-elasticsearch image updated"))
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "with the next image in every container", updated), rollout.HaveRevisions(1, 2)))
		Expect(after.DaemonSet.Generation).To(Equal(ds.Generation+1), "one command is one generation")
	})
})
