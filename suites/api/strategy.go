package api

import (
	"encoding/json"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

const (
	strategyField = "spec.updateStrategy"
	rollingField  = strategyField + ".rollingUpdate"
	bothSet       = "may not be set when maxUnavailable is non-zero"
	bothZero      = "cannot be 0 when maxSurge is 0"
)

var _ = Describe("The update strategy of a DaemonSet", func() {
	r := rollout.New()

	It("has one of two types", catalog.Covers("A-04"), func(ctx SpecContext) {
		third := strategy(appsv1.DaemonSetUpdateStrategy{Type: "Recreate"})
		refused := And(rollout.BeInvalid(strategyField, `"RollingUpdate"`), rollout.BeInvalid(strategyField, `"OnDelete"`))
		Expect(r.TryCreate(ctx, fixtures.Fluentd(), third)).To(refused)

		ds := r.Create(ctx, fixtures.Fluentd())
		Expect(r.TryUpdate(ctx, ds, third)).To(refused)
		Expect(r.TryPatch(ctx, ds, types.StrategicMergePatchType, `{"spec":{"updateStrategy":{"type":"Recreate","rollingUpdate":null}}}`)).To(refused)
	})

	It("has either maxUnavailable or maxSurge above zero, not both and not neither", catalog.Covers("A-05"), func(ctx SpecContext) {
		ds := r.Create(ctx, fixtures.Fluentd())
		for _, c := range []struct{ unavailable, surge, words string }{
			{"1", "1", bothSet}, {`"30%"`, "1", bothSet}, {"2", `"1%"`, bothSet}, {`"100%"`, `"100%"`, bothSet},
			{"0", "0", bothZero}, {`"0%"`, "0", bothZero}, {"0", `"0%"`, bothZero}, {`"0%"`, `"0%"`, bothZero},
		} {
			wrong := strategy(rolling(value(c.unavailable), value(c.surge)))
			refused := rollout.BeInvalid(rollingField, c.words)
			block := fmt.Sprintf(`{"maxUnavailable":%s,"maxSurge":%s}`, c.unavailable, c.surge)
			patch := fmt.Sprintf(`{"spec":{"updateStrategy":{"rollingUpdate":%s}}}`, block)
			Expect(r.TryCreate(ctx, fixtures.Fluentd(), rollout.Named("wrong"), wrong)).To(refused, "creation with %s", block)
			Expect(r.TryUpdate(ctx, ds, wrong)).To(refused, "PUT with %s", block)
			Expect(r.TryPatch(ctx, ds, types.StrategicMergePatchType, patch)).To(refused, "strategic merge patch with %s", block)
			Expect(r.TryPatch(ctx, ds, types.MergePatchType, patch)).To(refused, "JSON merge patch with %s", block)
			Expect(r.TryPatch(ctx, ds, types.JSONPatchType, `[{"op":"replace","path":"/spec/updateStrategy/rollingUpdate","value":`+block+`}]`)).
				To(refused, "JSON patch with %s", block)
			Expect(r.TryPatch(ctx, ds, types.ApplyPatchType, applied(ds, `"updateStrategy":{"rollingUpdate":`+block+`}`))).
				To(refused, "server-side apply with %s", block)
		}
	})

	It("needs an explicit maxUnavailable of 0 to surge", catalog.Covers("A-06"), func(ctx SpecContext) {
		one, zero := intstr.FromInt32(1), intstr.FromInt32(0)
		surgeOnly := strategy(appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType, RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxSurge: &one}})
		Expect(r.TryCreate(ctx, fixtures.Fluentd(), surgeOnly)).To(rollout.BeInvalid(rollingField, bothSet))

		ds := r.Create(ctx, fixtures.Fluentd(), strategy(appsv1.DaemonSetUpdateStrategy{}))
		patch := `{"spec":{"updateStrategy":{"rollingUpdate":{"maxSurge":1%s}}}}`
		Expect(r.TryPatch(ctx, ds, types.MergePatchType, fmt.Sprintf(patch, ""))).To(rollout.BeInvalid(rollingField, bothSet))
		surging := r.Patch(ctx, ds, types.MergePatchType, fmt.Sprintf(patch, `,"maxUnavailable":0`))
		Expect(surging.Spec.UpdateStrategy).To(Equal(rolling(zero, one)))
	})

	It("takes numbers without upper bound and percentages up to 100%", catalog.Covers("A-07"), func(ctx SpecContext) {
		ds := r.Create(ctx, fixtures.Fluentd())
		zero := intstr.FromInt32(0)
		for _, good := range []string{"1", "1000", "2147483647", `"1%"`, `"33%"`, `"100%"`} {
			Expect(r.TryUpdate(ctx, ds, strategy(rolling(value(good), zero)))).To(Succeed(), "maxUnavailable %s", good)
			Expect(r.TryUpdate(ctx, ds, strategy(rolling(zero, value(good))))).To(Succeed(), "maxSurge %s", good)
		}
		for _, bad := range []string{"-1", `"-5%"`, `"10"`, `"1.5%"`, `"101%"`, `"ten%"`, `""`} {
			Expect(r.TryUpdate(ctx, ds, strategy(rolling(value(bad), zero)))).To(rollout.BeInvalid(rollingField+".maxUnavailable", ""), "maxUnavailable %s", bad)
			Expect(r.TryUpdate(ctx, ds, strategy(rolling(zero, value(bad))))).To(rollout.BeInvalid(rollingField+".maxSurge", ""), "maxSurge %s", bad)
		}
	})
})

// value reads a budget as it is written in JSON.
func value(text string) intstr.IntOrString {
	GinkgoHelper()
	var v intstr.IntOrString
	Expect(json.Unmarshal([]byte(text), &v)).To(Succeed(), "reading %s", text)
	return v
}

// applied is the body of a server-side apply that names only the given fields of the spec.
func applied(ds *appsv1.DaemonSet, fields string) string {
	return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":%q},"spec":{%s}}`, ds.Name, fields)
}
