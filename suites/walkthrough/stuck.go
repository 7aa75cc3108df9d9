package walkthrough

import (
	"context"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

// The page's part "Troubleshooting": a rollout is stuck, why, and what helps.
var _ = Describe("A stuck rollout", func() {
	w := &walk{rollout.New()}

	It("waits for room on a full node, is found as the page says, and goes on when room is made", Label("S23", "S24", "S25", "S26", "S27", "S28"),
		catalog.Covers("H-01", "H-02", "H-03", "H-04", "C-07"), func(ctx SpecContext) {
			w.NodesAlone(ctx, 2)
			ds := w.applied(ctx, fixtures.FluentdFile)
			full := w.AllNodes()[0]
			hog := w.Fill(ctx, full, resource.MustParse("100Mi")).Name // half of what the update asks for stays
			w.protect(ctx, hog)

			w.change(ctx, "apply", "-f", w.File(fixtures.FluentdUpdateFile))
			stuck := w.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "that the scheduler has no room for", rollout.Unschedulable)))
			Expect(rollout.TargetNode(rollout.First(stuck.Pods, rollout.Unschedulable))).To(Equal(full), "the pod that waits should be the full node's")
			// The page compares nodes with pods: the old pod has to be gone from the list for that.
			w.Soon(ctx, ds).Should(rollout.Match("have one pod for each node", func(s rollout.State) string {
				if len(s.Pods) > len(s.Nodes) {
					return "has more"
				}
				return ""
			}))
			Expect(w.nodesWithoutPod(ctx)).To(ContainElement(full), "comparing the nodes with the pods as the page says should name the full node")

			// A plain delete, as the page says: no PodDisruptionBudget stops it, and nothing brings the pod back.
			Expect(w.KubectlAct(ctx, history.Reference{Resource: history.Pods, Namespace: w.Namespace, Name: hog}, nil,
				[]string{"delete", "pod", hog, "-n", w.Namespace})).To(kubectl.SayMatching(`pod "resource-hog" deleted.*`))
			after := w.updatedTo(ctx, ds, fixtures.FluentdNext)
			Expect(after.DaemonSet.Generation).To(Equal(ds.Generation+1), "the DaemonSet did not have to be changed")
			Expect(after.All.Pods).NotTo(ContainElement(HaveField("Name", hog)), "a pod that nothing controls is gone for good")
		})

	DescribeTable("does not get further than maxUnavailable with a broken template, and is mended by another update",
		func(ctx SpecContext, sound, broken string, reasons []string) {
			w.Nodes(ctx, 3)
			before := w.State(w.applied(ctx, sound))
			ds := before.DaemonSet
			Expect(w.change(ctx, "apply", "-f", w.File(broken))).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch configured"))
			w.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "that wait because of "+strings.Join(reasons, " or "), rollout.Waiting(reasons...))))
			w.Settle(ctx)
			// By its old pods and not by its Ready ones: between two crashes the new pod is Ready too.
			now := w.State(ds)
			kept := rollout.Where(now.Pods, func(p *corev1.Pod) bool { return before.Find(p) != nil && rollout.Ready(p) })
			Expect(kept).To(HaveLen(2), "one node is broken; the others should keep their pods")

			Expect(w.change(ctx, "apply", "-f", w.File(fixtures.FluentdUpdateFile))).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch configured"))
			w.updatedTo(ctx, ds, fixtures.FluentdNext)
		},
		Entry("whose image does not exist", Label("S29", "S30", "S31"), catalog.Covers("H-05", "H-06", "C-06", "C-07"),
			fixtures.FluentdFile, fixtures.FluentdBrokenImageFile, []string{"ErrImagePull", "ImagePullBackOff"}),
		Entry("whose container crashes", Label("S29", "S30", "S31"), catalog.Covers("H-05", "H-06", "C-06", "C-07"),
			fixtures.FluentdMinReadyFile, fixtures.FluentdCrashLoopFile, []string{"CrashLoopBackOff"}),
	)

	It("comes to its end with minReadySeconds on a node whose clock is ahead", Label("S32"),
		catalog.CoversWith([]catalog.Need{catalog.SimulatedClock}, "H-10", "H-09", "M-18"), func(ctx SpecContext) {
			w.skewed(ctx, 2*time.Second)
		})

	It("comes to its end with minReadySeconds on a node whose clock is behind", Label("S32"),
		catalog.CoversWith([]catalog.Need{catalog.SimulatedClock}, "H-10", "G-08"), func(ctx SpecContext) {
			w.skewed(ctx, -time.Hour)
		})
})

// protect sets a PodDisruptionBudget that allows no disruption of the pod.
func (w *walk) protect(ctx context.Context, pod string) {
	GinkgoHelper()
	none := intstr.FromInt32(0)
	_, err := w.Client.PolicyV1().PodDisruptionBudgets(w.Namespace).Create(ctx, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: pod, Labels: map[string]string{cluster.RunLabel: w.Run}},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &none, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": pod}}},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred(), "protecting pod %s with a PodDisruptionBudget", pod)
}

// nodesWithoutPod does what the page says: compare kubectl get nodes with kubectl get pods -o wide.
func (w *walk) nodesWithoutPod(ctx context.Context) []string {
	GinkgoHelper()
	all := strings.Fields(w.Kubectl(ctx, "get", "nodes", "-o", `jsonpath={.items[*].metadata.name}`).Stdout)
	pods := w.ask(ctx, "get", "pods", "-l", "name="+fixtures.FluentdName, "-o", "wide")
	return slices.DeleteFunc(all, func(node string) bool { return slices.Contains(strings.Fields(pods.Stdout), node) })
}

// skewed updates a DaemonSet with minReadySeconds while one of its nodes has a wrong clock. The rollout has to come to its end; that it
// may be early or late by as much as the clock is wrong is not the controller's fault.
func (w *walk) skewed(ctx context.Context, ahead time.Duration) {
	GinkgoHelper()
	w.SkewClock(ctx, w.NodesAlone(ctx, 2)[0], ahead)

	ds := w.applied(ctx, fixtures.FluentdMinReadyFile)
	w.change(ctx, "set", "image", resourceName, fixtures.FluentdName+"="+fixtures.FluentdNext)
	w.updatedTo(ctx, ds, fixtures.FluentdNext)
}

// newAndReady is the condition of a pod after the update of the page.
func newAndReady(pod *corev1.Pod) bool {
	return rollout.WithImage(fixtures.FluentdNext)(pod) && rollout.Ready(pod)
}
