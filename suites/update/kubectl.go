package update

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

// The walk through the task page proves what kubectl does in the ordinary cases (suites/walkthrough); here are the others.

// object is what the specs of this area name on kubectl's command line.
const object = "ds/" + fixtures.FluentdName

// change runs a kubectl command that changes the DaemonSet.
func change(ctx context.Context, r *rollout.R, args ...string) kubectl.Result {
	GinkgoHelper()
	return r.KubectlAct(ctx, r.DaemonSetNamed(fixtures.FluentdName), nil, append(args, "-n", r.Namespace))
}

// ask runs a kubectl command that changes nothing.
func ask(ctx context.Context, r *rollout.R, args ...string) kubectl.Result {
	GinkgoHelper()
	return r.Kubectl(ctx, append(args, "-n", r.Namespace)...)
}

// unchanged fails unless the DaemonSet is of the generation that it was.
func unchanged(ctx context.Context, r *rollout.R, ds *appsv1.DaemonSet, why string) {
	GinkgoHelper()
	r.Barrier(ctx)
	Expect(r.State(ds).DaemonSet.Generation).To(Equal(ds.Generation), why)
}
