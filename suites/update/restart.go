package update

import (
	"context"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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

	It("restart replaces every pod, by writing the time into the template", catalog.Covers("F-11", "C-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd())).Should(rollout.BeComplete())
		Expect(change(ctx, r, "rollout", "restart", object)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch restarted"))
		after := r.Eventually(ctx, before.DaemonSet).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "that bear the time of the restart", func(pod *corev1.Pod) bool {
			_, err := time.Parse(time.RFC3339, pod.Annotations[restartedAt])
			return err == nil
		}), rollout.HaveRevisions(1, 2)))
		Expect(after.DaemonSet.Generation).To(Equal(before.DaemonSet.Generation+1), "a restart is one generation")
	})

	It("restart is refused for a second time within the same second", catalog.Covers("F-11"), func(ctx SpecContext) {
		ds := r.Create(ctx, fixtures.Fluentd())
		Expect(restartBesideAnother(ctx, r, ds)).To(kubectl.Refuse("failed to create patch for fluentd-elasticsearch: " +
			"if restart has already been triggered within the past second, please wait before attempting to trigger another"))
	})

	DescribeTable("refuses, for a DaemonSet, to", func(ctx SpecContext, verb, words string) {
		ds := r.Create(ctx, fixtures.Fluentd())
		Expect(change(ctx, r, "rollout", verb, object)).To(kubectl.Refuse(`error: daemonsets.apps "fluentd-elasticsearch" ` + words))
		unchanged(ctx, r, ds, "what is not supported should change nothing")
	},
		Entry("pause", catalog.Covers("F-15"), "pause", "pausing is not supported"),
		Entry("resume", catalog.Covers("F-15"), "resume", "resuming is not supported"),
	)
})

// restartBesideAnother runs kubectl rollout restart while somebody else restarts the DaemonSet at the beginning of each second: in which second kubectl looks at its clock cannot be chosen. The moment between the two at the turn of a second is small,
// but it is there, so kubectl gets several goes; the last one's result is returned.
func restartBesideAnother(ctx context.Context, r *rollout.R, ds *appsv1.DaemonSet) (result kubectl.Result) {
	GinkgoHelper()
	const goes = 100
	act := history.Act{Verb: "kubectl rollout restart", Object: r.DaemonSetNamed(ds.Name), Disturbs: []history.Disturbance{history.RapidUpdates}, Note: "twice in a second"}
	r.Act(ctx, act, func(ctx context.Context) (err error) {
		stamping, stop := context.WithCancel(ctx)
		stamped := make(chan error, 1)
		go func() { stamped <- stampEachSecond(stamping, r, ds.Name) }()
		defer func() {
			stop()
			err = errors.Join(err, <-stamped)
		}()
		for range goes {
			result, err = r.Environment.Kubectl.Run(ctx, []string{"rollout", "restart", object, "-n", r.Namespace})
			if err != nil || result.ExitCode != 0 {
				return err
			}
		}
		return nil
	})
	return result
}

// stampEachSecond writes into the template, until ctx ends, what a restart in the present second would write.
func stampEachSecond(ctx context.Context, r *rollout.R, name string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for {
		if now := time.Now().Format(time.RFC3339); now != last {
			patch := fmt.Sprintf(`{"spec":{"template":{"metadata":{"annotations":{%q:%q}}}}}`, restartedAt, now)
			_, err := r.Client.AppsV1().DaemonSets(r.Namespace).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				return fmt.Errorf("stamping the template: %w", err)
			}
			last = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
