package rollout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Besiege changes an annotation of the DaemonSet as fast as a few clients can, which changes nothing that a controller acts on, until the
// function that it returns is called, but no longer than twenty seconds: a controller that gives way to other writers gets nowhere meanwhile.
// Any other looks at it again and again, sooner than it hears of what it has just done itself.
func (r *R) Besiege(ctx context.Context, ds *appsv1.DaemonSet) (stop func()) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	var done sync.WaitGroup
	for client := range 8 {
		done.Go(func() {
			for touched := 0; ctx.Err() == nil; touched++ {
				// A touch that fails is no loss: the next one follows.
				_, _ = r.patch(ctx, ds, "patch", types.MergePatchType, fmt.Sprintf(`{"metadata":{"annotations":{%q:"%d of %d"}}}`, awakeAnnotation, touched, client))
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
