package nodes

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A node in trouble that a DaemonSet's pods tolerate", func() {
	r := rollout.New()

	DescribeTable("keeps its pod, has it made again and updated,", func(ctx SpecContext, trouble corev1.NodeConditionType, key string, change rollout.Change) {
		nodes := r.NodesAlone(ctx, 2)
		before := complete(ctx, r, change)
		ds := before.DaemonSet
		r.Press(ctx, nodes[0], trouble)
		r.Soon(ctx, ds).Should(tainted(nodes[0], key, corev1.TaintEffectNoSchedule))
		r.Settle(ctx)
		Expect(r.State(ds).Pods).To(ConsistOf(rollout.SamePods(before.Pods)...), "the pods should run on")

		lost := podOn(before, nodes[0])
		r.DeletePod(ctx, lost)
		r.Soon(ctx, ds).Should(rollout.And(rollout.BeCompleteOn(nodes...), rollout.HavePods(1, "that are new", rollout.All(rollout.OnNode(nodes[0]), rollout.Other(lost)))))
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeCompleteOn(nodes...), rollout.HavePods(2, "of the new template", rollout.WithImage(fixtures.FluentdNext))))
	},
		Entry("short of memory", catalog.CoversWith([]catalog.Need{catalog.NodeChanges}, "B-01", "B-03"), corev1.NodeMemoryPressure, corev1.TaintNodeMemoryPressure, asItIs),
		Entry("short of disk space", catalog.CoversWith([]catalog.Need{catalog.NodeChanges}, "B-01", "B-03"), corev1.NodeDiskPressure, corev1.TaintNodeDiskPressure, asItIs),
		Entry("short of process ids", catalog.CoversWith([]catalog.Need{catalog.NodeChanges}, "B-01", "B-03"), corev1.NodePIDPressure, corev1.TaintNodePIDPressure, asItIs),
		Entry("without a network, if they use the host's", catalog.CoversWith([]catalog.Need{catalog.NodeChanges}, "B-01", "B-03"), corev1.NodeNetworkUnavailable, corev1.TaintNodeNetworkUnavailable, onHostNetwork),
	)
})

var (
	asItIs        rollout.Change = rollout.Template(func(*corev1.PodTemplateSpec) {})
	onHostNetwork                = rollout.Template(func(t *corev1.PodTemplateSpec) { t.Spec.HostNetwork = true })
)
