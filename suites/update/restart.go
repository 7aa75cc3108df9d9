package update

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

// restartedAt is how kubectl marks a template.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

var _ = Describe("kubectl rollout", func() {
	r := rollout.New()

	It("restart replaces every pod, by a time in the template", catalog.Covers("F-11", "C-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd())).Should(rollout.BeComplete())
		Expect(change(ctx, r, "rollout", "restart", object)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch restarted"))
		after := r.Eventually(ctx, before.DaemonSet).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "that bear the time of the restart", func(pod *corev1.Pod) bool {
			_, err := time.Parse(time.RFC3339, pod.Annotations[restartedAt])
			return err == nil
		})))
		Expect(after.DaemonSet.Generation).To(Equal(before.DaemonSet.Generation+1), "a restart is one generation")
		Expect(after.Revisions).To(HaveLen(2), "a restart is a revision")
	})

	It("restart refuses to be the second within a second", catalog.Covers("F-11"), func(ctx SpecContext) {
		ds := r.Create(ctx, fixtures.Fluentd())
		Expect(restartTogether(ctx, r, ds)).To(ContainElement(kubectl.Refuse("failed to create patch for fluentd-elasticsearch: " +
			"if restart has already been triggered within the past second, please wait before attempting to trigger another")))
	})

	DescribeTable("refuses to hold an update", func(ctx SpecContext, verb, words string) {
		ds := r.Create(ctx, fixtures.Fluentd())
		Expect(change(ctx, r, "rollout", verb, object)).To(kubectl.Refuse(`error: daemonsets.apps "fluentd-elasticsearch" ` + words))
		unchanged(ctx, r, ds, "what is not supported should change nothing")
	},
		Entry("with pause", catalog.Covers("F-15"), "pause", "pausing is not supported"),
		Entry("with resume", catalog.Covers("F-15"), "resume", "resuming is not supported"),
	)
})

// restartTogether restarts the DaemonSet several times at once, again and again until kubectl has refused one: in which second a kubectl
// looks at its clock cannot be chosen, but of several at once some look in the same one. It returns what the last round printed.
func restartTogether(ctx context.Context, r *rollout.R, ds *appsv1.DaemonSet) []kubectl.Result {
	GinkgoHelper()
	const together, rounds = 4, 10
	results := make([]kubectl.Result, together)
	refused := func(one kubectl.Result) bool { return one.ExitCode != 0 }
	for round := 0; round < rounds && !slices.ContainsFunc(results, refused); round++ {
		act := history.Act{Verb: "kubectl rollout restart", Object: r.DaemonSetNamed(ds.Name), Note: fmt.Sprintf("%d at once", together)}
		r.Act(ctx, act, func(ctx context.Context) error {
			errs := make([]error, together)
			var all sync.WaitGroup
			for i := range together {
				all.Go(func() {
					results[i], errs[i] = r.Environment.Kubectl.Run(ctx, []string{"rollout", "restart", object, "-n", r.Namespace})
				})
			}
			all.Wait()
			return errors.Join(errs...)
		})
	}
	return results
}
