package rollout

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	"k8s.io/apimachinery/pkg/util/rand"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// MissingImage is the name of an image that no node has and no registry either, until LoadImage. It is another one each time, since a
// cluster that stays keeps what was loaded.
func (r *R) MissingImage() string {
	return "rollcall.dev/standin:missing-" + r.Run + "-" + rand.String(6)
}

// LoadImage gives every node an image of MissingImage: a stand-in of that name, which runs. Skips where the provider cannot do that.
func (r *R) LoadImage(ctx context.Context, image string) {
	ginkgo.GinkgoHelper()
	loader := Need[cluster.ImageLoader](r)
	r.Act(ctx, history.Act{Verb: "load image", Note: image}, func(ctx context.Context) error { return loader.LoadImage(ctx, image) })
}
