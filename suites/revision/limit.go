package revision

import (
	"fmt"
	"slices"
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("revisionHistoryLimit", func() {
	r := rollout.New()

	DescribeTable("leaves the newest old revisions and the current one,", func(ctx SpecContext, strategy rollout.Change) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r, limit(2), strategy).DaemonSet
		for _, version := range []string{"v2.6.0", "v2.5.1", "v2.5.0", "v2.4.0"} {
			updated(ctx, r, ds, tag(version))
		}
		r.Eventually(ctx, ds).Should(rollout.HaveRevisions(3, 4, 5)) // not all at once: who cleans up now and then may
		r.Update(ctx, ds, limit(0))
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HaveRevisions(5)))
		Expect(rollout.RecordedImage(after.Revisions[0])).To(Equal(tag("v2.4.0")), "the revision that is left should be the current one")
	},
		Entry("with maxUnavailable", catalog.Covers("I-13"), rollout.MaxUnavailable(1)),
		Entry("with maxSurge", catalog.CoversWith([]catalog.Need{catalog.Surge}, "I-13"), rollout.MaxSurge(1)),
	)

	It("takes the lowest of many revisions when it is lowered", catalog.Covers("I-13"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		// Where it has no pod, no revision stays for one. There are enough revisions that the right ones do not go by chance.
		ds := r.Create(ctx, fixtures.Fluentd(), limit(10), rollout.Template(func(t *corev1.PodTemplateSpec) {
			t.Spec.NodeSelector = map[string]string{"rollcall.dev/nowhere": "true"}
		}))
		numbers := []int64{1}
		for edition := 2; edition <= 11; edition++ {
			r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HaveRevisions(numbers...)))
			r.Update(ctx, ds, rollout.Edition(strconv.Itoa(edition)))
			numbers = append(numbers, int64(edition))
		}
		r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HaveRevisions(numbers...)))
		r.Update(ctx, ds, limit(5))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HaveRevisions(6, 7, 8, 9, 10, 11)))
	})

	It("takes the lowest number after a rollback, and not what was recorded first", catalog.Covers("I-13", "I-05"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		// minReadySeconds has the first two be recorded in different seconds.
		ds := complete(ctx, r, limit(2), rollout.MinReadySeconds(2)).DaemonSet
		updated(ctx, r, ds, tag("v2.6.0"))
		updated(ctx, r, ds, fixtures.FluentdImage)
		updated(ctx, r, ds, tag("v2.5.1"))
		r.Eventually(ctx, ds).Should(recorded(tag("v2.6.0"), fixtures.FluentdImage, tag("v2.5.1")))
		// What was recorded first is not what pods run when one has to go: they would keep it.
		updated(ctx, r, ds, tag("v2.4.0"))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveRevisions(3, 4, 5), recorded(fixtures.FluentdImage, tag("v2.5.1"), tag("v2.4.0"))))
	})

	It("takes away no revision that a pod still runs", catalog.Covers("I-13"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		// The pods are some seconds old before anything happens: of younger ones the judge does not know whether they or the revision came first.
		ds := complete(ctx, r, rollout.OnDelete(), limit(0), rollout.TerminatesFor(6), rollout.MinReadySeconds(3)).DaemonSet
		for _, version := range []string{"v2.6.0", "v2.5.1"} {
			r.Update(ctx, ds, rollout.Image(tag(version)))
			r.Soon(ctx, ds).Should(rollout.HaveObserved())
		}
		// The template between may be gone before the last one has its number.
		both := recorded(fixtures.FluentdImage, tag("v2.5.1"))
		r.Eventually(ctx, ds).Should(both)
		r.Settle(ctx)
		after := r.State(ds)
		Expect(after).To(both, "the first is what the pods run, the last the current template")

		for _, pod := range after.Pods {
			r.DeletePod(ctx, pod) // that its revision stays until it has ended, the judge sees
		}
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), recorded(tag("v2.5.1")),
			rollout.HavePods(2, "of the last template", rollout.WithImage(tag("v2.5.1")))))
	})

	It("takes away no revision that a dead pod bears whose object a finalizer keeps", catalog.Covers("I-13", "M-16"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		// As above: of younger pods the judge does not know whether they or the revision came first.
		before := complete(ctx, r, limit(0), rollout.MinReadySeconds(3))
		ds, held := before.DaemonSet, before.Pods[0]
		r.HoldPod(ctx, held)

		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		next := rollout.All(rollout.WithImage(fixtures.FluentdNext), rollout.Ready)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "of the next template that are Ready", next),
			rollout.Match("still have the dead pod", func(s rollout.State) string {
				if dead := s.Find(held); dead == nil || dead.DeletionTimestamp == nil || !rollout.Terminal(dead) {
					return "has not: pod " + held.Name + " is gone, or not dead"
				}
				return ""
			})))
		r.Update(ctx, ds, touch) // so that the controller looks at it now that the pod is dead
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Settle(ctx)
		Expect(rollout.Numbers(r.State(ds).Revisions)).To(Equal([]int64{1, 2}), "revision 1 is what pod %s ran, which is still in the API", held.Name)

		r.LetGo(ctx, held)
		r.Update(ctx, ds, rollout.MinReadySeconds(2)) // the end of a dead pod's object need wake nobody
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveRevisions(2)))
	})
})

// recorded matches when the revisions are of templates with these images, in the order of their numbers.
func recorded(images ...string) types.GomegaMatcher {
	return rollout.Match(fmt.Sprintf("have revisions of the images %v", images), func(s rollout.State) string {
		var got []string
		for _, number := range rollout.Numbers(s.Revisions) {
			got = append(got, rollout.RecordedImage(rollout.Numbered(s.Revisions, number)))
		}
		if !slices.Equal(got, images) {
			return fmt.Sprintf("has %v", got)
		}
		return ""
	})
}
