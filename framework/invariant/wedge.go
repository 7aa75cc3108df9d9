package invariant

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// lookEvery bounds what looking for work costs: it goes over all nodes.
const lookEvery = 5 * time.Second

// noWedge is M-20: judged wherever a history is long enough to show that the same piece of work lay idle for a minute, or, under
// disturbances after which a controller may wait, for as long as kube-controller-manager may wait for an event that it lost.
// Where creation or deletion is refused, backing off is right and nothing is judged.
var noWedge = Invariant{
	ID:        "M-20",
	Statement: "the controller does not stop while there is work that it may do",
	Lifted:    []history.Disturbance{history.CreationRefused, history.DeletionRefused, history.ClockSkewed},
	needs:     needsAMinute,
	watch: func(r *replay) hooks {
		type idle struct {
			since  time.Time
			seq    int
			looked time.Time
			work   string
			told   bool
		}
		idles := map[*roll]*idle{}
		for _, ds := range r.sets {
			idles[r.rolls[ds.uid]] = &idle{}
		}
		limit := r.patient(patience)
		if r.disturbedEver() {
			limit = r.patient(expectations)
		}
		accuse := func(ro *roll, i *idle) {
			if r.refused() || i.told || i.work == "" || i.since.IsZero() || r.at.Sub(i.since) <= limit || r.restarting(r.seq) {
				return
			}
			i.told = true
			r.report("M-20", ro.daemonSet, refs(ro.ref()), []int{i.seq},
				"DaemonSet %s did nothing from %s to %s, though %s", ro.name, clock(i.since), clock(r.at), i.work)
		}
		acted := func(ro *roll) {
			i := idles[ro]
			accuse(ro, i) // it moved at last
			i.since, i.told, i.work = time.Time{}, false, ""
		}
		look := func(ro *roll, i *idle) {
			// Before a pause the state is looked at in any case: it is what holds while nothing happens.
			last := r.seq == len(r.entries)-1
			if r.at.Before(i.looked.Add(lookEvery)) && !last && r.entries[r.seq+1].At.Before(r.at.Add(lookEvery)) {
				return
			}
			i.looked = r.at
			if work := r.work(ro); work != i.work || i.since.IsZero() {
				i.work, i.since, i.seq = work, r.at, r.seq
				return
			}
			accuse(ro, i)
		}
		return hooks{
			added:    func(ro *roll, _ *pod) { acted(ro) },
			deleting: func(ro *roll, _ *pod, _ *corev1.Pod) { acted(ro) },
			passed: func() {
				for ro, i := range idles {
					if ro.object != nil {
						look(ro, i)
					}
				}
			},
		}
	},
}

// refused says whether the suite has begun to make creation or deletion fail: from then on backing off is right.
func (r *replay) refused() bool {
	for _, one := range r.acts.all {
		if one.start <= r.seq && (one.disturbs(history.CreationRefused) || one.disturbs(history.DeletionRefused)) {
			return true
		}
	}
	return false
}

// work names one thing that the controller surely may do now, or nothing: always the first node by name, so that the same work is
// recognised again.
func (r *replay) work(ro *roll) string {
	versions := r.inForce(ro)
	if len(versions) != 1 || r.seq >= ro.ending || versions[0].observed < 0 {
		return ""
	}
	v := versions[0]
	best := ""
	offer := func(node, text string) {
		if text = fmt.Sprintf(text, node); best == "" || text < best {
			best = text
		}
	}
	for s := range ro.down {
		// Whether the delay between failed pods is kept before the deletion or before the creation is the controller's choice.
		delayed := s.failures > 1 && r.at.Before(s.failed.Add(longestDelay))
		if len(s.pods) == 0 && !delayed && r.surelyEligible(s.node, versions, cacheAge) {
			offer(s.node, "%s had no pod")
		}
	}
	if best != "" || !v.rolling() {
		return best
	}
	// A percentage may be one of the nodes now or of those at the start of the update: only what both allow has to be done.
	nodes := v.place.most(r.at, r.at)
	if !v.surges() {
		nodes = min(nodes, r.atStart(ro, v))
	}
	room, _ := v.budget(nodes)
	if v.surges() {
		room -= len(ro.doubled)
	} else {
		room -= len(ro.down)
	}
	for _, s := range ro.seats {
		if len(s.pods) == 0 || !r.surelyEligible(s.node, versions, cacheAge) {
			continue
		}
		old, fresh, clear := false, false, true
		for _, p := range s.pods {
			switch {
			case !active(p.object):
				clear = false
			case p.carried(versions) == none:
				old = true
			default:
				fresh = fresh || r.surelyAvailable(ro, p, p.object, versions, r.at)
				clear = clear && (fresh || !v.surges())
			}
		}
		switch {
		case !old || !clear:
		case v.surges() && fresh:
			offer(s.node, "%s had an old pod beside an available new one")
		case room > 0 && len(s.pods) == 1:
			offer(s.node, "%s had an old pod and the budget had room")
		}
	}
	return best
}
