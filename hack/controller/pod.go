package main

import (
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
)

// newPod is the template on one node. It is complete from the start: owner, hash, and the node it may run on.
func newPod(set *appsv1.DaemonSet, node, hash string) *corev1.Pod {
	template := set.Spec.Template.DeepCopy()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:            strings.Join([]string{shortened(set.Name), hash[:5], rand.String(8)}, "-"),
			Labels:          withHash(template.Labels, hash),
			Annotations:     template.Annotations,
			Finalizers:      template.Finalizers,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(set, kind)},
		},
		Spec: template.Spec,
	}
	// The scheduler binds it, and can do so to this node only. What else the template asks of nodes was asked before.
	if pod.Spec.Affinity == nil {
		pod.Spec.Affinity = &corev1.Affinity{}
	}
	if pod.Spec.Affinity.NodeAffinity == nil {
		pod.Spec.Affinity.NodeAffinity = &corev1.NodeAffinity{}
	}
	pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchFields: []corev1.NodeSelectorRequirement{{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
		}},
	}
	pod.Spec.Tolerations = tolerations(&pod.Spec)
	return pod
}

func withHash(labels map[string]string, hash string) map[string]string {
	labels = maps.Clone(labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[hashLabel] = hash
	return labels
}

// target is the node that a pod is on or is meant for, "" for a pod that says nothing of it.
func target(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" {
		return pod.Spec.NodeName
	}
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			for _, field := range term.MatchFields {
				if field.Key == metav1.ObjectNameField && field.Operator == corev1.NodeSelectorOpIn && len(field.Values) == 1 {
					return field.Values[0]
				}
			}
		}
	}
	return ""
}

func terminal(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

// active is a pod that runs or will; ending one that still may run; all others have left their node for good.
func active(pod *corev1.Pod) bool { return pod.DeletionTimestamp == nil && !terminal(pod) }
func ending(pod *corev1.Pod) bool { return pod.DeletionTimestamp != nil && !terminal(pod) }

func ready(pod *corev1.Pod) bool { return readySince(pod) != nil }

func readySince(pod *corev1.Pod) *time.Time {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	if !active(pod) || i < 0 || pod.Status.Conditions[i].Status != corev1.ConditionTrue {
		return nil
	}
	return &pod.Status.Conditions[i].LastTransitionTime.Time
}

// available says whether a pod has been ready for long enough; if it only has to go on like that, wait says how long.
func available(set *appsv1.DaemonSet, pod *corev1.Pod, now time.Time) (is bool, wait time.Duration) {
	since := readySince(pod)
	if since == nil || set.Spec.MinReadySeconds == 0 {
		return since != nil, 0
	}
	wait = since.Add(time.Duration(set.Spec.MinReadySeconds) * time.Second).Sub(now)
	return wait <= 0, max(0, wait)
}
