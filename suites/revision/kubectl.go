package revision

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

const (
	resourceName = "ds/" + fixtures.FluentdName
	rolledBack   = "daemonset.apps/fluentd-elasticsearch rolled back"
	cause        = "kubernetes.io/change-cause"
)

var _ = Describe("kubectl rollout history", func() {
	r := rollout.New()

	It("lists the revisions with their change-cause, and shows one of them", catalog.Covers("I-07"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r, func(ds *appsv1.DaemonSet) {
			// In the template the annotation has no effect.
			ds.Spec.Template.Annotations = map[string]string{cause: "not shown"}
		}).DaemonSet
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext), func(ds *appsv1.DaemonSet) { ds.Annotations = map[string]string{cause: "new image"} })
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveRevisions(1, 2)))

		history := []string{"rollout", "history", resourceName, "-n", r.Namespace}
		Expect(r.Kubectl(ctx, history...)).To(kubectl.SayMatching(`daemonset\.apps/fluentd-elasticsearch *\nREVISION +CHANGE-CAUSE\n1 +<none>\n2 +new image`))
		Expect(r.Kubectl(ctx, append(history, "--revision=1")...)).To(kubectl.SayMatching(
			`daemonset\.apps/fluentd-elasticsearch with revision #1\nPod Template:\n.*Image:\s+quay\.io/fluentd_elasticsearch/fluentd:v2\.5\.2\n.*`))
		Expect(r.Kubectl(ctx, append(history, "--revision=9")...)).To(kubectl.Refuse("unable to find the specified revision"))
	})

	It("lists a revision that a rollback took up again only once, under its new number", catalog.Covers("I-07", "I-08"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r).DaemonSet
		updated(ctx, r, ds, fixtures.FluentdNext)
		Expect(undo(ctx, r, "")).To(kubectl.Say(rolledBack))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveRevisions(2, 3)))
		Expect(r.Kubectl(ctx, "rollout", "history", resourceName, "-n", r.Namespace)).To(kubectl.SayMatching(
			`daemonset\.apps/fluentd-elasticsearch *\nREVISION +CHANGE-CAUSE\n2 +<none>\n3 +<none>`))
	})

	It("is made of objects that kubectl get lists", catalog.Covers("I-19"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r).DaemonSet
		updated(ctx, r, ds, fixtures.FluentdNext)
		row := func(number string) string { return `\n\S+ +daemonset\.apps/fluentd-elasticsearch +` + number + ` +\S+` }
		Expect(r.Kubectl(ctx, "get", "controllerrevision", "-l", "name="+fixtures.FluentdName, "-n", r.Namespace, "--sort-by=.revision")).To(
			kubectl.SayMatching(`NAME +CONTROLLER +REVISION +AGE` + row("1") + row("2")))
	})
})

