package placement

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A DaemonSet made again under its name", func() {
	r := rollout.New()

	// The two have name, generations and numbers of revisions in common, so that whatever a controller remembers by these is wrong.
	It("has nodes, template and record of its own", catalog.Covers("B-01", "C-01", "I-01", "I-03"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2) // other specs would label them meanwhile, and what is remembered of a node may be forgotten then
		hosts := hostnames(ctx, r, nodes)
		on := func(host string) rollout.Change {
			return required(corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{host}},
			}})
		}
		before := r.Create(ctx, fixtures.Fluentd(), on(hosts[0]), rollout.MaxUnavailable(1))
		r.Eventually(ctx, before).Should(rollout.BeCompleteOn(nodes[0]))
		r.Update(ctx, before, rollout.Edition("2"))
		r.Eventually(ctx, before).Should(rollout.BeCompleteOn(nodes[0]))
		r.Delete(ctx, before, metav1.DeletePropagationForeground)
		r.Eventually(ctx, before).Should(rollout.BeGone())

		ds := r.Create(ctx, fixtures.Fluentd(), on(hosts[1]), rollout.Image(fixtures.FluentdNext))
		first := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeCompleteOn(nodes[1]), rollout.HaveRevisions(1), rollout.BeRecorded()))
		r.Update(ctx, ds, rollout.Edition("of another"))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeCompleteOn(nodes[1]), rollout.HaveRevisions(1, 2), rollout.BeRecorded(),
			rollout.HavePods(1, "of the new template", rollout.OfEdition("of another"))))
		restored := r.PatchWith(ctx, ds, first.Revisions[0])
		Expect(restored.Spec.Template).To(Equal(first.DaemonSet.Spec.Template), "revision 1 should restore the template that this DaemonSet began with")
		r.Eventually(ctx, restored).Should(rollout.And(rollout.BeCompleteOn(nodes[1]), rollout.HaveRevisions(2, 3)))
	})
})
