package scale

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

// fewest is the smallest cluster that is called large here.
const fewest = 100

var (
	large   = []catalog.Need{catalog.Scale}
	surging = []catalog.Need{catalog.Scale, catalog.Surge}
	joining = []catalog.Need{catalog.Scale, catalog.NodeAddRemove}
)

// What a budget or a surge does at every instant, the judge sees: the specs only have updates come to their end.
var _ = Describe("On a large cluster", Ordered, ContinueOnFailure, func() {
	r := rollout.New(rollout.OnAllNodes("scale"))
	c := crowd{r}

	BeforeEach(func() {
		if n := len(r.AllNodes()); n < fewest {
			Skip(fmt.Sprintf("the cluster has %d nodes; make e2e-scale NODES=%d would make it run", n, fewest))
		}
	})

	// Go lets a heap grow to twice what is in use before it collects. A history of thousands of nodes is a heap of hundreds of MiB that only
	// grows, beside a cluster that needs the machine's memory: half as much on top is enough.
	BeforeAll(func() { DeferCleanup(debug.SetGCPercent, debug.SetGCPercent(50)) })

	DescribeTable("an update comes to its end within its limit", func(ctx SpecContext, strategy func(nodes int) rollout.Change) {
		ds := c.complete(ctx, strategy(len(r.AllNodes())))
		began := time.Now()
		r.Update(ctx, ds, rollout.Edition("2"))
		c.updated(ctx, ds, "2")
		rollout.Measured("update (s)", time.Since(began).Seconds())
	},
		Entry("of maxUnavailable in percent", catalog.CoversWith(large, "C-05", "C-08"), func(int) rollout.Change { return rollout.MaxUnavailable("10%") }),
		Entry("of maxUnavailable as a number", catalog.CoversWith(large, "C-05"), func(nodes int) rollout.Change { return rollout.MaxUnavailable(nodes / 20) }),
		Entry("of maxSurge in percent", catalog.CoversWith(surging, "D-01", "D-03"), func(int) rollout.Change { return rollout.MaxSurge("10%") }),
	)

	It("an update that is taken back halfway restarts only what it had reached", catalog.CoversWith(large, "I-06", "C-05"), func(ctx SpecContext) {
		ds := c.complete(ctx, rollout.MaxUnavailable("10%"))
		half := len(r.AllNodes()) / 2
		r.Update(ctx, ds, rollout.Edition("2"))
		reached := c.soon(ctx, ds, rollout.HaveStatus("half of its pods updated", func(s appsv1.DaemonSetStatus) bool { return int(s.UpdatedNumberScheduled) >= half }))
		untouched := rollout.Where(reached.Pods, rollout.All(rollout.OfEdition(""), rollout.Ready))
		r.Update(ctx, ds, func(ds *appsv1.DaemonSet) { ds.Spec.Template.Annotations = nil })
		state := c.updated(ctx, ds, "")
		kept := 0
		for _, pod := range untouched {
			if state.Find(pod) != nil {
				kept++
			}
		}
		// Between what was seen and the change the controller may have begun another batch.
		Expect(kept).To(BeNumerically(">=", len(untouched)-2*len(r.AllNodes())/10), "most pods that the update had not reached are the same as before it")
	})

	It("nodes that join and leave during an update get pods of the new template, and do not hold it up", catalog.CoversWith(joining, "K-01", "K-02"), func(ctx SpecContext) {
		ds := c.complete(ctx, rollout.MaxUnavailable("10%"), rollout.MinReadySeconds(5)) // so that it goes on for long enough
		nodes := r.AllNodes()
		r.Update(ctx, ds, rollout.Edition("2"))
		changed := 0
		for changed < 50 && !done(r.State(ds).DaemonSet) {
			r.RemoveNode(ctx, nodes[changed*len(nodes)/50])
			r.AddNode(ctx)
			changed++
		}
		c.updated(ctx, ds, "2")
		rollout.Measured("nodes that left, and others that joined, during the update", float64(changed))
	})

	It("two DaemonSets are updated at once, each within its own limit", catalog.CoversWith(large, "C-05", "C-08"), func(ctx SpecContext) {
		first := c.complete(ctx, rollout.MaxUnavailable("10%"))
		second := c.complete(ctx, rollout.MaxUnavailable("5%"), rollout.Named("second"))
		r.Update(ctx, first, rollout.Edition("2"))
		r.Update(ctx, second, rollout.Edition("2"))
		c.updated(ctx, first, "2")
		c.updated(ctx, second, "2")
	})

	It("an update every second for a minute ends in the last template", catalog.CoversWith(large, "M-21"), func(ctx SpecContext) {
		ds := c.complete(ctx, rollout.MaxUnavailable("10%"))
		last := ""
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for i := range 60 {
			last = fmt.Sprint(i + 2)
			r.Update(ctx, ds, rollout.Edition(last))
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		c.updated(ctx, ds, last)
	})

	cost(r, c)
})

// crowd waits as long as so many nodes may take.
type crowd struct{ *rollout.R }

// patience is how long an update of so many nodes may take: three tenths of a second a node, with all that runs beside it.
func (c crowd) patience() time.Duration {
	return 3*time.Minute + 300*time.Millisecond*time.Duration(len(c.AllNodes()))
}

// limit is that with TIMEOUT_FACTOR.
func (c crowd) limit() time.Duration {
	return time.Duration(float64(c.patience()) * c.TimeoutFactor)
}

// soon waits for the DaemonSet to get somewhere.
func (c crowd) soon(ctx context.Context, ds *appsv1.DaemonSet, state gomegatypes.GomegaMatcher) rollout.State {
	GinkgoHelper()
	return c.Eventually(ctx, ds).Within(c.patience()).Should(state)
}

// done says whether the status tells of an update that has come to its end.
func done(ds *appsv1.DaemonSet) bool {
	s := ds.Status
	return s.ObservedGeneration == ds.Generation && s.DesiredNumberScheduled > 0 && s.UpdatedNumberScheduled == s.DesiredNumberScheduled && s.NumberAvailable == s.DesiredNumberScheduled
}

// complete creates a DaemonSet on all nodes and waits for its pods.
func (c crowd) complete(ctx context.Context, changes ...rollout.Change) *appsv1.DaemonSet {
	GinkgoHelper()
	return c.soon(ctx, c.Create(ctx, fixtures.Fluentd(), changes...), rollout.BeComplete()).DaemonSet
}

// updated waits until every pod is of that edition.
func (c crowd) updated(ctx context.Context, ds *appsv1.DaemonSet, edition string) rollout.State {
	GinkgoHelper()
	return c.soon(ctx, ds, rollout.And(rollout.BeComplete(), rollout.HaveOnlyPods("of the last template", rollout.OfEdition(edition))))
}
