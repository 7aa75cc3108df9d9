package revision

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("Revisions that somebody else changes", func() {
	r := rollout.New()

	It("do not hold an update up by having the name of its revision, nor by having the next name that it takes", catalog.Covers("I-05", "I-15"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := complete(ctx, r).DaemonSet
		var foreign []*appsv1.ControllerRevision
		for range 2 {
			// How revisions are named is the implementation's business. If the name follows from the template, this is the name that the
			// next update to it needs.
			named := rollout.Newest(updated(ctx, r, ds, fixtures.FluentdNext).Revisions)
			updated(ctx, r, ds, fixtures.FluentdImage)
			r.DeleteRevision(ctx, named)
			foreign = append(foreign, r.CreateRevision(ctx, &appsv1.ControllerRevision{
				ObjectMeta: metav1.ObjectMeta{Name: named.Name, Labels: map[string]string{cluster.RunLabel: r.Run}},
				Revision:   1, Data: runtime.RawExtension{Raw: []byte(`{"spec":{"template":{"of":"somebody else"}}}`)},
			}))
		}
		updated(ctx, r, ds, fixtures.FluentdNext)
		for _, f := range foreign {
			Expect(r.State(ds).All.ControllerRevisions).To(ContainElement(And(
				HaveField("UID", f.UID), HaveField("Data.Raw", f.Data.Raw), HaveField("OwnerReferences", BeEmpty()))),
				"the foreign revision %s, which the DaemonSet does not select, should be untouched", f.Name)
		}
		// What a name had to avoid since does not make another template of one that is on record.
		recorded := rollout.Newest(updated(ctx, r, ds, fixtures.FluentdImage).Revisions)
		for _, revision := range r.State(ds).Revisions {
			if revision.UID != recorded.UID {
				Expect(rollout.RecordedImage(revision)).NotTo(Equal(fixtures.FluentdImage), "revisions %s and %s hold the same template", revision.Name, recorded.Name)
			}
		}
	})

	It("stay deleted if they are old", catalog.Covers("I-16"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r).DaemonSet
		state := updated(ctx, r, ds, fixtures.FluentdNext)
		r.DeleteRevision(ctx, rollout.Numbered(state.Revisions, 1))
		r.Update(ctx, ds, touch)
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Settle(ctx)
		Expect(r.State(ds).Revisions).To(ConsistOf(HaveField("UID", rollout.Numbered(state.Revisions, 2).UID)), "only the current revision should be left")
	})

	It("are recorded again if they are current", catalog.Covers("I-16"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r).DaemonSet
		deleted := rollout.Numbered(updated(ctx, r, ds, fixtures.FluentdNext).Revisions, 2)
		r.DeleteRevision(ctx, deleted)
		// Nobody promises that revisions are watched, nor that at once one is known to be gone.
		for range 3 {
			r.Update(ctx, ds, touch)
			r.Soon(ctx, ds).Should(rollout.HaveObserved())
			r.Settle(ctx)
		}
		after := r.Soon(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.Match("have its template on record again", func(s rollout.State) string {
			if newest := rollout.Newest(s.Revisions); newest == nil || newest.UID == deleted.UID || rollout.RecordedImage(newest) != fixtures.FluentdNext {
				return "has no such revision"
			}
			return ""
		})))
		Expect(after.Revisions).To(HaveLen(2), "the revision before should be there too")
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
	})

	It("are adopted if they match and nobody controls them", catalog.Covers("I-18"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		ds := complete(ctx, r).DaemonSet
		before := updated(ctx, r, ds, fixtures.FluentdNext)
		r.Delete(ctx, ds, metav1.DeletePropagationOrphan)
		r.Soon(ctx, ds).Should(rollout.BeGone())
		r.AwaitPodsKnown(ctx)
		again := r.Create(ctx, fixtures.Fluentd(), rollout.Image(fixtures.FluentdNext))
		after := r.Eventually(ctx, again).Should(rollout.And(rollout.BeComplete(), rollout.HaveRevisions(1, 2)))
		for _, revision := range after.Revisions {
			Expect(before.Revisions).To(ContainElement(HaveField("UID", revision.UID)), "revision %d should be the orphaned one", revision.Revision)
		}
	})

	It("restart no pod by holding the current template once more, and leave each pod the hash of a revision with its template", catalog.Covers("I-02", "I-06"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := complete(ctx, r).DaemonSet
		before := updated(ctx, r, ds, fixtures.FluentdNext)
		twin := copyOf(rollout.Newest(before.Revisions), "once-more")
		twin.Labels[appsv1.ControllerRevisionHashLabelKey] += "again"
		twin.OwnerReferences = before.Revisions[0].OwnerReferences
		twin.Revision++ // if one of the two goes, it need not be this one
		r.CreateRevision(ctx, twin)
		r.Update(ctx, ds, touch)
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.KeepPods(before.Pods))
		expectRecorded(r.State(ds))
	})

	It("leave no pod without a hash by bearing none themselves", catalog.Covers("I-18", "I-02", "B-04"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		before := complete(ctx, r)
		unlabelled := copyOf(before.Revisions[0], "unlabelled")
		delete(unlabelled.Labels, appsv1.ControllerRevisionHashLabelKey)
		r.Delete(ctx, before.DaemonSet, metav1.DeletePropagationBackground)
		r.Soon(ctx, before.DaemonSet).Should(rollout.BeGone())
		r.CreateRevision(ctx, unlabelled)
		again := complete(ctx, r)
		r.Settle(ctx)
		expectRecorded(r.State(again.DaemonSet))
	})

	It("are left alone if another object controls them", catalog.Covers("I-18"), func(ctx SpecContext) {
		r.Nodes(ctx, 1)
		owner := r.Foreign(ctx, "owner")
		foreign := r.CreateRevision(ctx, &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{
				Name: "foreign", OwnerReferences: []metav1.OwnerReference{owner},
				Labels: map[string]string{"name": fixtures.FluentdName, appsv1.ControllerRevisionHashLabelKey: "foreign", cluster.RunLabel: r.Run},
			},
			Revision: 7, Data: runtime.RawExtension{Raw: []byte(`{"spec":{"template":{"of":"somebody else"}}}`)},
		})
		// With a limit of 0 a controller that takes it for its own would remove it.
		ds := complete(ctx, r, limit(0)).DaemonSet
		updated(ctx, r, ds, fixtures.FluentdNext)
		r.Eventually(ctx, ds).Should(rollout.HaveRevisions(2)) // who cleans up now and then may
		r.Settle(ctx)
		Expect(r.State(ds).All.ControllerRevisions).To(ContainElement(And(
			HaveField("UID", foreign.UID), HaveField("Revision", foreign.Revision), HaveField("OwnerReferences", Equal(foreign.OwnerReferences)))))
	})
})

// copyOf is another revision with the same contents, which nobody controls.
func copyOf(revision *appsv1.ControllerRevision, name string) *appsv1.ControllerRevision {
	twin := revision.DeepCopy()
	twin.ObjectMeta = metav1.ObjectMeta{Name: name, Labels: twin.Labels, Annotations: twin.Annotations}
	return twin
}

// expectRecorded fails unless each pod bears the hash of a revision that holds its template.
func expectRecorded(s rollout.State) {
	GinkgoHelper()
	for _, pod := range rollout.Where(s.Pods, rollout.Any) {
		hash := pod.Labels[appsv1.ControllerRevisionHashLabelKey]
		Expect(hash).NotTo(BeEmpty(), "pod %s should bear the hash of a revision", pod.Name)
		Expect(s.Revisions).To(ContainElement(And(
			HaveField("Labels", HaveKeyWithValue(appsv1.ControllerRevisionHashLabelKey, hash)),
			WithTransform(rollout.RecordedImage, Equal(pod.Spec.Containers[0].Image)),
		)), "pod %s bears the hash %q, so there should be a revision with it that holds the pod's template", pod.Name, hash)
	}
}
