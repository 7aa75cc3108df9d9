// Package nodes proves area K of the catalog: nodes that join, leave, are relabelled, tainted, cordoned or stop.
package nodes

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/rollout"
)

// complete creates the DaemonSet and waits until it is rolled out.
func complete(ctx context.Context, r *rollout.R, changes ...rollout.Change) rollout.State {
	GinkgoHelper()
	ds := r.Create(ctx, fixtures.Fluentd(), changes...)
	return r.Eventually(ctx, ds).Should(rollout.BeComplete())
}

// podOn returns the one pod that the DaemonSet has on the node.
func podOn(s rollout.State, node string) *corev1.Pod {
	GinkgoHelper()
	pods := rollout.Where(s.Pods, rollout.OnNode(node))
	Expect(pods).To(HaveLen(1), "node %s should have one pod", node)
	return pods[0]
}

// desire matches when the status counts that many nodes as those that should have a pod.
func desire(count int32) types.GomegaMatcher {
	return rollout.Match(fmt.Sprintf("count %d nodes", count), func(s rollout.State) string {
		if s.DaemonSet.Status.DesiredNumberScheduled != count {
			return fmt.Sprintf("has desiredNumberScheduled %d", s.DaemonSet.Status.DesiredNumberScheduled)
		}
		return ""
	})
}

// haveNone matches when the DaemonSet has no pod on the node, not even one that ends.
func haveNone(node string) types.GomegaMatcher {
	return rollout.Match("have no pod on "+node, func(s rollout.State) string {
		for _, pod := range s.Pods {
			if rollout.TargetNode(pod) == node {
				return "has pod " + pod.Name
			}
		}
		return ""
	})
}

// notReady matches when the control plane calls the node NotReady and has tainted it so: two of its loops add a taint each, in any order.
func notReady(node string) types.GomegaMatcher {
	return rollout.And(tainted(node, corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute), tainted(node, corev1.TaintNodeUnreachable, corev1.TaintEffectNoSchedule))
}

// tainted matches when the node bears the taint.
func tainted(node, key string, effect corev1.TaintEffect) types.GomegaMatcher {
	return rollout.Match("see node "+node+" tainted "+key+":"+string(effect), func(s rollout.State) string {
		for _, n := range s.Nodes {
			if n.Name != node {
				continue
			}
			for _, t := range n.Spec.Taints {
				if t.Key == key && t.Effect == effect {
					return ""
				}
			}
		}
		return "does not"
	})
}
