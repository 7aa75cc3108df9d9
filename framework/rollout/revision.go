package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	patch "k8s.io/apimachinery/pkg/types"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// CreateRevision creates a ControllerRevision that no controller made, in the spec's namespace, and returns it.
func (r *R) CreateRevision(ctx context.Context, revision *appsv1.ControllerRevision) *appsv1.ControllerRevision {
	ginkgo.GinkgoHelper()
	revision = revision.DeepCopy()
	revision.Namespace = r.Namespace
	r.Act(ctx, r.revisionAct("create", revision), func(ctx context.Context) (err error) {
		revision, err = r.Client.AppsV1().ControllerRevisions(r.Namespace).Create(ctx, revision, metav1.CreateOptions{})
		return err
	})
	return revision
}

// DeleteRevision deletes a ControllerRevision as a user would.
func (r *R) DeleteRevision(ctx context.Context, revision *appsv1.ControllerRevision) {
	ginkgo.GinkgoHelper()
	uid := revision.UID
	r.Act(ctx, r.revisionAct("delete", revision), func(ctx context.Context) error {
		return r.Client.AppsV1().ControllerRevisions(r.Namespace).Delete(ctx, revision.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	})
}

func (r *R) revisionAct(verb string, revision *appsv1.ControllerRevision) history.Act {
	return history.Act{
		Verb: verb, Disturbs: []history.Disturbance{history.RevisionsEdited}, Note: fmt.Sprintf("revision %d, by hand", revision.Revision),
		Object: history.Reference{Resource: history.ControllerRevisions, Namespace: r.Namespace, Name: revision.Name, UID: revision.UID},
	}
}

// PatchWith sends a revision's data as kubectl rollout undo does, as a strategic merge patch of the DaemonSet, and returns the result.
func (r *R) PatchWith(ctx context.Context, ds *appsv1.DaemonSet, revision *appsv1.ControllerRevision) *appsv1.DaemonSet {
	ginkgo.GinkgoHelper()
	var patched *appsv1.DaemonSet
	act := history.Act{Verb: "patch", Object: r.reference(ds), Note: fmt.Sprintf("with the data of revision %d", revision.Revision)}
	r.Act(ctx, act, func(ctx context.Context) (err error) {
		patched, err = r.Client.AppsV1().DaemonSets(r.Namespace).Patch(ctx, ds.Name, patch.StrategicMergePatchType, revision.Data.Raw, metav1.PatchOptions{})
		return err
	})
	r.generations.note(patched)
	return patched
}

// Foreign is an object that a pod or a revision of somebody else can name as its controller: a ConfigMap, which exists, so that the
// garbage collector lets what it owns live. The reference that it returns says that it controls.
func (r *R) Foreign(ctx context.Context, name string) metav1.OwnerReference {
	ginkgo.GinkgoHelper()
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{cluster.RunLabel: r.Run}}}
	r.Act(ctx, history.Act{Verb: "create", Object: history.Reference{Resource: "configmaps", Namespace: r.Namespace, Name: name}, Note: "to own things"},
		func(ctx context.Context) (err error) {
			owner, err = r.Client.CoreV1().ConfigMaps(r.Namespace).Create(ctx, owner, metav1.CreateOptions{})
			return err
		})
	yes := true
	return metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID, Controller: &yes}
}

// Numbers are the revision numbers of revisions, ascending.
func Numbers(revisions []*appsv1.ControllerRevision) []int64 {
	var numbers []int64
	for _, revision := range revisions {
		numbers = append(numbers, revision.Revision)
	}
	slices.Sort(numbers)
	return numbers
}

// Numbered returns the revision of that number. The spec fails if there is none.
func Numbered(revisions []*appsv1.ControllerRevision, number int64) *appsv1.ControllerRevision {
	ginkgo.GinkgoHelper()
	for _, revision := range revisions {
		if revision.Revision == number {
			return revision
		}
	}
	Fail(fmt.Sprintf("the DaemonSet should have revision %d, but it has %v", number, Numbers(revisions)))
	return nil
}

// Newest returns the revision with the highest number, nil if there is none.
func Newest(revisions []*appsv1.ControllerRevision) *appsv1.ControllerRevision {
	var newest *appsv1.ControllerRevision
	for _, revision := range revisions {
		if newest == nil || revision.Revision > newest.Revision {
			newest = revision
		}
	}
	return newest
}

// RecordedImage is the image of the first container of the template that a revision holds, "" if its data is not of the form that
// kubectl relies on (catalog I-01).
func RecordedImage(revision *appsv1.ControllerRevision) string {
	var data struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if json.Unmarshal(revision.Data.Raw, &data) != nil || len(data.Spec.Template.Spec.Containers) == 0 {
		return ""
	}
	return data.Spec.Template.Spec.Containers[0].Image
}

// HaveRevisions matches when the DaemonSet's revisions have exactly these numbers, in ascending order.
func HaveRevisions(numbers ...int64) types.GomegaMatcher {
	return Match(fmt.Sprintf("have the revisions %v", numbers), func(s State) string {
		if got := Numbers(s.Revisions); !slices.Equal(got, numbers) {
			return fmt.Sprintf("has %v", got)
		}
		return ""
	})
}

// BeRecorded matches when the DaemonSet has, for each of its pods that is not ending, a revision that bears the pod's hash (catalog I-02). Pods and
// revisions come by watches of their own: who wants to use a revision waits for it.
func BeRecorded() types.GomegaMatcher {
	return Match("have a revision with the hash of each of its pods", func(s State) string {
		known := map[string]bool{}
		for _, revision := range s.Revisions {
			known[revision.Labels[appsv1.ControllerRevisionHashLabelKey]] = true
		}
		for _, pod := range Where(s.Pods, Any) {
			if hash := pod.Labels[appsv1.ControllerRevisionHashLabelKey]; !known[hash] {
				return fmt.Sprintf("has none with %q, which pod %s bears", hash, pod.Name)
			}
		}
		return ""
	})
}
