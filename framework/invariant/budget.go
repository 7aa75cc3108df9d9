package invariant

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// unavailabilityBudget is M-02, for DaemonSets without surge: judged at each deletion of an available old pod that nobody but the
// controller can have made, on a node that should run one. Deleting unavailable old pods is free (catalog C-06), but their nodes
// count. Deleting a pod of the current template is M-10's business, pruning an excess pod is free.
var unavailabilityBudget = Invariant{
	ID:        "M-02",
	Statement: "the controller deletes an available old pod only while fewer than maxUnavailable nodes are without an available pod",
	Lifted:    []history.Disturbance{history.PodsDeleted},
	needs:     needsNoSurge,
	watch: func(r *replay) hooks {
		return hooks{deleting: func(ro *roll, p *pod, before *corev1.Pod) { r.judgeBudget("M-02", ro, p, before) }}
	},
}

// readyGate is M-18: M-02 for the nodes whose new pod is Ready, but not yet for minReadySeconds, under maxUnavailable 1. Any
// other budget that is overdrawn that way is M-02's.
var readyGate = Invariant{
	ID:        "M-18",
	Statement: "with maxUnavailable 1 the next old pod is deleted only once the last new one has been Ready for minReadySeconds",
	Lifted:    []history.Disturbance{history.PodsDeleted, history.ClockSkewed},
	needs:     needsNoSurge,
	watch: func(r *replay) hooks {
		return hooks{deleting: func(ro *roll, p *pod, before *corev1.Pod) { r.judgeBudget("M-18", ro, p, before) }}
	},
}

// crowd is how many nodes beyond the budget are counted before the judge settles for "at least": a controller that takes
// thousands of pods down at once is accused for each of them, and counting them all each time would take the square of it.
const crowd = 200

func (r *replay) judgeBudget(id string, ro *roll, p *pod, before *corev1.Pod) {
	versions := r.inForce(ro)
	if p.excuse != "" || len(versions) == 0 || anySurges(versions) || !anyRolls(versions) || terminal(before) {
		return
	}
	allowed, desired, text := r.allowance(ro, versions)
	if len(ro.down) <= allowed || id == "M-18" && allowed != 1 {
		return // within it even if every one of them counted
	}
	s := ro.seats[p.node]
	if r.prunes(s, p) || p.carried(versions) == all || !r.surelyBelongs(ro, p, versions) ||
		!r.surelyAvailable(ro, p, before, versions, p.requested) {
		return
	}
	enough := allowed + crowd
	lacking, waiting := r.lacking(ro, versions, p.requested, s, enough)
	if len(lacking)+1 <= allowed {
		return
	}
	gated := allowed == 1 && len(lacking) == len(waiting)
	if gated != (id == "M-18") {
		return
	}
	objects := refs(p.ref(), ro.ref(), nodeRef(p.node))
	evidence := []int{p.ready, versions[len(versions)-1].seq}
	count := itoa(len(lacking))
	if len(lacking) == enough {
		// Which of them were counted depends on chance, so none is named.
		count, lacking = "at least "+count, nil
	}
	for _, other := range foremost(lacking, 4) {
		objects = append(objects, nodeRef(other.node))
		evidence = append(evidence, other.proof()...)
	}
	if gated {
		gate := foremost(waiting, 1)[0]
		successor := readyPod(gate)
		since, _ := readySince(successor.object)
		r.report(id, ro.daemonSet, append(objects, successor.ref()), append(evidence, successor.ready),
			"pod %s on %s was deleted at %s while pod %s on %s was Ready only since %s; minReadySeconds is %d",
			p.name(), p.node, clock(r.at), successor.name(), gate.node, clock(since),
			int(shortest(versions).Seconds()))
		return
	}
	were := "were"
	if count == "1" {
		were = "was"
	}
	value := text
	if value == itoa(allowed) {
		value = "maxUnavailable allows " + value
	} else {
		value = "maxUnavailable " + value + " allows " + itoa(allowed)
	}
	r.report(id, ro.daemonSet, objects, evidence,
		"pod %s on %s was deleted at %s while %s of %d nodes %s already without an available pod; %s",
		p.name(), p.node, clock(r.at), count, desired, were, value)
}

// foremost returns the first few seats by the name of their node, so that the same history always gives the same words. It does
// not sort them all: a controller that takes everything down at once is accused once for each of thousands of pods.
func foremost(seats []*seat, n int) []*seat {
	var few []*seat
	for _, s := range seats {
		at := len(few)
		for at > 0 && s.node < few[at-1].node {
			at--
		}
		if at < n {
			few = slices.Insert(few, at, s)
			few = few[:min(len(few), n)]
		}
	}
	return few
}

func readyPod(s *seat) *pod {
	for _, p := range s.pods {
		if _, ready := readySince(p.object); ready && !terminating(p.object) {
			return p
		}
	}
	return nil
}

func anyRolls(versions []*version) bool {
	for _, v := range versions {
		if v.rolling() {
			return true
		}
	}
	return false
}
