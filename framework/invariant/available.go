package invariant

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// Availability is read both ways. Whoever is accused must have known better, so a pod that was deleted counts as available only
// if the controller surely knew it to be, and a node counts as unavailable only if the controller surely knew that too.

// unaware says whether a controller need not know yet of what others did at a time: its view may be that old, or it was stopped then
// and goes on with what it knew before (catalog M-22).
func (r *replay) unaware(of time.Time) bool {
	return r.at.Before(of.Add(cacheAge)) || r.acts.stopped(r.at, of)
}

// surelyAvailable says whether a pod in the given state was available, and known to be, when the API server took a request at a
// time on its own clock.
func (r *replay) surelyAvailable(ro *roll, p *pod, state *corev1.Pod, versions []*version, requested time.Time) bool {
	since, ready := readySince(state)
	if !ready || p.ready < 0 {
		return false
	}
	var wait time.Duration
	for _, v := range versions {
		wait = max(wait, v.minReady())
	}
	// A status that comes just after a pod is Ready again may be one from before it had ceased to be: the two come by different watches.
	known := ro.allKnown > p.ready && (p.lostAt.IsZero() || !r.entries[ro.allKnown].At.Before(p.readyAt.Add(skew)))
	if wait > 0 {
		if since.Add(wait + grain).After(requested) {
			return false
		}
		if r.touched(r.seq, p, history.ClockSkewed) {
			return known
		}
	}
	return known || p.readyAt.IsZero() || !r.unaware(p.readyAt.Add(wait))
}

// maybeAvailable says whether a controller may have taken a pod for available then.
func (r *replay) maybeAvailable(p *pod, versions []*version, requested time.Time) bool {
	if terminating(p.object) {
		return p.excuse != "" && r.unaware(p.deletedAt)
	}
	since, ready := readySince(p.object)
	if !ready {
		return !p.lostAt.IsZero() && r.unaware(p.lostAt)
	}
	wait := shortest(versions)
	// Who counts from when it saw the pod Ready, and not from what the node's clock said then, is right too (catalog H-10).
	if !p.readyAt.IsZero() && !r.at.Before(p.readyAt.Add(wait)) {
		return true
	}
	return wait == 0 || since.Add(wait).Before(requested.Add(grain)) || r.touched(r.seq, p, history.ClockSkewed)
}

func shortest(versions []*version) time.Duration {
	wait := versions[0].minReady()
	for _, v := range versions[1:] {
		wait = min(wait, v.minReady())
	}
	return wait
}

// surelyEligible says whether a node was eligible by every version in force, for so long that the controller knew it, and still
// is a moment later (the nodes' stream may be behind).
func (r *replay) surelyEligible(node string, versions []*version, known time.Duration) bool {
	for _, v := range versions {
		if !v.place.eligible(node, r.at.Add(-known), r.at.Add(skew)) {
			return false
		}
	}
	return true
}

// surelyIneligible says whether a node that exists was not eligible by any version in force for so long that the controller knew it, and
// is not a moment later.
func (r *replay) surelyIneligible(node string, versions []*version) bool {
	for _, v := range versions {
		if !v.place.never(node, r.at.Add(-cacheAge), r.at.Add(skew)) {
			return false
		}
	}
	return !r.nodeMissing(node)
}

// surelyBelongs says whether a pod's node was eligible for so long that the controller knew it: not since the node's last change only.
func (r *replay) surelyBelongs(ro *roll, p *pod, versions []*version) bool {
	return r.surelyEligible(p.node, versions, max(skew, r.acquaintance(ro.seats[p.node])))
}

// acquaintance is for how long a seat's node has to have been eligible for the controller to know: not at all longer than since
// it first made a pod there.
func (r *replay) acquaintance(s *seat) time.Duration {
	if s.made.IsZero() {
		return cacheAge
	}
	return min(cacheAge, r.at.Sub(s.made))
}

// allowance returns the highest budget that any version in force gives, with the text of its field and the number of nodes that
// it was worked out for. The API's description of maxUnavailable takes percentages of the pods at the start of the update, its
// example those of the nodes that should have a pod now: both are lawful.
func (r *replay) allowance(ro *roll, versions []*version) (allowed, desired int, text string) {
	for _, v := range versions {
		nodes := v.place.most(r.at.Add(-cacheAge), r.at.Add(skew))
		if !v.surges() {
			nodes = max(nodes, r.atStart(ro, v))
		}
		nodes += r.strangers(ro)
		if a, t := v.budget(nodes); a >= allowed {
			allowed, desired, text = a, nodes, t
		}
	}
	return allowed, desired, text
}

// recorded says whether a node is known to the recorder by now, or a moment later.
func (r *replay) recorded(node string) bool {
	past := r.nodes[node]
	return len(past) > 0 && !past[0].at.After(r.at.Add(skew))
}

// strangers counts the nodes that are not recorded by now, though a pod was made for them: the nodes' stream may be behind.
func (r *replay) strangers(ro *roll) int {
	count := 0
	for node := range ro.strange {
		if !r.recorded(node) {
			count++
		}
	}
	return count
}

// atStart returns how many nodes should have had a pod of a version when the update to its template began.
func (r *replay) atStart(ro *roll, v *version) int {
	first := v
	for first.index > 0 && ro.versions[first.index-1].key == v.key {
		first = ro.versions[first.index-1]
	}
	until := r.seq
	if first.observed >= 0 {
		until = min(until, first.observed)
	}
	return v.place.most(r.entries[first.from].At.Add(-cacheAge), r.entries[until].At.Add(skew))
}

// lacking lists the seats of eligible nodes that had no available pod, and were known to have none, when a request was taken.
// waiting are those among them that have a Ready pod which only was not Ready for long enough. It stops at enough of them.
func (r *replay) lacking(ro *roll, versions []*version, requested time.Time, except *seat, enough int) (lacking, waiting []*seat) {
	for s := range ro.down {
		if len(lacking) == enough {
			break
		}
		if s == except {
			continue
		}
		immature, maybe, sure := false, false, false
		for _, p := range s.pods {
			if _, ready := readySince(p.object); ready && !terminating(p.object) {
				immature = true
				sure = sure || r.surelyAvailable(ro, p, p.object, versions, requested)
			}
			maybe = maybe || r.maybeAvailable(p, versions, requested)
		}
		if sure {
			delete(ro.down, s) // it stays available until its next event, which files it anew
			continue
		}
		// Whoever has made a pod for the node since, without surge, has seen that the one before was gone.
		unaware := !s.lost.IsZero() && r.unaware(s.lost) && !s.refilled.After(s.lost)
		if maybe || unaware || !r.surelyEligible(s.node, versions, r.acquaintance(s)) {
			continue
		}
		lacking = append(lacking, s)
		if immature {
			waiting = append(waiting, s)
		}
	}
	return lacking, waiting
}

// prunes says whether the deletion of p may be the pruning of an excess: another active pod is there, or was when the controller
// last looked.
func (r *replay) prunes(s *seat, p *pod) bool {
	return s.others(p) || !s.robbed.IsZero() && r.unaware(s.robbed)
}

// others says whether a seat holds another active pod than p.
func (s *seat) others(p *pod) bool {
	for _, o := range s.pods {
		if o != p && active(o.object) {
			return true
		}
	}
	return false
}
