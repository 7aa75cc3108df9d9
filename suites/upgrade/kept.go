package upgrade

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/rollout"
)

// kept is a DaemonSet of which nothing may change by itself.
type kept struct {
	before rollout.State
	// resume has it do something again, and waits until it is done.
	resume func(context.Context)
}

// look compares with before. That there are other revisions is returned, and no reason to end here: nobody promises that there are none.
func (k *kept) look(r *rollout.R, release cluster.Release) (further []string) {
	GinkgoHelper()
	ds := k.before.DaemonSet
	after := r.State(ds)
	Expect(after.Pods).To(ConsistOf(rollout.SamePods(k.before.Pods)...), "DaemonSet %s should have the same pods with %s", ds.Name, release.Version)
	for _, pod := range k.before.Pods {
		Expect(restarts(after.Find(pod))).To(Equal(restarts(pod)), "no container of pod %s should be restarted by the change to %s", pod.Name, release.Version)
	}
	if matches, err := ConsistOf(same(k.before.Revisions)...).Match(after.Revisions); err != nil || !matches {
		further = append(further, fmt.Sprintf("DaemonSet %s should have the same %d revisions with %s, but it has %d", ds.Name, len(k.before.Revisions), release.Version, len(after.Revisions)))
	}
	Expect(after.DaemonSet.Generation).To(Equal(ds.Generation), "nobody changed the spec of DaemonSet %s", ds.Name)
	Expect(after.DaemonSet.Status).To(Equal(ds.Status), "DaemonSet %s should have the same status with %s", ds.Name, release.Version)
	return further
}

func atRest(ctx context.Context, r *rollout.R) *kept {
	GinkgoHelper()
	ds := r.Create(ctx, fixtures.Fluentd(), rollout.Named("resting"), furnished)
	return &kept{before: r.Eventually(ctx, ds).Should(rollout.BeComplete()), resume: func(ctx context.Context) {
		r.Update(ctx, ds, rollout.Edition("next"))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveOnlyPods("of the new template", rollout.OfEdition("next"))))
	}}
}

func stuck(ctx context.Context, r *rollout.R) *kept {
	GinkgoHelper()
	ds := r.Create(ctx, fixtures.Fluentd(), rollout.Named("stuck"), furnished, rollout.MaxUnavailable(1))
	r.Eventually(ctx, ds).Should(rollout.BeComplete())
	r.Update(ctx, ds, rollout.Image(fixtures.FluentdNotExisting))
	r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "that wait for their image", rollout.Waiting("ErrImagePull", "ImagePullBackOff"))))
	r.Settle(ctx)
	return &kept{before: r.State(ds), resume: func(ctx context.Context) {
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveOnlyPods("of the new template", rollout.WithImage(fixtures.FluentdNext))))
	}}
}

func onDelete(ctx context.Context, r *rollout.R) *kept {
	GinkgoHelper()
	ds := r.Create(ctx, fixtures.Fluentd(), rollout.Named("on-delete"), furnished, rollout.OnDelete())
	r.Eventually(ctx, ds).Should(rollout.BeComplete())
	r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
	r.Eventually(ctx, ds).Should(rollout.HaveObserved())
	r.Settle(ctx)
	before := r.State(ds)
	return &kept{before: before, resume: func(ctx context.Context) {
		r.DeletePod(ctx, before.Pods[0])
		r.Eventually(ctx, ds).Should(rollout.And(
			rollout.HavePods(1, "of the new template", rollout.All(rollout.Ready, rollout.WithImage(fixtures.FluentdNext))),
			rollout.HavePods(len(before.Pods)-1, "of the old template", rollout.WithImage(fixtures.FluentdImage))))
	}}
}

func restarts(pod *corev1.Pod) (count int32) {
	for _, c := range pod.Status.ContainerStatuses {
		count += c.RestartCount
	}
	return count
}

// same are matchers of exactly these revisions, with the numbers that they have.
func same(revisions []*appsv1.ControllerRevision) []any {
	var all []any
	for _, revision := range revisions {
		all = append(all, And(HaveField("UID", revision.UID), HaveField("Revision", revision.Revision)))
	}
	return all
}
