package rollout

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("An update of a RollingUpdate DaemonSet", func() {
	r := rollout.New()

	DescribeTable("replaces every pod when the template has another", func(ctx SpecContext, change rollout.Change, has func(*corev1.Pod) bool) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd())
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, change)
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", has)))
		for _, pod := range before.Pods {
			Expect(after).NotTo(rollout.KeepPods([]*corev1.Pod{pod}))
		}
	},
		Entry("image", catalog.Covers("C-01"), rollout.Image(fixtures.FluentdNext), rollout.WithImage(fixtures.FluentdNext)),
		Entry("annotation", catalog.Covers("C-01"), rollout.Edition("2"), rollout.OfEdition("2")),
		Entry("label", catalog.Covers("C-01"),
			rollout.Template(func(t *corev1.PodTemplateSpec) { t.Labels["tier"] = "logs" }),
			func(pod *corev1.Pod) bool { return pod.Labels["tier"] == "logs" }),
		Entry("request for memory", catalog.Covers("C-01"), rollout.RequestMemory("16Mi"),
			func(pod *corev1.Pod) bool {
				return pod.Spec.Containers[0].Resources.Requests.Memory().String() == "16Mi"
			}),
	)

	It("restarts no pod and records no revision when it is outside the template, or changes nothing", catalog.Covers("C-02", "C-20"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd())
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		limit := int32(5)
		for _, change := range []rollout.Change{
			rollout.MaxUnavailable(2), rollout.MinReadySeconds(1), rollout.OnDelete(), rollout.MaxSurge(1),
			func(ds *appsv1.DaemonSet) { ds.Spec.RevisionHistoryLimit = &limit },
			func(ds *appsv1.DaemonSet) { ds.Labels["noted"] = "true" },
		} {
			r.Update(ctx, ds, change)
			r.Soon(ctx, ds).Should(rollout.HaveObserved())
		}
		r.Barrier(ctx)
		changed := r.State(ds).DaemonSet.Generation
		r.Update(ctx, ds)
		r.Settle(ctx)
		after := r.State(ds)
		Expect(after.DaemonSet.Generation).To(Equal(changed), "an update that changes nothing is no generation")
		Expect(after).To(rollout.And(rollout.KeepPods(before.Pods), rollout.HavePods(2, "in all", rollout.Any)))
		Expect(after.Revisions).To(HaveLen(1), "nothing but the template is a revision")
	})

	It("is not held up by a PodDisruptionBudget", catalog.Covers("C-16"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd())
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		none := intstr.FromInt32(0)
		_, err := r.Client.PolicyV1().PodDisruptionBudgets(r.Namespace).Create(ctx, &policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Name: "none", Labels: map[string]string{cluster.RunLabel: r.Run}},
			Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &none, Selector: ds.Spec.Selector},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred(), "creating a PodDisruptionBudget")
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", rollout.OfEdition("2"))))
	})

	It("that follows others at once is the one that every node ends with", catalog.Covers("C-18"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd())
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		for i := range 8 {
			r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.RapidUpdates}, rollout.Edition(fmt.Sprint(i)))
		}
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the last template", rollout.OfEdition("7"))))
	})
})
