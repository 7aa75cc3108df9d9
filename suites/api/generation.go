package api

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("The generation of a DaemonSet", func() {
	r := rollout.New()

	It("grows by one with each write that changes the spec, and with no other", catalog.Covers("A-11"), func(ctx SpecContext) {
		ds := r.Create(ctx, fixtures.Fluentd(), func(ds *appsv1.DaemonSet) { ds.Generation = 5 })
		Expect(ds.Generation).To(BeEquivalentTo(1), "at creation, whatever was sent")

		limit := int32(3)
		for what, change := range map[string]rollout.Change{
			"the template":         rollout.Image(fixtures.FluentdNext),
			"minReadySeconds":      rollout.MinReadySeconds(2),
			"revisionHistoryLimit": func(ds *appsv1.DaemonSet) { ds.Spec.RevisionHistoryLimit = &limit },
			"the strategy":         rollout.OnDelete(),
		} {
			before := ds.Generation
			ds = r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.StrategyChanged}, change)
			Expect(ds.Generation).To(Equal(before+1), "after a change of %s", what)
		}
		before := ds.Generation
		for what, change := range map[string]rollout.Change{
			"nothing":    func(*appsv1.DaemonSet) {},
			"a label":    func(ds *appsv1.DaemonSet) { ds.Labels["tier"] = "node" },
			"annotation": func(ds *appsv1.DaemonSet) { ds.Annotations = map[string]string{"rollcall.dev/note": "not in the spec"} },
			"generation": func(ds *appsv1.DaemonSet) { ds.Generation += 7 },
			"status":     func(ds *appsv1.DaemonSet) { ds.Status.NumberMisscheduled = 7 },
		} {
			ds = r.Update(ctx, ds, change)
			Expect(ds.Generation).To(Equal(before), "after a write of %s", what)
		}
		ds = r.PatchStatus(ctx, ds, `{"status":{"conditions":[{"type":"rollcall.dev/Seen","status":"True"}]}}`)
		Expect(ds.Generation).To(Equal(before), "after a write of the status subresource")
	})

	It("does not grow when status is sent with the object, and the status is ignored", catalog.Covers("A-11"), func(ctx SpecContext) {
		lie := func(ds *appsv1.DaemonSet) { ds.Status.NumberMisscheduled, ds.Status.NumberReady = 7, 7 }
		ds := r.Create(ctx, fixtures.Fluentd(), lie)
		Expect(ds.Status).To(Equal(appsv1.DaemonSetStatus{}), "the status after creation")
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		ds = r.Update(ctx, ds, lie, rollout.MinReadySeconds(1))
		Expect([]int32{ds.Status.NumberMisscheduled, ds.Status.NumberReady}).To(HaveEach(BeZero()), "the counters after an update, for no node")
	})
})
