package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/onsi/ginkgo/v2"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// Releases are the versions that the control plane can be taken through, oldest first. Skips where it stays as it is.
func (r *R) Releases() []cluster.Release {
	ginkgo.GinkgoHelper()
	releases := r.Provider.State().Releases
	if len(releases) < 2 {
		ginkgo.Skip("the control plane has one version in this run; make upgrade takes it through several")
	}
	return releases
}

// Upgrade replaces the control plane by one of another version, older or newer, on the same data, and returns when that one answers. What the
// API server did before it ended is on record: the streams go on from where they were.
func (r *R) Upgrade(ctx context.Context, to cluster.Release) {
	ginkgo.GinkgoHelper()
	upgrader := Need[cluster.Upgrader](r)
	act := history.Act{
		Verb: "upgrade", Object: history.Reference{Name: "control plane"}, Note: to.Version,
		Disturbs: []history.Disturbance{history.ControllerRestarted},
	}
	limit := r.patience(3 * time.Minute)
	r.Act(ctx, act, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the control plane %s did not answer within %s", to.Version, limit))
		defer cancel()
		return upgrader.Upgrade(ctx, to)
	})
}
