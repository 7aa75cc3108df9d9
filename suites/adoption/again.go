package adoption

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A DaemonSet that takes the name of one just deleted", func() {
	r := rollout.New()

	// What kubectl replace --force does. Each time the one before is deleted while the controller has just begun with it, and the more it has
	// written of late, the longer it takes over that if it limits itself.
	It("gets its pods, though the controller was still making those of the one before", catalog.Covers("J-11"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		for i := range 8 {
			name := rollout.Named(fmt.Sprint("again-", i))
			r.Delete(ctx, r.Create(ctx, fixtures.Fluentd(), name), metav1.DeletePropagationBackground)
			next := r.Create(ctx, fixtures.Fluentd(), name)
			rollout.Deviating(func() { r.Eventually(ctx, next).Briefly(10 * time.Second).Should(rollout.BeComplete()) })
		}
	})
})
