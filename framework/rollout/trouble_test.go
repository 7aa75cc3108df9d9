package rollout

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

// TestTrouble: a node that fails by itself is named, but not one that a spec stopped, that was never Ready, or that is another spec's.
func TestTrouble(t *testing.T) {
	node := func(name string, ready corev1.ConditionStatus) history.Entry {
		return history.Entry{Node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}},
		}}}
	}
	tainted := node("node-1", "True")
	tainted.Node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoSchedule}}
	stop := history.Entry{Act: &history.Act{Verb: "stop node", Disturbs: []history.Disturbance{history.NodesDown}}}
	for name, c := range map[string]struct {
		entries []history.Entry
		want    string
	}{
		"fails by itself": {[]history.Entry{node("node-1", "True"), node("node-1", "Unknown")}, "node node-1 stopped being Ready at "},
		"is given up":     {[]history.Entry{node("node-1", "True"), tainted}, "node node-1 stopped being Ready at "},
		"is stopped":      {[]history.Entry{node("node-1", "True"), stop, node("node-1", "Unknown")}, ""},
		"becomes Ready":   {[]history.Entry{node("node-1", "False"), node("node-1", "True")}, ""},
		"is another's":    {[]history.Entry{node("node-2", "True"), node("node-2", "Unknown")}, ""},
	} {
		got := trouble(&history.History{Entries: c.entries}, []string{"node-1"})
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("a node that %s: %q, want %q", name, got, c.want)
		}
	}
}