var _ = Describe("kubectl rollout undo", func() {
	r := rollout.New()

	It("goes back to the template before, and there and back again", catalog.Covers("I-08", "I-05"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r).DaemonSet
		updated(ctx, r, ds, fixtures.FluentdNext)
		for i, image := range []string{fixtures.FluentdImage, fixtures.FluentdNext} {
			Expect(undo(ctx, r, "")).To(kubectl.Say(rolledBack))
			r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(),
				rollout.HavePods(1, "with the image "+image, rollout.WithImage(image)), rollout.HaveRevisions(int64(i+2), int64(i+3))))
		}
	})

	It("goes back to the revision that is named, and restores nothing but the template", catalog.Covers("I-08"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r, func(ds *appsv1.DaemonSet) {
			ds.Labels["when"], ds.Annotations = "first", map[string]string{"when": "first"}
		}).DaemonSet
		updated(ctx, r, ds, tag("v2.6.0"))
		r.Update(ctx, ds, rollout.Image(tag("v2.5.1")), rollout.Edition("third"), rollout.MaxUnavailable(2), rollout.MinReadySeconds(1), func(ds *appsv1.DaemonSet) {
			ds.Labels["when"], ds.Annotations["when"] = "third", "third"
		})
		before := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveRevisions(1, 2, 3))).DaemonSet

		Expect(undo(ctx, r, "--to-revision=1")).To(kubectl.Say(rolledBack))
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveRevisions(2, 3, 4))).DaemonSet
		Expect(after.Spec.Template).To(Equal(ds.Spec.Template), "the template of revision 1")
		Expect(after.Labels).To(HaveKeyWithValue("when", "third"))
		Expect(after.Annotations).To(HaveKeyWithValue("when", "third"))
		after.Spec.Template = before.Spec.Template
		Expect(after.Spec).To(Equal(before.Spec), "the spec besides the template")
	})

	It("skips the current revision, and refuses what is not there", catalog.Covers("I-09"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r).DaemonSet
		Expect(undo(ctx, r, "")).To(kubectl.Refuse("error: no last revision to roll back to"))
		before := updated(ctx, r, ds, fixtures.FluentdNext)
		// kubectl skips where the revision's data is byte for byte what it would write itself. A controller that writes it differently, as
		// kube-controller-manager did before 1.34, is rolled back to what it has: nothing changes either.
		Expect(undo(ctx, r, "--to-revision=2")).To(kubectl.SayMatching(
			`daemonset\.apps/fluentd-elasticsearch (skipped rollback \(current template already matches revision 2\)|rolled back)`))
		Expect(undo(ctx, r, "--to-revision=9")).To(kubectl.Refuse("error: unable to find specified revision 9 in history"))
		r.Settle(ctx)
		after := r.State(ds)
		Expect(after.DaemonSet.Generation).To(Equal(before.DaemonSet.Generation), "nothing should have been changed")
		Expect(after.Pods).To(ConsistOf(rollout.SamePods(before.Pods)...))
		Expect(rollout.Numbers(after.Revisions)).To(Equal([]int64{1, 2}))
	})

	It("shows with --dry-run what it would do, and stores nothing", catalog.Covers("I-10"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r).DaemonSet
		before := updated(ctx, r, ds, fixtures.FluentdNext)
		Expect(undo(ctx, r, "--dry-run=client")).To(kubectl.SayMatching(`.*[Ww]ill roll back to Pod Template:.*Image:\s+quay\.io/fluentd_elasticsearch/fluentd:v2\.5\.2\n.*`))
		Expect(undo(ctx, r, "--dry-run=server")).To(kubectl.SayMatching(`daemonset\.apps/fluentd-elasticsearch rolled back.*`))
		r.Settle(ctx)
		after := r.State(ds)
		Expect(after.DaemonSet.Spec).To(Equal(before.DaemonSet.Spec))
		Expect(after.Pods).To(ConsistOf(rollout.SamePods(before.Pods)...))
		Expect(rollout.Numbers(after.Revisions)).To(Equal([]int64{1, 2}))
	})

	It("cannot go back to what the history limit removed", catalog.Covers("I-14"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r, limit(1)).DaemonSet
		updated(ctx, r, ds, tag("v2.6.0"))
		updated(ctx, r, ds, tag("v2.5.1"))
		r.Eventually(ctx, ds).Should(rollout.HaveRevisions(2, 3)) // who cleans up now and then may
		Expect(undo(ctx, r, "--to-revision=1")).To(kubectl.Refuse("error: unable to find specified revision 1 in history"))
		Expect(undo(ctx, r, "")).To(kubectl.Say(rolledBack))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveRevisions(3, 4),
			rollout.HavePods(1, "of the second template", rollout.WithImage(tag("v2.6.0")))))
	})

	It("works for OnDelete, where the pods wait to be deleted", catalog.Covers("I-20"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r, rollout.OnDelete())
		ds := before.DaemonSet
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HaveRevisions(1, 2)))
		r.DeletePod(ctx, before.Pods[0])
		mixed := r.Eventually(ctx, ds).Should(rollout.HavePods(1, "of the new template", rollout.All(rollout.WithImage(fixtures.FluentdNext), rollout.Ready)))
		Expect(r.Kubectl(ctx, "rollout", "history", resourceName, "-n", r.Namespace)).To(kubectl.SayMatching(
			`daemonset\.apps/fluentd-elasticsearch *\nREVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>`))

		Expect(undo(ctx, r, "")).To(kubectl.Say(rolledBack))
		r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HaveRevisions(2, 3)))
		r.Settle(ctx)
		Expect(rollout.Where(r.State(ds).Pods, rollout.Any)).To(ConsistOf(rollout.SamePods(rollout.Where(mixed.Pods, rollout.Any))...), "OnDelete must not replace a pod by itself")
		r.DeletePod(ctx, rollout.First(mixed.Pods, rollout.WithImage(fixtures.FluentdNext)))
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the first template", rollout.WithImage(fixtures.FluentdImage))))
		Expect(after.Pods).To(ContainElement(HaveField("UID", before.Pods[1].UID)), "the pod that ran it all the time should be left alone")
	})
})

// undo runs kubectl rollout undo with one more argument, if there is one.
func undo(ctx context.Context, r *rollout.R, argument string) kubectl.Result {
	GinkgoHelper()
	args := []string{"rollout", "undo", resourceName, "-n", r.Namespace}
	if argument != "" {
		args = append(args, argument)
	}
	return r.KubectlAct(ctx, r.DaemonSetNamed(fixtures.FluentdName), nil, args)
}
