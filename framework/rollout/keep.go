package rollout

import (
	"fmt"
	"slices"

	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
)

// KeepPods matches when each of the pods is still there, by UID, and not terminating: nothing has replaced it. More pods may be there.
func KeepPods(pods []*corev1.Pod) types.GomegaMatcher {
	return Match(fmt.Sprintf("keep %d pods as they were", len(pods)), func(s State) string {
		for _, pod := range pods {
			if !slices.ContainsFunc(s.All.Pods, func(p *corev1.Pod) bool { return p.UID == pod.UID && p.DeletionTimestamp == nil }) {
				return fmt.Sprintf("no longer has pod %s on node %s", pod.Name, TargetNode(pod))
			}
		}
		return ""
	})
}
