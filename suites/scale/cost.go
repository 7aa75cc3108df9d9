package scale

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/rollout"
)

// rounds are the pairs of updates that are measured, in turns, so that a machine that gets slower or faster meanwhile favours neither.
// One pair more goes before them: the first update after a DaemonSet's creation has caches to fill.
const rounds = 3

// aim is what was hoped for: an update that is watched takes at most so many times as long.
const aim = 1.05

// cost measures what it costs a cluster to be watched: the same update of the same DaemonSet, in the spec's namespace, which is recorded and
// waited for, and in one that nobody looks at. It is a figure, not a verdict: a busy machine would decide that.
func cost(r *rollout.R, c crowd) {
	It("an update that Rollcall watches takes about as long as one that nobody watches", catalog.CoversWith(large, "C-05"), func(ctx SpecContext) {
		watched := c.complete(ctx, rollout.MaxUnavailable("10%"))
		unwatched := elsewhere(ctx, c, watched)
		var with, without turns
		edition := 1
		withUs := func(t *turns) {
			edition++
			t.measure(ctx, r, func() float64 { return c.watchedUpdate(ctx, watched, fmt.Sprint(edition)) })
		}
		withoutUs := func(t *turns) {
			edition++
			t.measure(ctx, r, func() float64 { return c.unwatchedUpdate(ctx, unwatched, fmt.Sprint(edition)) })
		}
		withUs(&turns{})
		withoutUs(&turns{})
		for round := range rounds {
			if round%2 == 0 {
				withUs(&with)
				withoutUs(&without)
			} else {
				withoutUs(&without)
				withUs(&with)
			}
		}
		with.report("that is watched")
		without.report("that nobody watches")
		var ratios []float64
		for i := range rounds {
			ratios = append(ratios, with.seconds[i]/without.seconds[i])
		}
		rollout.Measured(fmt.Sprintf("watched / unwatched (median of pairs; aim: at most %.2f)", aim), median(ratios))
		rollout.Measured("watched / unwatched (least)", slices.Min(ratios))
		rollout.Measured("watched / unwatched (most)", slices.Max(ratios))
	})
}

// watchedUpdate returns how long an update took that the recorder sees to its end.
func (c crowd) watchedUpdate(ctx context.Context, ds *appsv1.DaemonSet, edition string) float64 {
	GinkgoHelper()
	var seen chan struct{}
	seconds := c.took(ctx, ds, func() {
		c.Update(ctx, ds, rollout.Edition(edition))
		seen = make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(seen)
			c.updated(ctx, ds, edition)
		}()
	})
	Eventually(ctx, seen).WithTimeout(c.limit()).Should(BeClosed(), "the recorder sees the end that the DaemonSet's status says")
	return seconds
}

// unwatchedUpdate returns how long the same update took where only the DaemonSet's status is looked at.
func (c crowd) unwatchedUpdate(ctx context.Context, ds *appsv1.DaemonSet, edition string) float64 {
	GinkgoHelper()
	return c.took(ctx, ds, func() {
		patch := fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{"rollcall.dev/edition":%q}}}}}`, edition)
		_, err := c.Client.AppsV1().DaemonSets(ds.Namespace).Patch(ctx, ds.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
	})
}

// turns are the updates of one kind: how long each took, and what it used, see consumption.
type turns struct{ seconds, suite, server []float64 }

func (t *turns) measure(ctx context.Context, r *rollout.R, update func() float64) {
	before := consumed(ctx, r)
	t.seconds = append(t.seconds, update())
	used := consumed(ctx, r).since(before)
	t.suite, t.server = append(t.suite, used.suite), append(t.server, used.server)
}

func (t *turns) report(kind string) {
	rollout.Measured("update "+kind+" (s, median)", median(t.seconds))
	rollout.Measured("CPU of the suite in an update "+kind+" (s, median)", median(t.suite))
	rollout.Measured("CPU of the API server in an update "+kind+" (s, median)", median(t.server))
}

// elsewhere makes the same DaemonSet on the same nodes in a namespace that is not recorded, and waits for its pods.
func elsewhere(ctx context.Context, c crowd, ds *appsv1.DaemonSet) *appsv1.DaemonSet {
	GinkgoHelper()
	name := c.Namespace + "-unwatched"
	DeferCleanup(func(ctx context.Context) error {
		return c.Client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	}, NodeTimeout(time.Minute))
	_, err := c.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{cluster.RunLabel: c.Run},
	}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	twin := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: ds.Name, Namespace: name, Labels: ds.Labels}, Spec: ds.Spec}
	c.took(ctx, twin, func() {
		twin, err = c.Client.AppsV1().DaemonSets(name).Create(ctx, twin, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
	})
	return twin
}

// took does something to a DaemonSet and returns how many seconds passed until its status said that all is done.
func (c crowd) took(ctx context.Context, ds *appsv1.DaemonSet, do func()) float64 {
	GinkgoHelper()
	ctx, cancel := context.WithTimeout(ctx, c.limit())
	defer cancel()
	lw := cache.NewListWatchFromClient(c.Client.AppsV1().RESTClient(), "daemonsets", ds.Namespace, fields.OneTermEqualSelector("metadata.name", ds.Name))
	before := ds.Generation
	if now, err := c.Client.AppsV1().DaemonSets(ds.Namespace).Get(ctx, ds.Name, metav1.GetOptions{}); err == nil {
		before = now.Generation
	}
	began := time.Now()
	do()
	_, err := watchtools.UntilWithSync(ctx, lw, &appsv1.DaemonSet{}, nil, func(e watch.Event) (bool, error) {
		now, ok := e.Object.(*appsv1.DaemonSet)
		return ok && now.Generation != before && done(now), nil
	})
	Expect(err).NotTo(HaveOccurred(), "DaemonSet %s/%s did not come to its end within %s", ds.Namespace, ds.Name, c.limit())
	return time.Since(began).Seconds()
}
