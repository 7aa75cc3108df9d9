package rollout

import (
	"context"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// Fill puts a pod on a node that leaves only so much memory for others to request, and returns it once it runs there. The node has to be
// leased alone: on another one what is left may be given to anybody.
func (r *R) Fill(ctx context.Context, node string, leave resource.Quantity, changes ...func(*corev1.Pod)) *corev1.Pod {
	ginkgo.GinkgoHelper()
	full, err := r.Client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "looking at node %s to fill it", node)
	pods, err := r.Client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "looking for what node %s has room for", node)
	free := full.Status.Allocatable.Memory().DeepCopy()
	for i := range pods.Items {
		if Terminal(&pods.Items[i]) || pods.Items[i].DeletionTimestamp != nil {
			continue // what it asked for is free, or will be
		}
		for _, c := range pods.Items[i].Spec.Containers {
			free.Sub(*c.Resources.Requests.Memory())
		}
	}
	free.Sub(leave)

	hog := fixtures.ResourceHog()
	hog.Namespace = r.Namespace
	hog.Labels[cluster.RunLabel] = r.Run
	hog.Spec.NodeSelector = map[string]string{corev1.LabelHostname: full.Labels[corev1.LabelHostname]}
	hog.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = free
	for _, change := range changes {
		change(hog)
	}
	act := history.Act{Verb: "create", Object: podReference(hog), Note: "asks for " + free.String() + " on " + node}
	r.Act(ctx, act, func(ctx context.Context) error {
		_, err := r.Client.CoreV1().Pods(r.Namespace).Create(ctx, hog, metav1.CreateOptions{})
		return err
	})
	return r.podRunning(ctx, hog.Name)
}

// MakeRoom deletes a pod of Fill, plainly, as a user would who needs its room.
func (r *R) MakeRoom(ctx context.Context, hog *corev1.Pod) {
	ginkgo.GinkgoHelper()
	r.Act(ctx, history.Act{Verb: "delete", Object: podReference(hog), Note: "to make room"}, func(ctx context.Context) error {
		return r.Client.CoreV1().Pods(hog.Namespace).Delete(ctx, hog.Name, metav1.DeleteOptions{})
	})
}

// podRunning returns a pod of the spec's namespace, whosever it is, once it is Ready.
func (r *R) podRunning(ctx context.Context, name string) *corev1.Pod {
	ginkgo.GinkgoHelper()
	ctx, cancel := context.WithTimeout(ctx, r.patience(reaction))
	defer cancel()
	var found *corev1.Pod
	err := r.recorder.Until(ctx, func(v history.View) (bool, error) {
		for _, pod := range v.Pods {
			if pod.Name == name && Ready(pod) {
				found = pod
			}
		}
		return found != nil, nil
	})
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "waiting until pod %s runs", name)
	return found
}

// RequestMemory makes the first container ask for so much memory.
func RequestMemory(quantity string) Change {
	return Container(func(c *corev1.Container) {
		c.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(quantity)}
	})
}
