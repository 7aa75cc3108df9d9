package rollout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

// awakeAnnotation is one of a DaemonSet itself, not of its template: to change it changes nothing that a controller acts on.
const awakeAnnotation = "rollcall.dev/awake"

// KeepAwake changes an annotation of the DaemonSet every two seconds until the spec ends, for surging updates with minReadySeconds that are
// about something else than D-13: upstream forgets to look again at a pod that becomes available when a retry happens to be due, and then
// does nothing until the DaemonSet or a pod changes. The specs of D-13 do without. Nobody else's DaemonSet is kept awake: not without a
// surge, nor where upstream's deviations do not apply.
func (r *R) KeepAwake(ctx context.Context, ds *appsv1.DaemonSet) {
	if rolling := ds.Spec.UpdateStrategy.RollingUpdate; !r.judgesUpstream() || rolling == nil || rolling.MaxSurge == nil || rolling.MaxSurge.String() == "0" {
		return
	}
	r.Nudge(ctx, ds)
}

// Nudge changes an annotation of the DaemonSet every two seconds until the spec ends, so that its controller looks at it again and again.
func (r *R) Nudge(ctx context.Context, ds *appsv1.DaemonSet) {
	ctx, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	touched := 0
	done.Go(func() {
		wait.UntilWithContext(ctx, func(ctx context.Context) {
			touched++
			r.touch(ctx, ds, fmt.Sprint(touched))
		}, 2*time.Second)
	})
	ginkgo.DeferCleanup(func() {
		stop()
		done.Wait()
	})
}

// Besiege changes an annotation of the DaemonSet as fast as a few clients can, which changes nothing that a controller acts on, until the
// function that it returns is called, but no longer than twenty seconds: a controller that gives way to other writers gets nowhere meanwhile.
// Any other looks at it again and again, sooner than it hears of what it has just done itself.
func (r *R) Besiege(ctx context.Context, ds *appsv1.DaemonSet) (stop func()) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	var done sync.WaitGroup
	for client := range 8 {
		done.Go(func() {
			for touched := 0; ctx.Err() == nil; touched++ {
				r.touch(ctx, ds, fmt.Sprintf("%d of %d", touched, client))
			}
		})
	}
	stop = func() {
		cancel()
		done.Wait()
	}
	ginkgo.DeferCleanup(stop)
	return stop
}

// touch gives a DaemonSet's annotation another value. One that fails is no loss: the next one follows.
func (r *R) touch(ctx context.Context, ds *appsv1.DaemonSet, value string) {
	_, _ = r.patch(ctx, ds, "patch", types.MergePatchType, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, awakeAnnotation, value))
}
