package failedpods

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

const (
	// slowDown is a pause between two replacements that shows that they have slowed down: whoever makes some ten in two minutes
	// pauses for longer than this before the next.
	slowDown = 10 * time.Second
	// most is how many replacements may come before that pause. The catalog (L-02) says about ten; who begins with the five milliseconds of
	// client-go's work queues and doubles them makes twelve.
	most = 15
	// reset is below the pause that follows one of slowDown for whoever doubles them, and enough to look, delete and create.
	reset = 28 * time.Second
	// lastNode is below the pause on the failing node, and more than one step needs.
	lastNode = 25 * time.Second
)

var _ = Describe("A node that turns every pod away", func() {
	r := rollout.New()

	DescribeTable("is given new pods ever more rarely, and one at once when the spec changes,", SpecPriority(10), func(ctx SpecContext, strategy rollout.Change) {
		r.NeedSteadyController()
		node := r.NodesAlone(ctx, 1)[0]
		r.RejectPods(ctx, node, "OutOfcpu")
		ds := r.Create(ctx, fixtures.Fluentd(), strategy)
		rollout.Deviating(func() {
			r.Eventually(ctx, ds).Should(slowedDown)
			pods, pause := replacements(r.State(ds), rollout.Any)
			Expect(pause).To(BeNumerically(">=", slowDown), "node %s was given %d pods one after the other without a pause of %s", node, pods, slowDown)
		})

		// The pod that came after the pause is rejected, too, before the node accepts any: it has come by itself.
		before := r.Eventually(ctx, ds).Should(rollout.HavePods(0, "that may still be accepted", undecided))
		r.AcceptPods(ctx, node)
		// Not a new template: an update would replace a pod that is not available, delayed or not.
		r.Update(ctx, ds, rollout.MinReadySeconds(1))
		r.Soon(ctx, ds).Within(reset).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "that are accepted", func(p *corev1.Pod) bool {
			return undecided(p) && before.Find(p) == nil
		})))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
	},
		Entry("with maxUnavailable", catalog.Covers("L-02"), rollout.MaxUnavailable(1)),
		Entry("with maxSurge", catalog.Covers("D-12"), rollout.MaxSurge(1)),
	)

	// Not the same as above, where no other pod serves the node: there kube-controller-manager deviates, and here it does not.
	It("is given new pods ever more rarely beside an old pod that serves, with maxSurge", SpecPriority(10), catalog.Covers("D-12"), func(ctx SpecContext) {
		r.NeedSteadyController()
		node := r.NodesAlone(ctx, 1)[0]
		ds := complete(ctx, r, rollout.MaxSurge(1)).DaemonSet
		r.RejectPods(ctx, node, "OutOfcpu")
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		updated := rollout.WithImage(fixtures.FluentdNext)
		r.Eventually(ctx, ds).Should(slowDownWith(updated))
		pods, pause := replacements(r.State(ds), updated)
		Expect(pause).To(BeNumerically(">=", slowDown), "node %s was given %d pods one after the other without a pause of %s", node, pods, slowDown)
		r.AcceptPods(ctx, node)
		r.Update(ctx, ds, rollout.MinReadySeconds(1)) // or the next try could be minutes off
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
	})

	It("does not delay the replacement of a pod that fails on another node", SpecPriority(10), catalog.CoversWith([]catalog.Need{catalog.PodRejection, catalog.Slow}, "L-01", "L-02"), func(ctx SpecContext) {
		r.NeedSteadyController()
		nodes := r.NodesAlone(ctx, 2)
		r.RejectPods(ctx, nodes[0], "OutOfcpu")
		ds := r.Create(ctx, fixtures.Fluentd())
		r.Eventually(ctx, ds).Should(rollout.And(slowedDown, rollout.HavePods(1, "that are Ready", rollout.All(rollout.OnNode(nodes[1]), rollout.Ready))))
		lost := rollout.First(r.State(ds).Pods, rollout.All(rollout.OnNode(nodes[1]), rollout.Ready))
		r.EndPod(ctx, lost, corev1.PodFailed, "Evicted")
		r.Soon(ctx, ds).Within(lastNode).Should(rollout.HavePods(1, "in the place of the one that failed there first", rollout.All(rollout.OnNode(nodes[1]), rollout.Other(lost))))
		r.AcceptPods(ctx, nodes[0])
		r.Update(ctx, ds, rollout.MinReadySeconds(1)) // or the next try could be minutes off
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
	})

	DescribeTable("does not delay the replacement of another DaemonSet's pod that fails there,", SpecPriority(10), func(ctx SpecContext, beside func(context.Context) *rollout.R, name string) {
		r.NeedSteadyController()
		node := r.NodesAlone(ctx, 1)[0]
		b := beside(ctx)
		other := complete(ctx, b, rollout.Named(name))
		r.RejectPods(ctx, node, "OutOfcpu")
		ds := r.Create(ctx, fixtures.Fluentd())
		r.Eventually(ctx, ds).Should(slowedDown)
		b.EndPod(ctx, other.Pods[0], corev1.PodFailed, "Evicted")
		b.Soon(ctx, other.DaemonSet).Within(lastNode).Should(rollout.HavePods(1, "in the place of the one that failed there first", rollout.Other(other.Pods[0])))
		r.AcceptPods(ctx, node)
		r.Update(ctx, ds, rollout.MinReadySeconds(1)) // or the next try could be minutes off
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		b.Update(ctx, other.DaemonSet, rollout.MinReadySeconds(1))
		b.Eventually(ctx, other.DaemonSet).Should(rollout.BeComplete())
	},
		Entry("beside it", catalog.CoversWith([]catalog.Need{catalog.PodRejection, catalog.Slow}, "L-01", "L-02"),
			func(context.Context) *rollout.R { return r }, "second"),
		Entry("with its name in another namespace", catalog.CoversWith([]catalog.Need{catalog.PodRejection, catalog.Slow}, "L-01", "L-02"),
			func(ctx context.Context) *rollout.R { return r.Elsewhere(ctx, "elsewhere") }, fixtures.FluentdName),
	)

	It("does not hold up the update of other nodes", catalog.CoversWith([]catalog.Need{catalog.PodRejection}, "L-01", "L-05"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 3)
		before := complete(ctx, r, rollout.MaxUnavailable(2))
		r.RejectPods(ctx, nodes[0], "NodeAffinity")
		r.Update(ctx, before.DaemonSet, rollout.Image(fixtures.FluentdNext))
		r.Eventually(ctx, before.DaemonSet).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(2, "of the new template on the other nodes",
			func(p *corev1.Pod) bool {
				return rollout.TargetNode(p) != nodes[0] && rollout.WithImage(fixtures.FluentdNext)(p) && rollout.Ready(p)
			})))
		r.AcceptPods(ctx, nodes[0])
		r.Update(ctx, before.DaemonSet, rollout.MinReadySeconds(1)) // or the next try could be minutes off, the more the slower the machine
		r.Eventually(ctx, before.DaemonSet).Should(rollout.BeComplete())
	})

	It("does not hold up the update of other nodes while it waits for its next try", SpecPriority(10), catalog.CoversWith([]catalog.Need{catalog.PodRejection, catalog.Slow}, "L-05"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 3)
		before := complete(ctx, r, rollout.MaxUnavailable(2))
		ds := before.DaemonSet
		r.RejectPods(ctx, nodes[0], "OutOfcpu")
		ended := rollout.First(before.Pods, rollout.OnNode(nodes[0]))
		r.EndPod(ctx, ended, corev1.PodFailed, "OutOfcpu")
		r.Soon(ctx, ds).Should(rollout.HavePods(1, "in the failed one's place", rollout.All(rollout.OnNode(nodes[0]), rollout.Other(ended))))
		// The first node is down, one of the others is replaced, and the last one has to wait until that is Ready. By then whoever doubles
		// the pause from try to try has tried five times and waits for half a minute.
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext), rollout.ReadyAfter(34))
		ready := rollout.All(rollout.WithImage(fixtures.FluentdNext), rollout.Ready)
		r.Eventually(ctx, ds).Should(rollout.HavePods(1, "of the new template that are Ready", ready))
		r.Soon(ctx, ds).Within(lastNode).Should(rollout.Match("go on to the last node", func(s rollout.State) string {
			for _, pod := range s.Pods {
				if rollout.TargetNode(pod) != nodes[0] && rollout.WithImage(fixtures.FluentdImage)(pod) && pod.DeletionTimestamp == nil {
					return "has not deleted pod " + pod.Name
				}
			}
			return ""
		}))
		r.AcceptPods(ctx, nodes[0])
		r.Update(ctx, ds, rollout.ReadyAfter(0))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
	})
})

