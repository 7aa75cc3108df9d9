package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/onsi/ginkgo/v2"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// Restart stops a component of the control plane and starts it again with the data that it had: kube-controller-manager,
// kube-apiserver, etcd. It returns when the component answers. The whole cluster feels it, so only Serial specs may do it.
// Skips where the provider cannot, and beside a CONTROLLER: that one is restarted by RESTART, and may end itself, as
// kube-controller-manager would, when it loses its API server.
func (r *R) Restart(ctx context.Context, component string) {
	ginkgo.GinkgoHelper()
	restarter := r.restarter()
	act := history.Act{Verb: "restart", Object: history.Reference{Name: component}, Disturbs: []history.Disturbance{history.ControllerRestarted}}
	limit := r.patience(2 * time.Minute)
	r.Act(ctx, act, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s did not answer within %s after its restart", component, limit))
		defer cancel()
		return restarter.Restart(ctx, component)
	})
}

func (r *R) restarter() cluster.Restarter {
	ginkgo.GinkgoHelper()
	if r.Provider.State().NoDaemonSetController {
		ginkgo.Skip("the control plane is restarted around its own DaemonSet controller only; RESTART=TERM:5s restarts a CONTROLLER")
	}
	return Need[cluster.Restarter](r)
}
