package walkthrough

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

// cleaningUp is the page's part "Clean up".
func cleaningUp(w *walk) {
	It("deletes the DaemonSet with its pods and revisions", Label("S33"), catalog.Covers("F-17", "J-07"), func(ctx SpecContext) {
		ds := w.applied(ctx, fixtures.FluentdFile)
		result := w.changeWith(ctx, []history.Disturbance{history.DaemonSetDeleted}, []string{"delete", "ds", fixtures.FluentdName})
		// kubectl names the namespace since 1.34.
		Expect(result).To(kubectl.SayMatching(`daemonset\.apps "fluentd-elasticsearch" deleted( from kube-system namespace)?`))
		w.Eventually(ctx, ds).Should(rollout.BeGone())
	})
}
