package walkthrough

import (
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

// statusLines are what kubectl rollout status may print, in this order. The page shows "daemonset" where kubectl prints "daemon set".
var statusLines = []*regexp.Regexp{
	regexp.MustCompile(`^Waiting for daemon set spec update to be observed\.\.\.$`),
	regexp.MustCompile(`^Waiting for daemon set "fluentd-elasticsearch" rollout to finish: \d+ out of \d+ new pods have been updated\.\.\.$`),
	regexp.MustCompile(`^Waiting for daemon set "fluentd-elasticsearch" rollout to finish: \d+ of \d+ updated pods are available\.\.\.$`),
	regexp.MustCompile(`^daemon ?set "fluentd-elasticsearch" successfully rolled out$`),
}

// watching is the page's part "Watching the rolling update status".
func watching(w *walk) {
	It("shows the rollout with kubectl rollout status until it is done", Label("S21", "S22"), catalog.Covers("F-12", "G-06"), func(ctx SpecContext) {
		ds := w.applied(ctx, fixtures.FluentdFile)
		w.change(ctx, "apply", "-f", w.File(fixtures.FluentdUpdateFile))
		result := w.ask(ctx, "rollout", "status", resourceName)
		Expect(result.ExitCode).To(BeZero(), result.String())
		lines := strings.Split(strings.TrimSpace(result.Stdout), "\n")
		for _, line := range lines {
			Expect(line).To(matchAny(statusLines), "a line that rollout status does not know:\n%s", result)
		}
		Expect(lines[len(lines)-1]).To(MatchRegexp(statusLines[3].String()), result.String())

		w.Barrier(ctx)
		Expect(w.State(ds)).To(rollout.HaveOnlyPods("of the new template, once rollout status has said that it is done", rollout.WithImage(fixtures.FluentdNext)))
	})

	It("gives up with kubectl rollout status --timeout on a rollout that is stuck", Label("S21", "S23"), catalog.Covers("F-13"), func(ctx SpecContext) {
		ds := w.applied(ctx, fixtures.FluentdFile)
		w.change(ctx, "apply", "-f", w.File(fixtures.FluentdBrokenImageFile))
		w.Soon(ctx, ds).Should(rollout.HaveObserved())
		Expect(w.ask(ctx, "rollout", "status", resourceName, "--timeout=2s")).To(kubectl.Refuse("error: timed out waiting for the condition"))
		Expect(w.ask(ctx, "rollout", "status", resourceName, "--watch=false")).To(kubectl.SayMatching(`Waiting for daemon set .* rollout to finish: .*\.\.\.`))
	})
}

func matchAny(expressions []*regexp.Regexp) OmegaMatcher {
	var all []OmegaMatcher
	for _, e := range expressions {
		all = append(all, MatchRegexp(e.String()))
	}
	return Or(all...)
}
