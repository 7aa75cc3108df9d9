package rollout

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"rollcall.dev/framework/cluster"
)

// TestWithheldNodeIsNotUsed: a node that still turns pods away, because the end of that failed, would have others accused of it.
func TestWithheldNodeIsNotUsed(t *testing.T) {
	node := func(name string) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		}}
	}
	e := &Environment{Run: "abc123", Client: fake.NewClientset(node("node-1"), node("node-2"))}
	for range 2 { // a second fault of the same node
		if err := e.withhold(t.Context(), "node-1"); err != nil {
			t.Fatal(err)
		}
	}
	usable, err := cluster.UsableNodes(t.Context(), e.Client)
	if err != nil || len(usable) != 1 || usable[0] != "node-2" {
		t.Errorf("%v can be used (%v), want node-2 alone", usable, err)
	}
	if _, err := cluster.EndRun(t.Context(), e.Client, e.Run); err != nil {
		t.Fatal(err)
	}
	if usable, err = cluster.UsableNodes(t.Context(), e.Client); err != nil || len(usable) != 2 {
		t.Errorf("after the run %v can be used (%v), want both nodes", usable, err)
	}
}
