package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onsi/ginkgo/v2"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// faultTaint keeps other specs from a node whose fault could not be ended: what they saw there would not be the controller's doing.
const faultTaint = cluster.TaintPrefix + "fault"

// EndLater registers what ends a fault of a node that the spec leased alone, for the spec's end, before the fault is made. On a busy
// machine it waits its turn for minutes: parallel specs change their nodes one after another.
func (r *R) EndLater(node string, end func(context.Context) error) {
	e := r.Environment
	ginkgo.DeferCleanup(func(ctx context.Context) error {
		err := end(ctx)
		if err == nil {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.patience(request)/2)
		defer cancel()
		return errors.Join(fmt.Errorf("%w; the node is kept from other specs", err), e.withhold(ctx, node))
	}, ginkgo.NodeTimeout(r.patience(5*time.Minute)))
}

func (e *Environment) withhold(ctx context.Context, node string) error {
	return e.writeNode(ctx, node, func(n *corev1.Node) {
		removeTaint(n, faultTaint)
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: faultTaint, Value: e.Run, Effect: corev1.TaintEffectNoSchedule})
	})
}

// SkewClock makes a node's clock go ahead of the control plane's, or behind, until the end of the spec. Skips where the provider cannot do that.
func (r *R) SkewClock(ctx context.Context, node string, ahead time.Duration) {
	ginkgo.GinkgoHelper()
	skewer := Need[cluster.ClockSkewer](r)
	r.EndLater(node, func(ctx context.Context) error { return skewer.SkewClock(ctx, node, 0) })
	act := history.Act{Verb: "skew clock", Object: nodeReference(node), Disturbs: []history.Disturbance{history.ClockSkewed}, Note: "by " + ahead.String()}
	r.Act(ctx, act, func(ctx context.Context) error { return skewer.SkewClock(ctx, node, ahead) })
}
