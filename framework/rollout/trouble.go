package rollout

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// trouble says which of the nodes stopped being Ready though nothing that the suite did could be the reason, or "". A machine or a network
// with too much to do takes a node's pods away as a broken controller would: what a spec expected and did not see then proves nothing. A taint
// that says so counts, too: the control plane's node controller may hear of the node's leases late, and write it to a node that is Ready.
func trouble(h *history.History, nodes []string) string {
	for _, e := range h.Entries {
		if e.Act != nil && slices.Contains(e.Act.Disturbs, history.NodesDown) {
			return ""
		}
	}
	was := map[string]bool{}
	for _, e := range h.Entries {
		if e.Node == nil || !slices.Contains(nodes, e.Node.Name) {
			continue
		}
		is := slices.ContainsFunc(e.Node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		})
		given := is && slices.ContainsFunc(e.Node.Spec.Taints, func(t corev1.Taint) bool {
			return t.Key == corev1.TaintNodeNotReady || t.Key == corev1.TaintNodeUnreachable
		})
		if was[e.Node.Name] && (!is || given) {
			return fmt.Sprintf("node %s stopped being Ready at %s, though nobody had stopped it", e.Node.Name, e.At.UTC().Format("15:04:05.0"))
		}
		was[e.Node.Name] = is
	}
	return ""
}
