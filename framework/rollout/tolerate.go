package rollout

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/cluster"
)

// Tolerating makes the template tolerate the taints of Taint that are named, and no others of them.
func Tolerating(names ...string) Change {
	return func(ds *appsv1.DaemonSet) {
		spec := &ds.Spec.Template.Spec
		spec.Tolerations = slices.DeleteFunc(spec.Tolerations, func(t corev1.Toleration) bool { return strings.HasPrefix(t.Key, cluster.TaintPrefix) })
		for _, name := range names {
			spec.Tolerations = append(spec.Tolerations, corev1.Toleration{Key: taintKey(name), Operator: corev1.TolerationOpExists})
		}
	}
}
