package api

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

// These end in a second, and go first: whoever watches a run sees soon that it works, while those that take minutes (whose priority comes next) begin.
var _ = Describe("The API server, asked for a DaemonSet,", SpecPriority(20), func() {
	r := rollout.New()

	It("refuses a negative minReadySeconds or revisionHistoryLimit, and accepts zero", catalog.Covers("A-08"), func(ctx SpecContext) {
		history := func(limit int32) rollout.Change {
			return func(ds *appsv1.DaemonSet) { ds.Spec.RevisionHistoryLimit = &limit }
		}
		Expect(r.TryCreate(ctx, fixtures.Fluentd(), rollout.MinReadySeconds(-1))).To(rollout.BeInvalid("spec.minReadySeconds", ""))
		Expect(r.TryCreate(ctx, fixtures.Fluentd(), history(-1))).To(rollout.BeInvalid("spec.revisionHistoryLimit", ""))

		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MinReadySeconds(0), history(0))
		Expect(ds.Spec.RevisionHistoryLimit).To(HaveValue(BeZero()), "a limit of 0 should not be defaulted away")
		Expect(r.TryUpdate(ctx, ds, rollout.MinReadySeconds(-1))).To(rollout.BeInvalid("spec.minReadySeconds", ""))
		Expect(r.TryUpdate(ctx, ds, history(-1))).To(rollout.BeInvalid("spec.revisionHistoryLimit", ""))
	})

	It("refuses one without a selector, or with one that its own pods would not match", catalog.Covers("A-09"), func(ctx SpecContext) {
		selector := func(s *metav1.LabelSelector) rollout.Change {
			return func(ds *appsv1.DaemonSet) { ds.Spec.Selector = s }
		}
		Expect(r.TryCreate(ctx, fixtures.Fluentd(), selector(nil))).To(rollout.BeInvalid("spec", "selector"))
		Expect(r.TryCreate(ctx, fixtures.Fluentd(), selector(&metav1.LabelSelector{}))).To(rollout.BeInvalid("spec", "selector"))
		other := &metav1.LabelSelector{MatchLabels: map[string]string{"name": "somebody-else"}}
		Expect(r.TryCreate(ctx, fixtures.Fluentd(), selector(other))).To(rollout.BeInvalid("spec.template.metadata.labels", "does not match"))
		Expect(r.TryUpdate(ctx, r.Create(ctx, fixtures.Fluentd()), rollout.Template(func(t *corev1.PodTemplateSpec) { t.Labels["name"] = "somebody-else" }))).
			To(rollout.BeInvalid("spec.template.metadata.labels", "does not match"))
	})

	It("does not let the selector be changed", catalog.Covers("A-09"), func(ctx SpecContext) {
		ds := r.Create(ctx, fixtures.Fluentd())
		Expect(r.TryUpdate(ctx, ds, func(ds *appsv1.DaemonSet) {
			ds.Spec.Selector.MatchLabels["name"] = "another"
			ds.Spec.Template.Labels["name"] = "another"
		})).To(rollout.BeInvalid("spec.selector", "immutable"))
		Expect(r.TryUpdate(ctx, ds, func(ds *appsv1.DaemonSet) {
			ds.Spec.Selector.MatchLabels["tier"] = "node"
			ds.Spec.Template.Labels["tier"] = "node"
		})).To(rollout.BeInvalid("spec.selector", "immutable"), "a narrower selector is another one too")
	})

	It("refuses pods that would end by themselves", catalog.Covers("A-10"), func(ctx SpecContext) {
		ds := r.Create(ctx, fixtures.Fluentd())
		for _, policy := range []corev1.RestartPolicy{corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure} {
			ends := rollout.Template(func(t *corev1.PodTemplateSpec) { t.Spec.RestartPolicy = policy })
			Expect(r.TryCreate(ctx, fixtures.Fluentd(), rollout.Named("ends"), ends)).To(rollout.BeInvalid("spec.template.spec.restartPolicy", ""), string(policy))
			Expect(r.TryUpdate(ctx, ds, ends)).To(rollout.BeInvalid("spec.template.spec.restartPolicy", ""), string(policy))
		}
		deadline := rollout.Template(func(t *corev1.PodTemplateSpec) { seconds := int64(60); t.Spec.ActiveDeadlineSeconds = &seconds })
		Expect(r.TryCreate(ctx, fixtures.Fluentd(), rollout.Named("ends"), deadline)).To(rollout.BeInvalid("spec.template.spec.activeDeadlineSeconds", ""))
		Expect(r.TryUpdate(ctx, ds, deadline)).To(rollout.BeInvalid("spec.template.spec.activeDeadlineSeconds", ""))
	})

	It("refuses a name that is no DNS subdomain", catalog.Covers("A-16"), func(ctx SpecContext) {
		named := func(name string) rollout.Change { return func(ds *appsv1.DaemonSet) { ds.Name = name } }
		for _, bad := range []string{"Fluentd", "flu_entd", "-fluentd", "fluentd-", "fluentd..d", "flu entd", strings.Repeat("a", 254)} {
			Expect(r.TryCreate(ctx, fixtures.Fluentd(), named(bad))).To(rollout.BeInvalid("metadata.name", ""), bad)
		}
		for _, good := range []string{"f", "0.fluentd.d-1"} {
			Expect(r.TryCreate(ctx, fixtures.Fluentd(), named(good))).To(Succeed(), good)
		}
	})
})
