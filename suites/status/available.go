package status

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("numberAvailable", func() {
	r := rollout.New()

	It("follows numberReady once minReadySeconds have passed, not earlier, though nothing else happens", catalog.Covers("G-08"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MinReadySeconds(5), rollout.ReadyAfter(6)) // Ready when it is older than that
		available := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		written := statusWritten(available.DaemonSet)
		for _, pod := range available.Pods {
			// Both times are whole seconds, and the clocks of node and control plane may differ a little.
			Expect(written.Sub(readySince(pod))).To(BeNumerically(">=", 3*time.Second),
				"pod %s was counted as available too soon after it had become Ready, with minReadySeconds 5", pod.Name)
		}
	})

	It("does not hold numberReady up: pods are Ready that will not be available for long", catalog.Covers("G-01", "G-08"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MinReadySeconds(3600))
		r.Eventually(ctx, ds).Should(rollout.HaveStatus("2 of 2 pods ready, and none available", func(s appsv1.DaemonSetStatus) bool {
			return s.DesiredNumberScheduled == 2 && s.NumberReady == 2 && s.NumberAvailable == 0 && s.NumberUnavailable == 2
		}))
	})
})

var _ = Describe("numberAvailable after a container has ended", func() {
	r := rollout.New(rollout.Disturbing(history.ReadinessFlaps))

	It("counts the pod again once it has been Ready anew for minReadySeconds, not earlier", catalog.Covers("G-08", "H-09"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MinReadySeconds(6), rollout.Container(func(c *corev1.Container) { c.Command = []string{"/bin/sleep", "30"} }))
		available := func(count int32) func(appsv1.DaemonSetStatus) bool {
			return func(s appsv1.DaemonSetStatus) bool {
				return s.DesiredNumberScheduled == 1 && s.NumberAvailable == count
			}
		}
		r.Eventually(ctx, ds).Should(rollout.HaveStatus("1 of 1 pods available", available(1)))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveStatus("no pod available", available(0)),
			rollout.HavePods(1, "whose container waits to be started again", rollout.Waiting("CrashLoopBackOff"))))
		again := r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveStatus("1 of 1 pods available", available(1)), rollout.HavePods(1, "that are Ready again", rollout.Ready),
			rollout.Match("have had its status written since", func(s rollout.State) string { // or it may be that of the time before
				if written, ready := statusWritten(s.DaemonSet), readySince(s.Pods[0]); written.Before(ready) {
					return fmt.Sprintf("has one of %s, before the pod became Ready at %s", written, ready)
				}
				return ""
			})))
		waited := statusWritten(again.DaemonSet).Sub(readySince(again.Pods[0]))
		Expect(waited).To(BeNumerically(">=", 4*time.Second), // both times are whole seconds, see above
			"pod %s was counted as available %s after it had become Ready again, with minReadySeconds 6", again.Pods[0].Name, waited)
	})
})

// statusWritten is when the status was last written, on the API server's clock.
func statusWritten(ds *appsv1.DaemonSet) time.Time {
	GinkgoHelper()
	var last time.Time
	for _, entry := range ds.ManagedFields {
		if entry.Subresource == "status" && entry.Time != nil && entry.Time.After(last) {
			last = entry.Time.Time
		}
	}
	Expect(last).NotTo(BeZero(), "DaemonSet %s should bear the time at which its status was written", ds.Name)
	return last
}

func readySince(pod *corev1.Pod) time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}
