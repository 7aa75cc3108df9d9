// Package failedpods proves area L of the catalog: pods that failed, completed or were evicted, and how often they are replaced.
package failedpods

import (
	"context"

	. "github.com/onsi/ginkgo/v2"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/rollout"
)

// complete creates the DaemonSet and waits until it is rolled out.
func complete(ctx context.Context, r *rollout.R, changes ...rollout.Change) rollout.State {
	GinkgoHelper()
	ds := r.Create(ctx, fixtures.Fluentd(), changes...)
	return r.Eventually(ctx, ds).Should(rollout.BeComplete())
}
