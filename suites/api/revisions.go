package api

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/rollout"
)

var _ = Describe("A ControllerRevision", func() {
	r := rollout.New()

	write := func(ctx context.Context, revision *appsv1.ControllerRevision) error {
		revisions := r.Client.AppsV1().ControllerRevisions(r.Namespace)
		act := history.Act{Verb: "write revision", Object: history.Reference{Resource: history.ControllerRevisions, Namespace: r.Namespace, Name: revision.Name}}
		return r.Try(ctx, act, func(ctx context.Context) error {
			if revision.ResourceVersion == "" {
				_, err := revisions.Create(ctx, revision, metav1.CreateOptions{})
				return err
			}
			// No DaemonSet has it, so nobody else writes it.
			live, err := revisions.Get(ctx, revision.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			revision = revision.DeepCopy()
			revision.ResourceVersion = live.ResourceVersion
			_, err = revisions.Update(ctx, revision, metav1.UpdateOptions{})
			return err
		})
	}
	made := func(data string, number int64) *appsv1.ControllerRevision {
		return &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{Name: "nobodys"}, Data: runtime.RawExtension{Raw: []byte(data)}, Revision: number,
		}
	}

	It("keeps its data for ever, while its number, labels and annotations can be changed", catalog.Covers("A-14"), func(ctx SpecContext) {
		Expect(write(ctx, made(`{"spec":{"template":{}}}`, -1))).To(rollout.BeInvalid("revision", ""))
		Expect(write(ctx, made(`{"spec":{"template":{}}}`, 1))).To(Succeed(), "creating a revision")
		stored, err := r.Client.AppsV1().ControllerRevisions(r.Namespace).Get(ctx, "nobodys", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred(), "reading the revision back")

		other := stored.DeepCopy()
		other.Data.Raw = []byte(`{"spec":{"template":{"metadata":{}}}}`)
		Expect(write(ctx, other)).To(rollout.BeInvalid("data", "immutable"))
		negative := stored.DeepCopy()
		negative.Revision = -1
		Expect(write(ctx, negative)).To(rollout.BeInvalid("revision", ""))

		stored.Revision, stored.Labels, stored.Annotations = 4, map[string]string{"a": "b"}, map[string]string{"c": "d"}
		Expect(write(ctx, stored)).To(Succeed(), "a new number, a label and an annotation")
	})

	It("is refused if its data is no JSON object", catalog.Covers("A-14"), func(ctx SpecContext) {
		empty := made("", 1)
		empty.Data.Raw = nil
		Expect(write(ctx, empty)).To(rollout.BeInvalid("data", ""), "no data")
		rollout.Deviating(func() {
			for _, data := range []string{`null`, `[1]`, `"text"`, `7`} {
				Expect(write(ctx, made(data, 1))).To(rollout.BeInvalid("data", ""), "data %s", data)
			}
		})
	})
})
