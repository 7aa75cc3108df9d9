// Package walkthrough goes through the task page "Perform a Rolling Update on a DaemonSet" in its own order, with the real kubectl:
// every statement of the page (S1 to S35 in the catalog) is proven by a spec that carries its number as a label.
package walkthrough

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

// The page's own commands are about one object in kube-system: these specs run one after another. They begin early, for they take long,
// but after those that stop or remove nodes, which take longer and for which they have to wait.
var _ = Describe("The task page", Ordered, ContinueOnFailure, SpecPriority(9), func() {
	page := &walk{rollout.New(rollout.InNamespace(fixtures.FluentdNamespace))}
	creating(page)
	updating(page)
	watching(page)
	cleaningUp(page)
})

// walk types what the page says to type.
type walk struct{ *rollout.R }

const resourceName = "ds/" + fixtures.FluentdName

// strategyTemplate prints the update strategy, as the page does.
const strategyTemplate = `go-template={{.spec.updateStrategy.type}}{{"\n"}}`

// change runs a kubectl command that changes the page's DaemonSet.
func (w *walk) change(ctx context.Context, args ...string) kubectl.Result {
	GinkgoHelper()
	return w.changeWith(ctx, nil, args)
}

func (w *walk) changeWith(ctx context.Context, disturbs []history.Disturbance, args []string, options ...kubectl.Option) kubectl.Result {
	GinkgoHelper()
	return w.KubectlAct(ctx, w.DaemonSetNamed(fixtures.FluentdName), disturbs, append(args, "-n", w.Namespace), options...)
}

// ask runs a kubectl command that changes nothing.
func (w *walk) ask(ctx context.Context, args ...string) kubectl.Result {
	GinkgoHelper()
	return w.Kubectl(ctx, append(args, "-n", w.Namespace)...)
}

// applied is the page's DaemonSet, applied and completely rolled out.
func (w *walk) applied(ctx context.Context, file string) *appsv1.DaemonSet {
	GinkgoHelper()
	Expect(w.change(ctx, "apply", "-f", w.File(file))).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch created"))
	return w.untilComplete(ctx, w.ByName(ctx, fixtures.FluentdName))
}

// untilComplete waits until the DaemonSet is rolled out, and returns it. No spec ends before: the next DaemonSet has the same name, and where
// its predecessor's pods are still being made kube-controller-manager may make none for it, which is J-11's to show.
func (w *walk) untilComplete(ctx context.Context, ds *appsv1.DaemonSet) *appsv1.DaemonSet {
	GinkgoHelper()
	return w.Eventually(ctx, ds).Should(rollout.BeComplete()).DaemonSet
}

// orphan deletes the DaemonSet as the page says for somebody who wants to keep its pods, when the garbage collector knows them all.
func (w *walk) orphan(ctx context.Context, ds *appsv1.DaemonSet) {
	GinkgoHelper()
	w.AwaitCollector(ctx)
	w.changeWith(ctx, []history.Disturbance{history.DaemonSetDeleted, history.PodsForeign}, []string{"delete", resourceName, "--cascade=orphan"})
	w.Soon(ctx, ds).Should(rollout.BeGone())
}

// updatedTo waits for the end of a rollout and checks that every pod runs the image.
func (w *walk) updatedTo(ctx context.Context, ds *appsv1.DaemonSet, image string) rollout.State {
	GinkgoHelper()
	return w.Eventually(ctx, ds).Should(rollout.And(
		rollout.BeComplete(),
		rollout.HaveOnlyPods("with the image "+image, rollout.WithImage(image))))
}
