package rollout

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// editionKey is an annotation of the pod template that changes nothing of what a pod does.
const editionKey = "rollcall.dev/edition"

// Edition makes the template one of its own by an annotation, for specs in which it does not matter what changes. Any number of editions
// run the same image, so that a cluster needs no more than two.
func Edition(name string) Change {
	return func(ds *appsv1.DaemonSet) {
		if ds.Spec.Template.Annotations == nil {
			ds.Spec.Template.Annotations = map[string]string{}
		}
		ds.Spec.Template.Annotations[editionKey] = name
	}
}

// OfEdition is the condition that the pod was made from that edition of the template; "" is the template without one.
func OfEdition(name string) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool { return pod.Annotations[editionKey] == name }
}
