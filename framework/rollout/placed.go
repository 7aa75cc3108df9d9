package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/gomega/types"
)

// BeCompleteOn is BeComplete for a DaemonSet that belongs on some of the spec's nodes only: those have one pod each, which is Ready, no
// other node of the cluster has one, and the counters say as much.
func BeCompleteOn(nodes ...string) types.GomegaMatcher {
	return Match(fmt.Sprintf("be completely rolled out on %s and nowhere else", strings.Join(nodes, ", ")), func(s State) string {
		if why := notObserved(s); why != "" {
			return why
		}
		for _, pod := range s.Pods {
			switch {
			case !slices.Contains(nodes, TargetNode(pod)):
				return fmt.Sprintf("has pod %s on %q", pod.Name, TargetNode(pod))
			case pod.DeletionTimestamp != nil:
				return "still has pod " + pod.Name + ", which is terminating"
			case !Ready(pod):
				return "has pod " + pod.Name + ", which is not Ready"
			}
		}
		for _, node := range nodes {
			if n := len(Where(s.Pods, OnNode(node))); n != 1 {
				return fmt.Sprintf("has %d pods on %s", n, node)
			}
		}
		want := int32(len(nodes))
		for _, c := range counters(s.DaemonSet.Status) {
			expected := want
			if c.name == "numberUnavailable" || c.name == "numberMisscheduled" {
				expected = 0
			}
			if c.value != expected {
				return fmt.Sprintf("has %s %d instead of %d", c.name, c.value, expected)
			}
		}
		return ""
	})
}
