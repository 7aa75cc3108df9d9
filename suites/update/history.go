package update

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("kubectl rollout history and undo", func() {
	r := rollout.New()

	It("print what was and what was done, and refuse what never was", catalog.Covers("F-18"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd())).Should(rollout.BeComplete()).DaemonSet
		Expect(change(ctx, r, "rollout", "undo", object)).To(kubectl.Refuse("error: no last revision to roll back to"))
		Expect(ask(ctx, r, "rollout", "history", object)).To(kubectl.SayMatching(`daemonset\.apps/fluentd-elasticsearch *\nREVISION +CHANGE-CAUSE\n1 +<none>`))

		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		ds = r.Eventually(ctx, ds).Should(rollout.BeComplete()).DaemonSet
		Expect(ask(ctx, r, "rollout", "history", object, "--revision=2")).To(kubectl.SayMatching(
			`daemonset\.apps/fluentd-elasticsearch with revision #2\nPod Template:\n.*Image:\s+` + fixtures.FluentdNext + `\n.*`))
		Expect(change(ctx, r, "rollout", "undo", object, "--to-revision=7")).To(kubectl.Refuse("error: unable to find specified revision 7 in history"))
		Expect(change(ctx, r, "rollout", "undo", object, "--to-revision=2")).To(kubectl.SayMatching(
			`daemonset\.apps/fluentd-elasticsearch (skipped rollback \(current template already matches revision 2\)|rolled back)`)) // see I-09
		unchanged(ctx, r, ds, "nothing should have been rolled back yet")

		Expect(change(ctx, r, "rollout", "undo", object)).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch rolled back"))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveRevisions(2, 3), rollout.HavePods(1, "with the image from before", rollout.WithImage(fixtures.FluentdImage))))
		Expect(ask(ctx, r, "rollout", "history", object)).To(kubectl.SayMatching(`daemonset\.apps/fluentd-elasticsearch *\nREVISION +CHANGE-CAUSE\n2 +<none>\n3 +<none>`))
	})
})
