package update

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("kubectl, asked about a DaemonSet in the middle of an update,", func() {
	r := rollout.New()

	It("shows the counters of its status", catalog.Covers("F-16"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		before := r.Eventually(ctx, r.Create(ctx, fixtures.Fluentd(), rollout.OnDelete())).Should(rollout.BeComplete())
		ds := r.Update(ctx, before.DaemonSet, rollout.Image(fixtures.FluentdNext), rollout.NeverReady())
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.DeletePod(ctx, before.Pods[0])
		// At rest, with a different number in each pair of columns that could be taken for one another.
		r.Eventually(ctx, ds).Should(rollout.And(
			rollout.HaveStatus("3 nodes, 2 ready, 1 updated", func(s appsv1.DaemonSetStatus) bool {
				return s.DesiredNumberScheduled == 3 && s.CurrentNumberScheduled == 3 && s.NumberReady == 2 && s.UpdatedNumberScheduled == 1 && s.NumberAvailable == 2
			}),
			rollout.HavePods(3, "that run", func(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning })))

		selector := ""
		for key, value := range ds.Spec.Template.Spec.NodeSelector {
			selector = key + "=" + value
		}
		const age = ` +(\d+h)?(\d+m)?(\d+s)?`
		row := `fluentd-elasticsearch +3 +3 +2 +1 +2 +` + selector + age
		Expect(ask(ctx, r, "get", object)).To(kubectl.SayMatching(`NAME +DESIRED +CURRENT +READY +UP-TO-DATE +AVAILABLE +NODE SELECTOR +AGE *\n` + row))
		Expect(ask(ctx, r, "get", object, "-o", "wide")).To(kubectl.SayMatching(
			`NAME +DESIRED +CURRENT +READY +UP-TO-DATE +AVAILABLE +NODE SELECTOR +AGE +CONTAINERS +IMAGES +SELECTOR *\n` +
				row + fmt.Sprintf(` +fluentd-elasticsearch +%s +name=fluentd-elasticsearch`, fixtures.FluentdNext)))

		described := ask(ctx, r, "describe", object)
		Expect(described.ExitCode).To(BeZero(), described.String())
		for _, line := range []string{
			"Desired Number of Nodes Scheduled: 3",
			"Current Number of Nodes Scheduled: 3",
			"Number of Nodes Scheduled with Up-to-date Pods: 1",
			"Number of Nodes Scheduled with Available Pods: 2",
			"Number of Nodes Misscheduled: 0",
		} {
			Expect(strings.Split(described.Stdout, "\n")).To(ContainElement(line), described.String())
		}
		Expect(described.Stdout).To(MatchRegexp(`(?m)^Pods Status: +3 Running / 0 Waiting / 0 Succeeded / 0 Failed$`), "running counts pods that are not Ready too")
	})
})
