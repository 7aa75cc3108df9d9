package rollout

import (
	"context"

	"github.com/onsi/ginkgo/v2"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// RejectPods makes the kubelet of a node that the spec leased alone turn every new pod away: phase Failed with the reason (OutOfcpu,
// NodeAffinity, …), until AcceptPods or the end of the spec. Skips where the provider cannot do that.
func (r *R) RejectPods(ctx context.Context, node, reason string) {
	ginkgo.GinkgoHelper()
	rejecter := Need[cluster.PodRejecter](r)
	r.EndLater(node, func(ctx context.Context) error { return rejecter.AcceptPods(ctx, node) })
	act := history.Act{Verb: "reject pods", Object: nodeReference(node), Disturbs: []history.Disturbance{history.PodsFailed}, Note: reason}
	r.Act(ctx, act, func(ctx context.Context) error { return rejecter.RejectPods(ctx, node, reason) })
}

// AcceptPods ends RejectPods.
func (r *R) AcceptPods(ctx context.Context, node string) {
	ginkgo.GinkgoHelper()
	rejecter := Need[cluster.PodRejecter](r)
	act := history.Act{Verb: "accept pods", Object: nodeReference(node)}
	r.Act(ctx, act, func(ctx context.Context) error { return rejecter.AcceptPods(ctx, node) })
}
