package api

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("The status subresource of a DaemonSet", func() {
	r := rollout.New()

	It("takes no negative counter, and no collisionCount below the one before", catalog.Covers("A-13"), func(ctx SpecContext) {
		ds := r.Create(ctx, fixtures.Fluentd())
		for _, counter := range []string{
			"currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration",
			"updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount",
		} {
			Expect(r.TryPatchStatus(ctx, ds, fmt.Sprintf(`{"status":{%q:-1}}`, counter))).To(rollout.BeInvalid("status."+counter, ""))
		}
		ds = r.PatchStatus(ctx, ds, `{"status":{"collisionCount":2}}`)
		Expect(ds.Status.CollisionCount).To(HaveValue(BeEquivalentTo(2)), "counting up is what it is for")
		Expect(r.TryPatchStatus(ctx, ds, `{"status":{"collisionCount":1}}`)).To(rollout.BeInvalid("status.collisionCount", ""))
	})
})
