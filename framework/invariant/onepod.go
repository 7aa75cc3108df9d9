package invariant

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// crowdExcused says whether an excess of pods on a node counts only when it lasts: pods that the suite made or edited, and those that
// were adopted just now, can lawfully be more than a controller would make, and are pruned then, which takes a moment (catalog M-01 a, e;
// B-07, J-02).
func (r *replay) crowdExcused(s *seat) bool {
	if r.restarting(r.seq) {
		return true
	}
	for _, p := range s.pods {
		foreign := r.suiteMade(p)
		if p.adopted {
			foreign = !r.at.After(r.entries[p.first].At.Add(r.patient(patience)))
		}
		if foreign || r.touched(r.seq, p, history.PodsEdited) {
			return true
		}
	}
	return false
}

// onePodPerNode is M-01. Pods count by their target node, so that a Pending one is not missed; dead ones do not count. It is
// judged when a pod comes, because only that can break it, and under versions none of which surges.
var onePodPerNode = Invariant{
	ID:        "M-01",
	Statement: "without surge a node has at most one pod of a DaemonSet that is not dead",
	Lifted:    []history.Disturbance{history.PodsForeign, history.PodsEdited, history.ControllerRestarted},
	needs:     needsNoSurge,
	watch: func(r *replay) hooks {
		return hooks{added: func(ro *roll, p *pod) {
			versions := r.inForce(ro)
			if p.listed || len(versions) == 0 || anySurges(versions) || dead(p.object) || p.node == "" {
				return
			}
			s := ro.seats[p.node]
			if r.crowdExcused(s) {
				return
			}
			for _, other := range s.pods {
				if other == p || dead(other.object) {
					continue
				}
				r.report("M-01", ro.daemonSet, refs(p.ref(), other.ref(), nodeRef(s.node), ro.ref()),
					append(s.proof(), other.first, versions[len(versions)-1].seq),
					"pod %s was created on %s at %s while pod %s was still there (%s); without surge a node has one pod at most",
					p.name(), s.node, clock(r.at), other.name(), other.state())
				return
			}
		}}
	},
}

func refs(all ...history.Reference) []history.Reference { return all }

func anySurges(versions []*version) bool {
	for _, v := range versions {
		if v.surges() {
			return true
		}
	}
	return false
}

func allSurge(versions []*version) bool {
	for _, v := range versions {
		if !v.surges() {
			return false
		}
	}
	return len(versions) > 0
}

// activePods is M-05, judged like M-01 when a pod comes. With surge a node may have two active pods if they are of different
// revisions; that the newer one is of the current revision is M-09's business.
var activePods = Invariant{
	ID:        "M-05",
	Statement: "a node has at most one active pod, with surge two: one of the current revision and one older",
	Lifted:    []history.Disturbance{history.PodsForeign, history.PodsEdited, history.ControllerRestarted},
	watch: func(r *replay) hooks {
		return hooks{added: func(ro *roll, p *pod) {
			versions := r.inForce(ro)
			if p.listed || len(versions) == 0 || !active(p.object) || p.node == "" {
				return
			}
			s := ro.seats[p.node]
			if r.crowdExcused(s) {
				return
			}
			allowed := 1
			if anySurges(versions) {
				allowed = 2
			}
			var others []*pod
			var twin *pod
			for _, other := range s.pods {
				if other == p || !active(other.object) {
					continue
				}
				others = append(others, other)
				if other.hash == p.hash {
					twin = other
				}
			}
			objects, evidence := refs(p.ref()), s.proof()
			for _, other := range others {
				objects, evidence = append(objects, other.ref()), append(evidence, other.first)
			}
			objects = append(objects, nodeRef(s.node), ro.ref())
			switch {
			case len(others)+1 > allowed:
				r.report("M-05", ro.daemonSet, objects, evidence,
					"pod %s was created on %s at %s beside %s; %s allowed", p.name(), s.node, clock(r.at),
					plural(len(others), "active pod", "active pods"), plural(allowed, "is", "are"))
			case twin != nil:
				r.report("M-05", ro.daemonSet, objects, evidence,
					"pod %s was created on %s at %s beside active pod %s of the same revision %s", p.name(), s.node, clock(r.at),
					twin.name(), p.hash)
			}
		}}
	},
}

// lastingExcess is the soft form of M-01 and M-05 that M-25 asks of disturbed histories: whatever put too many active pods on a
// node, they are pruned.
var lastingExcess = Invariant{
	ID: "M-25",
	Statement: "under interference, too, no node keeps more active pods than the strategy allows for longer than a minute " +
		"(M-06 to M-09 and M-12 to M-16 hold under interference by themselves)",
	watch: func(r *replay) hooks {
		since := map[*seat]time.Time{}
		told := map[*seat]bool{}
		look := func(ro *roll, s *seat) {
			versions := r.inForce(ro)
			allowed := 1
			if anySurges(versions) {
				allowed = 2
			}
			var excess []*pod
			for _, p := range s.pods {
				if active(p.object) {
					excess = append(excess, p)
				}
			}
			// Nobody can prune where deletion is refused, and pods on a node that is gone are the garbage collector's (catalog K-02).
			excused := r.nodeMissing(s.node) || len(excess) > 0 && r.touched(r.seq, excess[0], history.DeletionRefused)
			if len(excess) <= allowed || excused || r.seq >= ro.ending || s.node == "" {
				delete(since, s)
				delete(told, s)
				return
			}
			began, ok := since[s]
			if !ok {
				since[s] = r.at
				return
			}
			if told[s] || r.at.Sub(began) <= r.patient(patience) || r.restarting(r.seq) {
				return
			}
			told[s] = true
			p := excess[len(excess)-1]
			r.report("M-25", ro.daemonSet, refs(p.ref(), excess[0].ref(), nodeRef(s.node), ro.ref()), s.proof(),
				"%s has had %s since %s and still at %s; %s allowed", s.node,
				plural(len(excess), "active pod", "active pods"), clock(began), clock(r.at), plural(allowed, "is", "are"))
		}
		one := func(ro *roll, p *pod) { look(ro, ro.seats[p.node]) }
		return hooks{
			added: one, left: one, changed: func(ro *roll, p *pod, _ *corev1.Pod) { one(ro, p) },
			end: func() {
				r.seq = len(r.entries) - 1
				for _, ds := range r.sets {
					ro := r.rolls[ds.uid]
					for s := range ro.doubled {
						look(ro, s)
					}
				}
			},
		}
	},
}