// slowDownWith matches when there was a pause that shows it, or when too many pods came without one.
func slowDownWith(those func(*corev1.Pod) bool) gomegatypes.GomegaMatcher {
	return rollout.Match("slow down replacing failed pods", func(s rollout.State) string {
		if pods, pause := replacements(s, those); pods <= most+1 && pause < slowDown {
			return fmt.Sprintf("has not: the longest pause between two of %d pods was %s", pods, pause)
		}
		return ""
	})
}

// slowedDown is that for all pods.
var slowedDown = slowDownWith(rollout.Any)

// replacements counts those pods that the DaemonSet has had, and returns the longest time between the creation of one and of the next.
func replacements(s rollout.State, those func(*corev1.Pod) bool) (pods int, longest time.Duration) {
	seen := map[types.UID]bool{}
	var created []time.Time
	for _, e := range s.All.Entries {
		if e.Type == history.Added && e.Pod != nil && s.DaemonSet != nil && metav1.IsControlledBy(e.Pod, s.DaemonSet) && those(e.Pod) && !seen[e.Pod.UID] {
			seen[e.Pod.UID] = true
			created = append(created, e.Pod.CreationTimestamp.Time)
		}
	}
	slices.SortFunc(created, time.Time.Compare)
	for i := 1; i < len(created); i++ {
		longest = max(longest, created[i].Sub(created[i-1]))
	}
	return len(created), longest
}

// undecided is the condition that the node may still accept the pod.
func undecided(pod *corev1.Pod) bool { return !rollout.Terminal(pod) }
