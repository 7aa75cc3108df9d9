package update

import (
	"context"
	"io"
	"os/exec"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("kubectl rollout status of an update that gets no further", func() {
	r := rollout.New()

	stuck := func(ctx context.Context) *appsv1.DaemonSet {
		GinkgoHelper()
		r.Nodes(ctx, 1)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.NeverReady())
		return r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "that will not get Ready", rollout.Any),
			rollout.HaveStatus("updatedNumberScheduled 1", func(s appsv1.DaemonSetStatus) bool { return s.UpdatedNumberScheduled == 1 }))).DaemonSet
	}
	const waiting = `Waiting for daemon set "fluentd-elasticsearch" rollout to finish: 0 of 1 updated pods are available...`

	It("prints one line with --watch=false", catalog.Covers("F-13"), func(ctx SpecContext) {
		stuck(ctx)
		Expect(ask(ctx, r, "rollout", "status", object, "--watch=false")).To(kubectl.Say(waiting))
	})

	It("ignores --revision", catalog.Covers("F-14"), func(ctx SpecContext) {
		stuck(ctx)
		rollout.Deviating(func() {
			Expect(ask(ctx, r, "rollout", "status", object, "--watch=false", "--revision=7")).To(kubectl.Say(waiting))
		})
	})

	It("waits until the DaemonSet is deleted, and calls that an error", catalog.Covers("F-13"), func(ctx SpecContext) {
		ds := stuck(ctx)
		watching := &firstWrite{seen: make(chan struct{})}
		var deleting sync.WaitGroup
		deleting.Go(func() {
			defer GinkgoRecover()
			select {
			case <-watching.seen: // from here on it is the watch that tells kubectl
				r.Delete(ctx, ds, metav1.DeletePropagationBackground)
			case <-ctx.Done():
			}
		})
		result := r.KubectlAct(ctx, r.DaemonSetNamed(ds.Name), nil, []string{"rollout", "status", object, "-n", r.Namespace}, watching.listen)
		deleting.Wait()
		Expect(result).To(kubectl.Refuse("error: object has been deleted"))
	})
})

// firstWrite tells when a command has printed something.
type firstWrite struct {
	once sync.Once
	seen chan struct{}
}

func (f *firstWrite) Write(p []byte) (int, error) {
	f.once.Do(func() { close(f.seen) })
	return len(p), nil
}

func (f *firstWrite) listen(c *exec.Cmd) { c.Stdout = io.MultiWriter(c.Stdout, f) }
