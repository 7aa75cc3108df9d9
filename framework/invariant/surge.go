package invariant

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// surgeKeepsNodesServed is M-03: a node's loss of availability is held against the controller only where a deletion of its own
// takes the last available pod away. A pod that ceases to be Ready by itself is nobody's fault (catalog D-05).
var surgeKeepsNodesServed = Invariant{
	ID:        "M-03",
	Statement: "with surge the controller never takes the last available pod from a node that should run one",
	Lifted:    []history.Disturbance{history.PodsDeleted},
	needs:     needsSurge,
	watch: func(r *replay) hooks {
		return hooks{deleting: func(ro *roll, p *pod, before *corev1.Pod) {
			versions := r.inForce(ro)
			if p.excuse != "" || !allSurge(versions) || !active(before) {
				return
			}
			s := ro.seats[p.node]
			if !s.others(p) && p.carried(versions) == all {
				return // M-10
			}
			if !r.surelyBelongs(ro, p, versions) || !r.surelyAvailable(ro, p, before, versions, p.requested) {
				return
			}
			successor := "no other pod was there"
			objects, evidence := refs(p.ref()), []int{p.ready}
			for _, other := range s.pods {
				if other == p {
					continue
				}
				if r.maybeAvailable(other, versions, p.requested) {
					return
				}
				if active(other.object) && other.hash == p.hash {
					return // an excess is pruned, and which of two is kept is the controller's choice (catalog B-07)
				}
				if terminating(other.object) {
					continue
				}
				objects, evidence = append(objects, other.ref()), append(evidence, other.first, other.last)
				successor = fmt.Sprintf("pod %s was not available (%s)", other.name(), other.state())
				if since, ready := readySince(other.object); ready {
					successor = fmt.Sprintf("pod %s was Ready only since %s and minReadySeconds is %d",
						other.name(), clock(since), int(shortest(versions).Seconds()))
				}
			}
			if !s.lost.IsZero() && r.unaware(s.lost) {
				return
			}
			r.report("M-03", ro.daemonSet, append(objects, nodeRef(s.node), ro.ref()), evidence,
				"pod %s on %s was deleted at %s while %s; with maxSurge a node keeps an available pod throughout",
				p.name(), s.node, clock(r.at), successor)
		}}
	},
}

// surgeBudget is M-04, judged when a pod of the current template comes to a node whose old pod is available. Terminating pods do
// not count, nor nodes whose old pod is unavailable: those are replaced outside the limit (catalog D-05).
var surgeBudget = Invariant{
	ID:        "M-04",
	Statement: "at most maxSurge nodes have an available old pod and a new one that is not available yet",
	needs:     needsSurge,
	watch: func(r *replay) hooks {
		return hooks{added: func(ro *roll, p *pod) {
			versions := r.inForce(ro)
			if p.listed || p.adopted || !allSurge(versions) || r.seq >= ro.ending || r.suiteMade(p) {
				return
			}
			allowed, desired, text := r.allowance(ro, versions)
			if len(ro.doubled) <= allowed {
				return
			}
			now := p.object.CreationTimestamp.Time
			made := p.madeFrom(versions)
			if len(made) == 0 {
				return // not from a template in force: M-09
			}
			own, ok := r.surging(ro, ro.seats[p.node], made, now)
			if !ok || own != p {
				return
			}
			count := 0
			objects, evidence := refs(p.ref(), ro.ref(), nodeRef(p.node)), []int{versions[len(versions)-1].seq}
			for _, s := range ro.ordered(ro.doubled) {
				fresh, ok := r.surging(ro, s, made, now)
				if !ok {
					continue
				}
				if count++; count <= 4 {
					objects, evidence = append(objects, fresh.ref()), append(evidence, fresh.first, fresh.last)
				}
			}
			if count <= allowed {
				return
			}
			value := "maxSurge allows " + text
			if text != itoa(allowed) {
				value = fmt.Sprintf("maxSurge %s allows %d", text, allowed)
			}
			r.report("M-04", ro.daemonSet, objects, evidence,
				"pod %s was created on %s at %s as the new pod beside an available old one while %d of %d nodes already had such a pair; %s",
				p.name(), p.node, clock(r.at), count-1, desired, value)
		}}
	},
}

// madeFrom returns those of the versions whose template a pod carries: the controller that made it acted on one of them.
func (p *pod) madeFrom(versions []*version) []*version {
	var made []*version
	for _, v := range versions {
		if hit, sure := p.carriesVersion(v); hit && sure {
			made = append(made, v)
		}
	}
	return made
}

// surging returns the new pod of a seat that surely is one of the pairs that maxSurge limits, as seen by a controller that acts
// on one of the given versions.
func (r *replay) surging(ro *roll, s *seat, versions []*version, now time.Time) (*pod, bool) {
	var fresh *pod
	old := false
	for _, p := range s.pods {
		if terminating(p.object) {
			continue
		}
		switch p.carried(versions) {
		case all:
			if terminal(p.object) || r.maybeAvailable(p, versions, now) {
				return nil, false
			}
			fresh = p
		case none:
			old = old || r.surelyAvailable(ro, p, p.object, versions, now)
		default:
			return nil, false
		}
	}
	return fresh, fresh != nil && old && r.surelyEligible(s.node, versions, skew)
}
