package rollout

import (
	"context"
	"fmt"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/kubectl"
)

// Change alters a DaemonSet before it is created or while it is updated.
type Change func(*appsv1.DaemonSet)

// Act does something to the cluster and has it in the history, with what it disturbs. The spec fails if it fails.
func (r *R) Act(ctx context.Context, act history.Act, do func(context.Context) error) {
	ginkgo.GinkgoHelper()
	if err := r.recorder.Act(ctx, act, do); err != nil {
		Fail(fmt.Sprintf("the suite asked to %s (%s/%s), and that failed: %v", act.Verb, act.Object.Resource, act.Object.Name, err))
	}
}

// Create creates a DaemonSet in the spec's namespace, on the leased nodes, after the changes.
func (r *R) Create(ctx context.Context, ds *appsv1.DaemonSet, changes ...Change) *appsv1.DaemonSet {
	ginkgo.GinkgoHelper()
	ds = ds.DeepCopy()
	r.adapt(ds)
	for _, change := range changes {
		change(ds)
	}
	var created *appsv1.DaemonSet
	r.Act(ctx, history.Act{Verb: "create", Object: r.reference(ds), Note: imagesOf(ds)}, func(ctx context.Context) (err error) {
		created, err = r.Client.AppsV1().DaemonSets(r.Namespace).Create(ctx, ds, metav1.CreateOptions{})
		return err
	})
	r.generations.note(created)
	return created
}

// adapt puts a DaemonSet where the spec is: its namespace, its nodes, its run.
func (r *R) adapt(ds *appsv1.DaemonSet) {
	ds.Namespace = r.Namespace
	if ds.Labels == nil {
		ds.Labels = map[string]string{}
	}
	ds.Labels[cluster.RunLabel] = r.Run
	if r.shared == "" {
		ds.Spec.Template.Spec.NodeSelector = r.nodeSelector(r.holder(), ds.Spec.Template.Spec.NodeSelector)
	}
}

// Update changes a DaemonSet through the API and returns the new one. A conflict, since the controller writes its status, is tried again.
func (r *R) Update(ctx context.Context, ds *appsv1.DaemonSet, changes ...Change) *appsv1.DaemonSet {
	ginkgo.GinkgoHelper()
	return r.UpdateDisturbing(ctx, ds, nil, changes...)
}

// UpdateDisturbing is Update for a change that makes strict invariants not hold, such as one of the update strategy.
func (r *R) UpdateDisturbing(ctx context.Context, ds *appsv1.DaemonSet, disturbs []history.Disturbance, changes ...Change) *appsv1.DaemonSet {
	ginkgo.GinkgoHelper()
	after := ds.DeepCopy()
	for _, change := range changes {
		change(after)
	}
	var updated *appsv1.DaemonSet
	note := imagesOf(after)
	if before := imagesOf(ds); before != note {
		note = before + " → " + note
	}
	r.Act(ctx, history.Act{Verb: "update", Object: r.reference(ds), Note: note, Disturbs: disturbs}, func(ctx context.Context) (err error) {
		updated, err = r.put(ctx, ds, changes)
		return err
	})
	r.generations.note(updated)
	return updated
}

// DeletePod deletes a pod as a user would. The history knows that it was not the controller.
func (r *R) DeletePod(ctx context.Context, pod *corev1.Pod) {
	ginkgo.GinkgoHelper()
	act := history.Act{Verb: "delete", Object: podReference(pod), Disturbs: []history.Disturbance{history.PodsDeleted}, Note: "by hand"}
	r.Act(ctx, act, func(ctx context.Context) error {
		uid := pod.UID
		return r.Client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	})
}

// KubectlAct runs a kubectl command that changes the object, and returns what it printed.
func (r *R) KubectlAct(ctx context.Context, object history.Reference, disturbs []history.Disturbance, args []string, options ...kubectl.Option) kubectl.Result {
	ginkgo.GinkgoHelper()
	var result kubectl.Result
	act := history.Act{Verb: "kubectl " + args[0], Object: object, Disturbs: disturbs, Note: "kubectl " + strings.Join(args, " ")}
	r.Act(ctx, act, func(ctx context.Context) error {
		result = r.kubectl(ctx, args, options...)
		return nil
	})
	r.noteLive(ctx, object)
	return result
}

// Barrier returns when the history holds everything that happened before the call.
func (r *R) Barrier(ctx context.Context) {
	ginkgo.GinkgoHelper()
	gomega.Expect(r.recorder.Barrier(ctx)).To(gomega.Succeed(), "waiting until the history is complete up to now")
}

// reference names a DaemonSet of the spec's namespace, also one that does not exist yet.
func (r *R) reference(ds *appsv1.DaemonSet) history.Reference {
	return history.Reference{Resource: history.DaemonSets, Namespace: r.Namespace, Name: ds.Name, UID: ds.UID}
}

// DaemonSetNamed refers to a DaemonSet that a kubectl command changes.
func (r *R) DaemonSetNamed(name string) history.Reference {
	return history.Reference{Resource: history.DaemonSets, Namespace: r.Namespace, Name: name}
}

func podReference(pod *corev1.Pod) history.Reference {
	return history.Reference{Resource: history.Pods, Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
}

func imagesOf(ds *appsv1.DaemonSet) string {
	var images []string
	for _, c := range ds.Spec.Template.Spec.Containers {
		images = append(images, c.Image)
	}
	return fmt.Sprintf("%s with %s", ds.Spec.UpdateStrategy.Type, strings.Join(images, ", "))
}
