package rollout

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
)

// AwaitKnown returns when the controller knows what was done to the node before the call: it has made a pod there for another DaemonSet, the
// scout, which is for nodes with a label that this one got only after that. Nodes and DaemonSets come to a controller through separate watches:
// a correct one may see an update before a taint that is older. The scout stays until the spec ends; a spec has one.
func (r *R) AwaitKnown(ctx context.Context, node string) {
	ginkgo.GinkgoHelper()
	const scouted = "scouted"
	r.LabelNode(ctx, node, scouted)
	scout := r.Create(ctx, fixtures.Fluentd(), Named("scout"), r.NodesLabelled(scouted), Template(func(t *corev1.PodTemplateSpec) {
		t.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	}))
	r.Eventually(ctx, scout).Should(BeCompleteOn(node))
}

// AwaitPodsKnown returns when the controller knows what was done to pods before the call: it has counted those of another DaemonSet on the
// spec's nodes, the scout, which it made after that. Pods and DaemonSets come to a controller through separate watches, too: a correct one
// may see a DaemonSet before a pod that is older, and then makes one beside it. The scout stays until the spec ends; a spec has one.
func (r *R) AwaitPodsKnown(ctx context.Context) {
	ginkgo.GinkgoHelper()
	r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), Named("scout"))).Should(BeComplete())
}
