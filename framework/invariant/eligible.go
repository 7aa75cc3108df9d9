package invariant

import (
	"encoding/json"
	"maps"
	"slices"
	"sort"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"rollcall.dev/framework/history"
)

// Eligible says whether a pod of the template should run on the node, and Stays whether one that runs there may remain: the
// template's nodeName, node selector and required node affinity match, and there is no untolerated NoSchedule or NoExecute taint
// (for staying: NoExecute only) once the tolerations that every DaemonSet pod gets are added (catalog B-03, K-04 to K-08).
// PreferNoSchedule, conditions, cordoning and free resources play no part.
func Eligible(template *corev1.PodTemplateSpec, node *corev1.Node) (eligible, stays bool) {
	return newPlacement(template).judge(node)
}

// automatic are the tolerations that every DaemonSet pod gets (catalog B-03); one more comes with the host's network.
var automatic = []corev1.Toleration{
	{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
	{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
	{Key: corev1.TaintNodeDiskPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodeMemoryPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodePIDPressure, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
	{Key: corev1.TaintNodeUnschedulable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
}

// placement is the part of a template that decides where its pods belong, with what follows from it for the recorded nodes.
type placement struct {
	nodeName    string
	affinity    nodeaffinity.RequiredNodeAffinity
	tolerations []corev1.Toleration

	nodes   map[string][]step
	desired []level
}

// step says from when on a node is eligible, or not; the first holds since ever.
type step struct {
	at       time.Time
	eligible bool
}

// level says from when on so many nodes are eligible.
type level struct {
	at    time.Time
	count int
}

func newPlacement(template *corev1.PodTemplateSpec) *placement {
	spec := &template.Spec
	p := &placement{
		nodeName:    spec.NodeName,
		affinity:    nodeaffinity.GetRequiredNodeAffinity(&corev1.Pod{Spec: *spec}),
		tolerations: append(slices.Clone(spec.Tolerations), automatic...),
	}
	if spec.HostNetwork {
		p.tolerations = append(p.tolerations, corev1.Toleration{
			Key: corev1.TaintNodeNetworkUnavailable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule,
		})
	}
	return p
}

// placementKey is equal for templates that belong on the same nodes.
func placementKey(template *corev1.PodTemplateSpec) string {
	spec := &template.Spec
	var required any
	if spec.Affinity != nil && spec.Affinity.NodeAffinity != nil {
		required = spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	key, _ := json.Marshal([]any{spec.NodeName, spec.NodeSelector, required, spec.Tolerations, spec.HostNetwork})
	return string(key)
}

func (p *placement) judge(node *corev1.Node) (eligible, stays bool) {
	if p.nodeName != "" && p.nodeName != node.Name {
		return false, false
	}
	// An affinity that cannot be parsed matches nothing, which is what Match returns beside its error.
	if fits, _ := p.affinity.Match(node); !fits {
		return false, false
	}
	eligible, stays = true, true
	for i := range node.Spec.Taints {
		taint := &node.Spec.Taints[i]
		if taint.Effect == corev1.TaintEffectPreferNoSchedule || p.tolerates(taint) {
			continue
		}
		eligible = false
		stays = stays && taint.Effect != corev1.TaintEffectNoExecute
	}
	return eligible, stays
}

func (p *placement) tolerates(taint *corev1.Taint) bool {
	return slices.ContainsFunc(p.tolerations, func(t corev1.Toleration) bool {
		if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
			return false
		}
		switch t.Operator {
		case corev1.TolerationOpExists:
			return true
		case "", corev1.TolerationOpEqual:
			return t.Value == taint.Value
		default: // The numeric operators exist only where the API server lets them be stored.
			want, err1 := strconv.ParseInt(t.Value, 10, 64)
			have, err2 := strconv.ParseInt(taint.Value, 10, 64)
			return err1 == nil && err2 == nil && (t.Operator == "Lt" && have < want || t.Operator == "Gt" && have > want)
		}
	})
}

// nodeState is a node's labels and taints from one entry on; node is nil while it does not exist.
type nodeState struct {
	at   time.Time
	node *corev1.Node
}

// nodeStates keeps what placement depends on: heartbeats and conditions are left out.
func nodeStates(entries []history.Entry) map[string][]nodeState {
	states := map[string][]nodeState{}
	for i := range entries {
		e := &entries[i]
		if e.Node == nil {
			continue
		}
		past := states[e.Node.Name]
		state := nodeState{at: e.At, node: e.Node}
		switch {
		case e.Type == history.Deleted:
			state.node = nil
		case e.Type == history.Listed && len(past) == 0:
			state.at = time.Time{}
		}
		if n := len(past); n > 0 && samePlace(past[n-1].node, state.node) {
			continue
		}
		states[e.Node.Name] = append(past, state)
	}
	return states
}

func samePlace(a, b *corev1.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return maps.Equal(a.Labels, b.Labels) && slices.EqualFunc(a.Spec.Taints, b.Spec.Taints, func(x, y corev1.Taint) bool {
		return x.Key == y.Key && x.Value == y.Value && x.Effect == y.Effect
	})
}

// over works out where the placement leads over the whole history.
func (p *placement) over(states map[string][]nodeState) *placement {
	p.nodes = make(map[string][]step, len(states))
	var changes []level
	for name, past := range states {
		steps := make([]step, 0, len(past))
		was := false
		for _, s := range past {
			is := false
			if s.node != nil {
				is, _ = p.judge(s.node)
			}
			steps = append(steps, step{s.at, is})
			switch {
			case is && !was:
				changes = append(changes, level{s.at, 1})
			case was && !is:
				changes = append(changes, level{s.at, -1})
			}
			was = is
		}
		p.nodes[name] = steps
	}
	sort.Slice(changes, func(a, b int) bool { return changes[a].at.Before(changes[b].at) })
	count := 0
	for _, c := range changes {
		count += c.count
		if n := len(p.desired); n > 0 && p.desired[n-1].at.Equal(c.at) {
			p.desired[n-1].count = count
		} else {
			p.desired = append(p.desired, level{c.at, count})
		}
	}
	return p
}

// eligible says whether the node was eligible from one instant to another without a break.
func (p *placement) eligible(node string, from, to time.Time) bool {
	steps := p.nodes[node]
	if len(steps) == 0 {
		return false
	}
	covered := false
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i].at.After(to) {
			continue
		}
		if !steps[i].eligible {
			return false
		}
		if !steps[i].at.After(from) {
			covered = true
			break
		}
	}
	return covered
}

// never says whether the node, which is recorded, was not eligible at any instant from one to another.
func (p *placement) never(node string, from, to time.Time) bool {
	steps := p.nodes[node]
	for i, s := range steps {
		over := i+1 < len(steps) && !steps[i+1].at.After(from)
		if s.eligible && !over && !s.at.After(to) {
			return false
		}
	}
	return len(steps) > 0
}

// steady says whether no node ever became eligible, or ceased to be.
func (p *placement) steady() bool {
	for _, steps := range p.nodes {
		for _, s := range steps {
			if s.eligible != steps[0].eligible {
				return false
			}
		}
	}
	return true
}

// ever says whether the node is eligible at any time.
func (p *placement) ever(node string) bool {
	return slices.ContainsFunc(p.nodes[node], func(s step) bool { return s.eligible })
}

// most returns the highest number of eligible nodes between two instants.
func (p *placement) most(from, to time.Time) int {
	i := sort.Search(len(p.desired), func(i int) bool { return p.desired[i].at.After(to) })
	most := 0
	for i--; i >= 0; i-- {
		most = max(most, p.desired[i].count)
		if !p.desired[i].at.After(from) {
			break
		}
	}
	return most
}
