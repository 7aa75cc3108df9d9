// Package revision proves area I of the catalog: what is recorded of each template, going back, limits and collisions.
package revision

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/rollout"
)

// tag is an image of the fixtures' repository: which one plays no part, only that it differs.
func tag(version string) string { return "quay.io/fluentd_elasticsearch/fluentd:" + version }

// complete creates the DaemonSet and waits until it is rolled out, and on record.
func complete(ctx context.Context, r *rollout.R, changes ...rollout.Change) rollout.State {
	GinkgoHelper()
	ds := r.Create(ctx, fixtures.Fluentd(), changes...)
	return r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.BeRecorded()))
}

// updated changes the image and waits until that is rolled out, and on record.
func updated(ctx context.Context, r *rollout.R, ds *appsv1.DaemonSet, image string) rollout.State {
	GinkgoHelper()
	r.Update(ctx, ds, rollout.Image(image))
	return r.Eventually(ctx, ds).Should(rollout.And(
		rollout.BeComplete(), rollout.HavePods(len(r.AllNodes()), "with the image "+image, rollout.WithImage(image)), rollout.BeRecorded()))
}

// limit sets revisionHistoryLimit.
func limit(revisions int32) rollout.Change {
	return func(ds *appsv1.DaemonSet) { ds.Spec.RevisionHistoryLimit = &revisions }
}

// touch changes something outside the template, so that a controller looks at the DaemonSet again.
func touch(ds *appsv1.DaemonSet) { ds.Spec.MinReadySeconds++ }
