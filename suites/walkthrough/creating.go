package walkthrough

import (
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

// creating is the page's part "Creating a DaemonSet with the RollingUpdate update strategy" and the check of the strategy.
func creating(w *walk) {
	It("creates the DaemonSet with kubectl create", Label("S11", "S12"), catalog.Covers("F-01", "B-01"), func(ctx SpecContext) {
		manifest := w.File(fixtures.FluentdFile)
		Expect(w.change(ctx, "create", "-f", manifest)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch created"))
		w.Eventually(ctx, w.ByName(ctx, fixtures.FluentdName)).Should(rollout.BeComplete())

		Expect(w.change(ctx, "create", "-f", manifest)).To(kubectl.Refuse("(AlreadyExists)"))
	})

	It("creates the DaemonSet with kubectl apply, for somebody who will update it with apply", Label("S13"), catalog.Covers("F-02", "C-20"), func(ctx SpecContext) {
		manifest := w.File(fixtures.FluentdFile)
		Expect(w.change(ctx, "apply", "-f", manifest)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch created"))
		before := w.Eventually(ctx, w.ByName(ctx, fixtures.FluentdName)).Should(rollout.BeComplete())

		Expect(w.change(ctx, "apply", "-f", manifest)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch unchanged"))
		w.Barrier(ctx)
		Expect(w.State(before.DaemonSet).DaemonSet.Generation).To(Equal(before.DaemonSet.Generation), "an apply that changes nothing must not be a new generation")
	})

	It("lets kubectl apply take over what kubectl create made, with a warning", Label("S13"), catalog.Covers("F-02"), func(ctx SpecContext) {
		manifest := w.File(fixtures.FluentdFile)
		Expect(w.change(ctx, "create", "-f", manifest)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch created"))
		result := w.change(ctx, "apply", "-f", manifest)
		Expect(result).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch configured"))
		Expect(result.Stderr).To(ContainSubstring("last-applied-configuration"), "kubectl should say what it had to add")
		w.untilComplete(ctx, w.ByName(ctx, fixtures.FluentdName))
	})

	It("prints RollingUpdate for the DaemonSet", Label("S14"), catalog.Covers("F-03"), func(ctx SpecContext) {
		w.applied(ctx, fixtures.FluentdFile)
		Expect(w.ask(ctx, "get", resourceName, "-o", strategyTemplate)).To(kubectl.Say("RollingUpdate"))
	})

	It("prints RollingUpdate for the manifest, without creating anything", Label("S15"), catalog.Covers("F-04"), func(ctx SpecContext) {
		Expect(w.ask(ctx, "apply", "-f", w.File(fixtures.FluentdFile), "--dry-run=client", "-o", strategyTemplate)).To(kubectl.Say("RollingUpdate"))
		w.Barrier(ctx)
		Expect(w.State(fixtures.Fluentd()).DaemonSet).To(BeNil(), "a dry run must not create the DaemonSet")
	})

	It("defaults to RollingUpdate with maxUnavailable 1, maxSurge 0 and minReadySeconds 0", Label("S2", "S5", "S9", "S10"), catalog.Covers("A-01", "A-02"), func(ctx SpecContext) {
		ds := w.Create(ctx, fixtures.Fluentd(), func(ds *appsv1.DaemonSet) { ds.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{} })
		one, zero := intstr.FromInt32(1), intstr.FromInt32(0)
		Expect(ds.Spec.UpdateStrategy).To(Equal(appsv1.DaemonSetUpdateStrategy{
			Type:          appsv1.RollingUpdateDaemonSetStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &one, MaxSurge: &zero},
		}), "the strategy that the API server fills in")
		Expect(ds.Spec.MinReadySeconds).To(BeZero(), "minReadySeconds that the API server fills in")
		Expect(ds.Spec.RevisionHistoryLimit).To(HaveValue(BeEquivalentTo(10)), "revisionHistoryLimit that the API server fills in")
		w.untilComplete(ctx, ds)
	})

	It("knows two strategies and no third", Label("S2"), catalog.Covers("A-04"), func(ctx SpecContext) {
		manifest := w.File(fixtures.FluentdFile)
		replaceInFile(manifest, "type: RollingUpdate", "type: Sometimes")
		Expect(w.change(ctx, "apply", "-f", manifest)).To(kubectl.Refuse(`supported values: "RollingUpdate", "OnDelete"`))
	})

	It("shows the wrong strategy, and the update starts once the object is mended", Label("S8", "S16"), catalog.Covers("F-05", "E-07"), func(ctx SpecContext) {
		ds := w.applied(ctx, fixtures.FluentdOnDeleteFile)
		Expect(w.ask(ctx, "get", resourceName, "-o", strategyTemplate)).To(kubectl.Say("OnDelete"))
		Expect(w.change(ctx, "set", "image", resourceName, fixtures.FluentdName+"="+fixtures.FluentdNext)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch image updated"))
		w.Soon(ctx, ds).Should(rollout.HaveObserved())
		Expect(rollout.Where(w.State(ds).Pods, rollout.WithImage(fixtures.FluentdNext))).To(BeEmpty(), "OnDelete must not replace a pod by itself")

		patch := `{"spec":{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":1,"maxSurge":0}}}}`
		w.changeWith(ctx, []history.Disturbance{history.StrategyChanged}, []string{"patch", resourceName, "-p", patch})
		w.updatedTo(ctx, ds, fixtures.FluentdNext)
	})

	It("shows the wrong strategy in a manifest, where it can be mended before anything exists", Label("S16"), catalog.Covers("F-04", "F-05"), func(ctx SpecContext) {
		manifest := w.File(fixtures.FluentdOnDeleteFile)
		dryRun := []string{"apply", "-f", manifest, "--dry-run=client", "-o", strategyTemplate}
		Expect(w.ask(ctx, dryRun...)).To(kubectl.Say("OnDelete"))
		replaceInFile(manifest, "type: OnDelete", "type: RollingUpdate")
		Expect(w.ask(ctx, dryRun...)).To(kubectl.Say("RollingUpdate"))
	})
}

// replaceInFile mends or breaks a manifest as a user with an editor would.
func replaceInFile(path, old, new string) {
	GinkgoHelper()
	text, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	Expect(string(text)).To(ContainSubstring(old), "the manifest has changed under the spec")
	Expect(os.WriteFile(path, replaceFirst(text, old, new), 0o644)).To(Succeed())
}
