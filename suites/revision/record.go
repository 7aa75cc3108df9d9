package revision

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("The record of a DaemonSet's templates", func() {
	r := rollout.New()

	It("begins with revision 1, from which the template can be restored", catalog.Covers("I-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		first := complete(ctx, r, func(ds *appsv1.DaemonSet) {
			ds.Annotations = map[string]string{"rollcall.dev/note": "as it was"}
			ds.Spec.Template.Labels["step"] = "first"
		})
		ds := first.DaemonSet
		Expect(rollout.Numbers(first.Revisions)).To(Equal([]int64{1}))
		revision := first.Revisions[0]
		Expect(revision.OwnerReferences).To(ContainElement(rollout.OwnedBy(ds)), "the DaemonSet should control the revision, and a foreground deletion wait for it")
		Expect(revision.Labels).To(And(HaveKeyWithValue("name", fixtures.FluentdName), HaveKeyWithValue("step", "first")), "the template's labels")
		Expect(revision.Labels[appsv1.ControllerRevisionHashLabelKey]).NotTo(BeEmpty(), "the revision's hash label")
		Expect(revision.Annotations).To(HaveKeyWithValue("rollcall.dev/note", "as it was"), "the DaemonSet's annotations")

		// What kubectl rollout undo does: the data is sent as it is. A replacing patch also removes what came since.
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext), func(ds *appsv1.DaemonSet) {
			ds.Spec.Template.Labels["later"] = "yes"
			delete(ds.Spec.Template.Labels, "step")
			ds.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "LATER", Value: "yes"}}
		})
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		restored := r.PatchWith(ctx, ds, revision)
		Expect(restored.Spec.Template).To(Equal(ds.Spec.Template), "the revision's data should restore the template, and nothing but it")
		r.Eventually(ctx, restored).Should(rollout.BeComplete())
	})

	It("is what the hash on each pod refers to", catalog.Covers("I-02"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		before := complete(ctx, r, rollout.OnDelete())
		ds := before.DaemonSet
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.DeletePod(ctx, before.Pods[0])
		mixed := r.Eventually(ctx, ds).Should(rollout.And(
			rollout.HavePods(1, "of the new template", rollout.All(rollout.WithImage(fixtures.FluentdNext), rollout.Ready)),
			rollout.HavePods(1, "of the old template", rollout.WithImage(fixtures.FluentdImage)), rollout.BeRecorded()))
		expectRecorded(mixed)
	})

	It("gets one revision for each template, always with the highest number", catalog.Covers("I-03"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r).DaemonSet
		updated(ctx, r, ds, tag("v2.6.0"))
		r.Update(ctx, ds, func(ds *appsv1.DaemonSet) { ds.Spec.Template.Annotations = map[string]string{"step": "third"} })
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveRevisions(1, 2, 3)))
		updated(ctx, r, ds, tag("v2.5.1"))
		r.Settle(ctx)
		after := r.State(ds).Revisions
		Expect(rollout.Numbers(after)).To(Equal([]int64{1, 2, 3, 4}))
		Expect([]string{
			rollout.RecordedImage(rollout.Numbered(after, 1)), rollout.RecordedImage(rollout.Numbered(after, 2)),
			rollout.RecordedImage(rollout.Numbered(after, 3)), rollout.RecordedImage(rollout.Numbered(after, 4)),
		}).To(Equal([]string{fixtures.FluentdImage, tag("v2.6.0"), tag("v2.6.0"), tag("v2.5.1")}), "the templates in the order of their numbers")
	})

	It("gets a revision when any part of the template changes", catalog.Covers("I-03"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		spec := func(change func(*corev1.PodSpec)) rollout.Change {
			return rollout.Template(func(t *corev1.PodTemplateSpec) { change(&t.Spec) })
		}
		changes := []rollout.Change{
			spec(func(s *corev1.PodSpec) {
				s.InitContainers = []corev1.Container{{Name: "prepare", Image: fixtures.FluentdImage}}
			}),
			spec(func(s *corev1.PodSpec) {
				s.Containers = append(s.Containers, corev1.Container{Name: "second", Image: fixtures.FluentdImage})
			}),
			spec(func(s *corev1.PodSpec) { s.Volumes = append(s.Volumes, corev1.Volume{Name: "scratch"}) }),
			spec(func(s *corev1.PodSpec) {
				s.Tolerations = append(s.Tolerations, corev1.Toleration{Key: "rollcall.dev/own", Operator: corev1.TolerationOpExists})
			}),
			spec(func(s *corev1.PodSpec) { s.NodeSelector["rollcall.dev/nowhere"] = "still" }),
			spec(func(s *corev1.PodSpec) {
				s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
					Weight: 7, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "rollcall.dev/fast", Operator: corev1.NodeSelectorOpExists}}},
				}}}}
			}),
			spec(func(s *corev1.PodSpec) { s.HostNetwork = true }),
			spec(func(s *corev1.PodSpec) {
				s.SecurityContext = &corev1.PodSecurityContext{SupplementalGroups: []int64{4321}}
			}),
			spec(func(s *corev1.PodSpec) { s.TerminationGracePeriodSeconds = new(int64(7)) }),
			spec(func(s *corev1.PodSpec) { s.Containers[0].Env = []corev1.EnvVar{{Name: "LATER", Value: "yes"}} }),
			spec(func(s *corev1.PodSpec) { s.Containers[0].Args = []string{"--later"} }),
			rollout.Template(func(t *corev1.PodTemplateSpec) { t.Labels["later"] = "yes" }),
		}
		// Nobody waits for a pod of a DaemonSet that is for no node.
		ds := r.Create(ctx, fixtures.Fluentd(), limit(int32(len(changes))), spec(func(s *corev1.PodSpec) { s.NodeSelector["rollcall.dev/nowhere"] = "true" }))
		r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HaveRevisions(1)))
		numbers := []int64{1}
		for i, change := range changes {
			By(fmt.Sprintf("change %d of %d", i+1, len(changes)))
			r.Update(ctx, ds, change)
			numbers = append(numbers, int64(i+2))
			r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HaveRevisions(numbers...)))
		}
	})

	It("gets no second revision for a template that did not change, whatever the order of its parts", catalog.Covers("I-03"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := complete(ctx, r, rollout.Template(func(t *corev1.PodTemplateSpec) {
			t.Labels["zone"], t.Labels["app"], t.Labels["middle"] = "z", "a", "m"
			t.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelOSStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"windows", "linux", "another"},
				}}}},
			}}}
		})).DaemonSet
		for range 3 {
			r.Update(ctx, ds, touch)
			r.Soon(ctx, ds).Should(rollout.HaveObserved())
		}
		r.Settle(ctx)
		Expect(rollout.Numbers(r.State(ds).Revisions)).To(Equal([]int64{1}))
	})

	It("has every template that was observed, though the next came before it was rolled out", catalog.Covers("I-04"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := complete(ctx, r, rollout.ReadyAfter(1)).DaemonSet
		images := []string{tag("v2.6.0"), tag("v2.5.1"), tag("v2.5.0")}
		for _, image := range images {
			r.UpdateDisturbing(ctx, ds, []history.Disturbance{history.RapidUpdates}, rollout.Image(image))
			r.Soon(ctx, ds).Should(rollout.HaveObserved())
		}
		after := r.Eventually(ctx, ds).Should(rollout.And(
			rollout.BeComplete(), rollout.HavePods(2, "of the last template", rollout.WithImage(images[2])), rollout.HaveRevisions(1, 2, 3, 4)))
		for i, image := range images {
			Expect(rollout.RecordedImage(rollout.Numbered(after.Revisions, int64(i+2)))).To(Equal(image), "revision %d", i+2)
		}
	})

	It("keeps the change-cause that the DaemonSet had when each template was recorded", catalog.Covers("I-11"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r, func(ds *appsv1.DaemonSet) { ds.Annotations = map[string]string{cause: "as delivered"} }).DaemonSet
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdNext), func(ds *appsv1.DaemonSet) { ds.Annotations[cause] = "new image" })
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveRevisions(1, 2))).Revisions
		Expect(rollout.Numbered(after, 1).Annotations).To(HaveKeyWithValue(cause, "as delivered"), "revision 1")
		Expect(rollout.Numbered(after, 2).Annotations).To(HaveKeyWithValue(cause, "new image"), "revision 2")

		// The first template's again: the annotation is still what it was for the second, and has nothing to say of this one.
		r.Update(ctx, ds, rollout.Image(fixtures.FluentdImage))
		again := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HaveRevisions(2, 3))).Revisions
		Expect(rollout.Numbered(again, 3).Annotations).To(HaveKeyWithValue(cause, "as delivered"), "revision 3, which was revision 1")
	})
})
