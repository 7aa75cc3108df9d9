package main

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	helper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

// tolerations are those of a spec and those that every daemon has: a daemon stays where others have to leave.
func tolerations(spec *corev1.PodSpec) []corev1.Toleration {
	all := append([]corev1.Toleration(nil), spec.Tolerations...)
	add := func(effect corev1.TaintEffect, keys ...string) {
		for _, key := range keys {
			all = append(all, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: effect})
		}
	}
	add(corev1.TaintEffectNoExecute, corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable)
	add(corev1.TaintEffectNoSchedule, corev1.TaintNodeDiskPressure, corev1.TaintNodeMemoryPressure, corev1.TaintNodePIDPressure, corev1.TaintNodeUnschedulable)
	if spec.HostNetwork {
		add(corev1.TaintEffectNoSchedule, corev1.TaintNodeNetworkUnavailable)
	}
	return all
}

// placement says what a template wants of nodes.
type placement struct {
	name        string
	affinity    nodeaffinity.RequiredNodeAffinity
	tolerations []corev1.Toleration
}

func placementOf(set *appsv1.DaemonSet) placement {
	spec := &set.Spec.Template.Spec
	return placement{spec.NodeName, nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: *spec}), tolerations(spec)}
}

// on says whether a node should have a pod, and whether one that is there may stay.
func (p placement) on(node *corev1.Node) (run, stay bool) {
	if p.name != "" && p.name != node.Name {
		return false, false
	}
	if matches, err := p.affinity.Match(node); err != nil || !matches {
		return false, false
	}
	run, stay = true, true
	for i := range node.Spec.Taints {
		taint := &node.Spec.Taints[i]
		if taint.Effect == corev1.TaintEffectPreferNoSchedule || helper.TolerationsTolerateTaint(klog.Background(), p.tolerations, taint, true) {
			continue
		}
		run = false
		stay = stay && taint.Effect != corev1.TaintEffectNoExecute
	}
	return run, stay
}
