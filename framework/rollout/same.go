package rollout

import (
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
)

// SamePods are matchers of exactly these pods, told apart by UID and not by name: for gomega's ConsistOf and ContainElements.
func SamePods(pods []*corev1.Pod) []any {
	var all []any
	for _, pod := range pods {
		all = append(all, gomega.HaveField("UID", pod.UID))
	}
	return all
}

// Find returns the pod as it is in the state now, nil if it is gone. Pods that the DaemonSet does not control are found too.
func (s State) Find(pod *corev1.Pod) *corev1.Pod {
	for _, p := range s.All.Pods {
		if p.UID == pod.UID {
			return p
		}
	}
	return nil
}

// OnNode is the condition that the pod runs on the node or waits for it.
func OnNode(node string) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool { return TargetNode(pod) == node }
}

// All is the condition that every one of the conditions holds.
func All(conditions ...func(*corev1.Pod) bool) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool {
		for _, condition := range conditions {
			if !condition(pod) {
				return false
			}
		}
		return true
	}
}

// Other is the condition that it is another pod than this one.
func Other(than *corev1.Pod) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool { return pod.UID != than.UID }
}

// Terminal says whether the pod has ended: phase Failed or Succeeded.
func Terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}
