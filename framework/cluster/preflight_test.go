package cluster

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAShardLooksPastWhatOthersDoToNodes: a shard that begins while another one's spec has a node tainted or cordoned must not refuse the
// cluster for it. What anybody else has done to a node stays a reason.
func TestAShardLooksPastWhatOthersDoToNodes(t *testing.T) {
	ours := corev1.Taint{Key: TaintPrefix + "one", Value: "run", Effect: corev1.TaintEffectNoExecute}
	cordon := corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
	theirs := corev1.Taint{Key: "dedicated", Effect: corev1.TaintEffectNoSchedule}
	marked := map[string]string{CordonAnnotation: "run"}
	for name, test := range map[string]struct {
		annotations         map[string]string
		spec                corev1.NodeSpec
		usable, usableShard bool
	}{
		"as it was":            {nil, corev1.NodeSpec{}, true, true},
		"tainted by a spec":    {nil, corev1.NodeSpec{Taints: []corev1.Taint{ours}}, false, true},
		"cordoned by a spec":   {marked, corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{cordon}}, false, true},
		"tainted by others":    {nil, corev1.NodeSpec{Taints: []corev1.Taint{theirs}}, false, false},
		"cordoned by others":   {nil, corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{cordon}}, false, false},
		"by a spec and others": {marked, corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{cordon, ours, theirs}}, false, false},
	} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1", Annotations: test.annotations}, Spec: test.spec, Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		}}
		before := node.DeepCopy()
		if why := unusable(node); (why == "") != test.usable {
			t.Errorf("%s: a run by itself finds that it %q", name, why)
		}
		if why := unusable(unmarked(node)); (why == "") != test.usableShard {
			t.Errorf("%s: a shard finds that it %q", name, why)
		}
		if len(node.Spec.Taints) != len(before.Spec.Taints) || node.Spec.Unschedulable != before.Spec.Unschedulable {
			t.Errorf("%s: looking has changed the node", name)
		}
	}
}
