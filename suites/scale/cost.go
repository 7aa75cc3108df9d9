package scale

import (
	"context"
	"fmt"
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

// rounds of each kind, in turns, so that a machine that gets slower or faster meanwhile favours neither.
const rounds = 3

// cost measures what it costs a cluster to be watched: the same update of the same DaemonSet, in the spec's namespace, which is recorded and
// waited for, and in one that nobody looks at. It is a figure, not a verdict: a busy machine would decide that.
func cost(r *rollout.R, c crowd) {
	It("an update that Rollcall watches takes about as long as one that nobody watches", catalog.CoversWith(large, "C-05"), func(ctx SpecContext) {
		watched := c.complete(ctx, rollout.MaxUnavailable("10%"))
		unwatched := elsewhere(ctx, r, watched)
		with, without := new(turns), new(turns)
		for round := range 2 * rounds {
			edition := fmt.Sprint(round + 2)
			if round%4 == 0 || round%4 == 3 { // with, without, without, with, …
				with.measure(ctx, r, func() float64 {
					var seen chan struct{}
					seconds := took(ctx, r, watched, func() {
						r.Update(ctx, watched, rollout.Edition(edition))
						seen = make(chan struct{})
						go func() {
							defer GinkgoRecover()
							defer close(seen)
							c.updated(ctx, watched, edition)
						}()
					})
					Eventually(ctx, seen).WithTimeout(time.Minute).Should(BeClosed(), "the recorder sees the end that the DaemonSet's status says")
					return seconds
				})
			} else {
				without.measure(ctx, r, func() float64 {
					return took(ctx, r, unwatched, func() {
						patch := fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{"rollcall.dev/edition":%q}}}}}`, edition)
						_, err := r.Client.AppsV1().DaemonSets(unwatched.Namespace).Patch(ctx, unwatched.Name, types.MergePatchType, patch, metav1.PatchOptions{})
						Expect(err).NotTo(HaveOccurred())
					})
				})
			}
		}
		with.report("that is watched")
		without.report("that nobody watches")
		rollout.Measured("watched / unwatched", median(with.seconds)/median(without.seconds))
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
func elsewhere(ctx context.Context, r *rollout.R, ds *appsv1.DaemonSet) *appsv1.DaemonSet {
	GinkgoHelper()
	name := r.Namespace + "-unwatched"
	DeferCleanup(func(ctx context.Context) error {
		return r.Client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	}, NodeTimeout(time.Minute))
	_, err := r.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{cluster.RunLabel: r.Run},
	}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	twin := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: ds.Name, Namespace: name, Labels: ds.Labels}, Spec: ds.Spec}
	took(ctx, r, twin, func() {
		twin, err = r.Client.AppsV1().DaemonSets(name).Create(ctx, twin, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
	})
	return twin
}

// took does something to a DaemonSet and returns how many seconds passed until its status said that all is done.
func took(ctx context.Context, r *rollout.R, ds *appsv1.DaemonSet, do func()) float64 {
	GinkgoHelper()
	lw := cache.NewListWatchFromClient(r.Client.AppsV1().RESTClient(), "daemonsets", ds.Namespace, fields.OneTermEqualSelector("metadata.name", ds.Name))
	before := ds.Generation
	if now, err := r.Client.AppsV1().DaemonSets(ds.Namespace).Get(ctx, ds.Name, metav1.GetOptions{}); err == nil {
		before = now.Generation
	}
	began := time.Now()
	do()
	_, err := watchtools.UntilWithSync(ctx, lw, &appsv1.DaemonSet{}, nil, func(e watch.Event) (bool, error) {
		now, ok := e.Object.(*appsv1.DaemonSet)
		if !ok || now.Generation == before || now.Status.ObservedGeneration < now.Generation {
			return false, nil
		}
		s := now.Status
		return s.DesiredNumberScheduled > 0 && s.UpdatedNumberScheduled == s.DesiredNumberScheduled && s.NumberAvailable == s.DesiredNumberScheduled, nil
	})
	Expect(err).NotTo(HaveOccurred(), "DaemonSet %s/%s did not come to its end", ds.Namespace, ds.Name)
	return time.Since(began).Seconds()
}
