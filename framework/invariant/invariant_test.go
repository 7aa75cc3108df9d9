package invariant

import (
	"fmt"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

func TestAllAreThere(t *testing.T) {
	all := All()
	if len(all) != 25 {
		t.Fatalf("there are 25 invariants, not %d", len(all))
	}
	for i, one := range all {
		if want := fmt.Sprintf("M-%02d", i+1); one.ID != want || one.Statement == "" || one.watch == nil {
			t.Errorf("at %d: want a complete %s, got %q", i, want, one.ID)
		}
	}
}

func TestGapIsInconclusive(t *testing.T) {
	f, ds, pods := midway()
	f.del(pods[2])
	f.add(ds, "node-3") // M-01
	f.emit(history.Entry{Type: history.Gapped, Resource: history.Pods, Gap: &history.Gap{Reason: "410 Gone"}})
	result := Judge(f.end())
	if result.Gap == nil || len(result.Violations) > 0 || len(result.NotApplicable) != 25 {
		t.Errorf("a history with a gap proves nothing, got %+v", result)
	}
}

func TestDeclaredDisturbanceLiftsAnInvariant(t *testing.T) {
	f, _, _ := midway()
	result := Judge(f.held(history.RevisionsEdited).end())
	if result.NotApplicable["M-03"] != "no DaemonSet has maxSurge" {
		t.Errorf("M-03 needs a surge: %v", result.NotApplicable)
	}
	if result.NotApplicable["M-16"] == "" || result.NotApplicable["M-02"] != "" {
		t.Errorf("got %v", result.NotApplicable)
	}
}

func TestJudgingOneInvariantOrTwiceIsTheSame(t *testing.T) {
	f, ds, pods := midway()
	f.del(pods[2])
	f.add(ds, "node-3")
	h := f.end()
	first := Judge(h).Violations
	if !reflect.DeepEqual(first, Judge(h).Violations) {
		t.Error("the same history gave two verdicts")
	}
	if one := onePodPerNode.Judge(h); !reflect.DeepEqual(one, first) {
		t.Errorf("alone: %v, together: %v", one, first)
	}
}

func TestEligible(t *testing.T) {
	node := newNode("node-1")
	taint := func(key, value string, effect corev1.TaintEffect) *corev1.Node {
		n := node.DeepCopy()
		n.Spec.Taints = []corev1.Taint{{Key: key, Value: value, Effect: effect}}
		return n
	}
	with := func(change func(*corev1.PodSpec)) *corev1.PodTemplateSpec {
		p := &corev1.PodTemplateSpec{}
		change(&p.Spec)
		return p
	}
	plain := &corev1.PodTemplateSpec{}
	for _, c := range []struct {
		name            string
		template        *corev1.PodTemplateSpec
		node            *corev1.Node
		eligible, stays bool
	}{
		{"a plain node", plain, node, true, true},
		{"its node name", with(func(s *corev1.PodSpec) { s.NodeName = "node-1" }), node, true, true},
		{"another node name", with(func(s *corev1.PodSpec) { s.NodeName = "node-2" }), node, false, false},
		{"a selector that does not match", with(func(s *corev1.PodSpec) { s.NodeSelector = map[string]string{"a": "b"} }), node, false, false},
		{"a required affinity that does not match", with(func(s *corev1.PodSpec) {
			s.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: "kubernetes.io/hostname", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"node-1"}}}}}}}}
		}), node, false, false},
		{"NoSchedule", plain, taint("k", "", corev1.TaintEffectNoSchedule), false, true},
		{"NoExecute", plain, taint("k", "", corev1.TaintEffectNoExecute), false, false},
		{"PreferNoSchedule", plain, taint("k", "", corev1.TaintEffectPreferNoSchedule), true, true},
		{"not-ready NoExecute", plain, taint(corev1.TaintNodeNotReady, "", corev1.TaintEffectNoExecute), true, true},
		{"not-ready NoSchedule", plain, taint(corev1.TaintNodeNotReady, "", corev1.TaintEffectNoSchedule), false, true},
		{"cordoned", plain, taint(corev1.TaintNodeUnschedulable, "", corev1.TaintEffectNoSchedule), true, true},
		{"no network", plain, taint(corev1.TaintNodeNetworkUnavailable, "", corev1.TaintEffectNoSchedule), false, true},
		{"no network needed", with(func(s *corev1.PodSpec) { s.HostNetwork = true }),
			taint(corev1.TaintNodeNetworkUnavailable, "", corev1.TaintEffectNoSchedule), true, true},
		{"tolerated by value", with(func(s *corev1.PodSpec) {
			s.Tolerations = []corev1.Toleration{{Key: "k", Value: "v", Effect: corev1.TaintEffectNoSchedule}}
		}), taint("k", "v", corev1.TaintEffectNoSchedule), true, true},
		{"another value", with(func(s *corev1.PodSpec) {
			s.Tolerations = []corev1.Toleration{{Key: "k", Value: "v"}}
		}), taint("k", "w", corev1.TaintEffectNoSchedule), false, true},
		{"everything tolerated", with(func(s *corev1.PodSpec) {
			s.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		}), taint("k", "w", corev1.TaintEffectNoExecute), true, true},
	} {
		if eligible, stays := Eligible(c.template, c.node); eligible != c.eligible || stays != c.stays {
			t.Errorf("%s: eligible %t, stays %t", c.name, eligible, stays)
		}
	}
}

func TestTemplateKeySeesMeaning(t *testing.T) {
	a := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "1", "b": "2"}}}
	b := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"b": "2", "a": "1"}, CreationTimestamp: metav1.Time{}}}
	if templateKey(&a, nil) != templateKey(&b, nil) {
		t.Error("the order of labels made a difference")
	}
	b.Labels["a"] = "3"
	if templateKey(&a, nil) == templateKey(&b, nil) {
		t.Error("another label made no difference")
	}
}
