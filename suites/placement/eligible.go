package placement

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A DaemonSet", func() {
	r := rollout.New()

	It("has one pod on every node that its node selector selects, and none elsewhere", catalog.Covers("B-01"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 4) // the lease is a label, and the fixture's node selector asks for it
		r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd())).Should(rollout.BeCompleteOn(nodes...))
	})

	It("has one pod on every node that its node affinity allows, and none elsewhere", catalog.Covers("B-01"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 4)
		hosts := hostnames(ctx, r, nodes)
		ds := r.Create(ctx, fixtures.Fluentd(), required(
			// Terms are alternatives; what one of them asks for has to hold together.
			corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: hosts[:2]},
				{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpNotIn, Values: hosts[:1]},
			}},
			corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: hosts[2:3]},
				{Key: "rollcall.dev/nowhere", Operator: corev1.NodeSelectorOpDoesNotExist},
			}},
			corev1.NodeSelectorTerm{}, // which matches no node
		))
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes[1], nodes[2]))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.BeCompleteOn(nodes[1], nodes[2]))
	})

	It("has one pod on every node that its node affinity names by field, and none elsewhere", catalog.Covers("B-01"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 4)
		hosts := hostnames(ctx, r, nodes)
		named := func(operator corev1.NodeSelectorOperator, node string) []corev1.NodeSelectorRequirement {
			return []corev1.NodeSelectorRequirement{{Key: metav1.ObjectNameField, Operator: operator, Values: []string{node}}}
		}
		ds := r.Create(ctx, fixtures.Fluentd(), required(
			corev1.NodeSelectorTerm{MatchFields: named(corev1.NodeSelectorOpNotIn, nodes[0]), MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: hosts[:2]},
			}},
			corev1.NodeSelectorTerm{MatchFields: named(corev1.NodeSelectorOpIn, nodes[2])},
		))
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes[1], nodes[2]))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.BeCompleteOn(nodes[1], nodes[2]))
	})

	It("moves to the nodes that a new template is for", catalog.Covers("B-01", "C-01"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 3)
		hosts := hostnames(ctx, r, nodes)
		on := func(hosts []string) rollout.Change {
			return required(corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: hosts},
			}})
		}
		ds := r.Create(ctx, fixtures.Fluentd(), on(hosts[:2]))
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes[:2]...))
		r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.PlacementChanged}, on(hosts[1:]))
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes[1:]...))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.BeCompleteOn(nodes[1:]...))
	})

	It("has its pods, and new ones after an update, however long its name is", catalog.Covers("A-16", "B-01", "C-01"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		// A name may be longer than a label's value or a host's name, and have dots in it.
		long := strings.Repeat("quite-a-long-name.", 6) + "fluentd"
		ds := r.Create(ctx, fixtures.Fluentd(), func(ds *appsv1.DaemonSet) { ds.Name = long })
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes...))
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeCompleteOn(nodes...), rollout.HavePods(2, "of the new template", rollout.OfEdition("2"))))
	})

	It("runs on the one node that its template names", catalog.Covers("B-08"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.Template(func(t *corev1.PodTemplateSpec) { t.Spec.NodeName = nodes[1] }))
		r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes[1]))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.BeCompleteOn(nodes[1]))
	})

	It("has a pod on a tainted node where its tolerations say so of each taint with key, operator, value and effect, and none elsewhere", catalog.CoversWith([]catalog.Need{catalog.NodeChanges}, "B-01"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		r.Taint(ctx, nodes[0], "valued", corev1.TaintEffectNoSchedule)
		r.Taint(ctx, nodes[0], "further", corev1.TaintEffectNoSchedule)
		r.AwaitKnown(ctx, nodes[0])
		key, value := cluster.TaintPrefix+"valued", r.Run // of which the taint is made
		further := []corev1.Toleration{{Key: cluster.TaintPrefix + "further", Operator: corev1.TolerationOpExists}}

		for _, c := range []struct {
			name       string
			tolerates  corev1.Toleration
			besides    []corev1.Toleration
			everywhere bool
		}{
			{"the-value", corev1.Toleration{Key: key, Operator: corev1.TolerationOpEqual, Value: value, Effect: corev1.TaintEffectNoSchedule}, further, true},
			{"any-effect", corev1.Toleration{Key: key, Value: value}, further, true},
			{"anything", corev1.Toleration{Operator: corev1.TolerationOpExists}, nil, true},
			{"another-value", corev1.Toleration{Key: key, Operator: corev1.TolerationOpEqual, Value: value + "-not", Effect: corev1.TaintEffectNoSchedule}, further, false},
			{"another-effect", corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}, further, false},
			{"one-of-two", corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists}, nil, false},
		} {
			on := nodes[1:]
			if c.everywhere {
				on = nodes
			}
			By("tolerating " + c.name)
			ds := r.Create(ctx, fixtures.Fluentd(), rollout.Named(c.name), rollout.Template(func(t *corev1.PodTemplateSpec) {
				t.Spec.Tolerations = append(append(t.Spec.Tolerations, c.tolerates), c.besides...)
			}))
			r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(on...))
			r.Settle(ctx)
			Expect(r.State(ds)).To(rollout.BeCompleteOn(on...))
		}
	})

	It("has no pod where no node is eligible", catalog.Covers("B-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := r.Create(ctx, fixtures.Fluentd(), required(corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "rollcall.dev/nowhere", Operator: corev1.NodeSelectorOpExists},
		}}))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.BeCompleteOn())
	})
})

// required makes the terms the template's required node affinity.
func required(terms ...corev1.NodeSelectorTerm) rollout.Change {
	return rollout.Template(func(t *corev1.PodTemplateSpec) {
		t.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
		}}
	})
}

// hostnames are the nodes' host name labels, which need not be their names.
func hostnames(ctx context.Context, r *rollout.R, nodes []string) []string {
	GinkgoHelper()
	list, err := r.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred(), "listing nodes")
	names := make([]string, len(nodes))
	for i := range list.Items {
		if at := slices.Index(nodes, list.Items[i].Name); at >= 0 {
			names[at] = list.Items[i].Labels[corev1.LabelHostname]
		}
	}
	Expect(names).NotTo(ContainElement(""), "every node has a host name label")
	return names
}
