package invariant

import (
	"time"

	"rollcall.dev/framework/history"
)

// Completed is the verb of the act by which a spec records that it waited until the rollout of a DaemonSet was complete and
// undisturbed. After it the judge holds the last state of the history to be final, without waiting for it to be quiet.
const Completed = "completed"

// quiet is how long nothing may have changed for the last state of a history to be final without such an act.
const quiet = 5 * time.Second

// convergence is M-19 as far as a history can tell: whether a DaemonSet that says it has arrived is where it should be. That it
// arrives at all, and in time, is for the specs' matchers: a history does not know how long somebody was willing to wait.
var convergence = Invariant{
	ID:        "M-19",
	Statement: "a rollout that the status calls complete has one active, available, current pod on every eligible node, and an exact status",
	watch:     func(r *replay) hooks { return hooks{end: func() { r.judgeEnd("M-19") }} },
}

// rapidUpdates is M-21: of several templates in quick succession the last one wins. That the safety invariants hold meanwhile is
// judged by those.
var rapidUpdates = Invariant{
	ID:        "M-21",
	Statement: "after several updates in quick succession every node ends with a pod of the last template",
	needs:     needsRapidUpdates,
	watch:     func(r *replay) hooks { return hooks{end: func() { r.judgeEnd("M-21") }} },
}

func (r *replay) judgeEnd(id string) {
	if len(r.entries) == 0 {
		return
	}
	r.seq = len(r.entries) - 1
	r.at = r.entries[r.seq].At
	for _, ds := range r.sets {
		ro := r.rolls[ds.uid]
		if r.seq >= ds.ending || ro.object == nil || r.restarting(r.seq) {
			continue
		}
		o, st := ro.object, ro.object.Status
		if st.ObservedGeneration != o.Generation || st.UpdatedNumberScheduled != st.DesiredNumberScheduled ||
			st.NumberAvailable != st.DesiredNumberScheduled || r.suiteWroteStatus(ro) {
			continue // it does not say that it has arrived
		}
		last := ds.versions[len(ds.versions)-1]
		now := []*version{last}
		final := r.final(ro, last)
		reported := false
		calm := true
		for _, s := range ro.seats {
			if !r.surelyEligible(s.node, now, cacheAge) || !final && r.restless(s) {
				calm = calm && r.surelyEligible(s.node, now, cacheAge)
				continue
			}
			if len(s.pods) != 1 {
				calm = false
			}
			wrong, evidence := r.wrongAtEnd(ro, s, last)
			if wrong == "" {
				continue
			}
			is := "M-19"
			if (wrong == oldTemplate || wrong == oldBeside) && last.index > 1 && ds.rapid() {
				is = "M-21"
			}
			reported = true
			if is != id {
				continue
			}
			objects := refs(ro.ref(), nodeRef(s.node))
			for _, p := range s.pods {
				objects = append(objects, p.ref())
			}
			r.reportAt(ds.events[lastIndex(ds.events, r.seq)], id, ds, objects, append(evidence, last.seq),
				"DaemonSet %s called generation %d complete, but at the end %s had %s", ds.name, last.generation, s.node, wrong)
		}
		if id != "M-19" || reported || !calm || r.stillMoving(ro) || r.disturbedEver() {
			continue
		}
		if want := last.place.most(r.at, r.at); r.strangers(ro) == 0 && int(st.DesiredNumberScheduled) != want {
			r.reportAt(ds.events[lastIndex(ds.events, r.seq)], id, ds, refs(ds.ref()), []int{last.seq},
				"DaemonSet %s ended with desiredNumberScheduled %d, but %s eligible", ds.name, st.DesiredNumberScheduled,
				plural(want, "node is", "nodes are"))
		} else if st.NumberMisscheduled > 0 && r.final(ro, last) && last.place.steady() && !ro.anyAstray(last) {
			// Too few may be stale after a taint (catalog G-09); one too many has no pod that it could be.
			r.reportAt(ds.events[lastIndex(ds.events, r.seq)], id, ds, refs(ds.ref()), []int{last.seq},
				"DaemonSet %s ended with numberMisscheduled %d, but has no pod on a node that is not eligible", ds.name, st.NumberMisscheduled)
		} else if int(st.NumberReady) != want || int(st.CurrentNumberScheduled) != want {
			r.reportAt(ds.events[lastIndex(ds.events, r.seq)], id, ds, refs(ds.ref()), []int{last.seq},
				"DaemonSet %s ended with currentNumberScheduled %d and numberReady %d for %d pods that are Ready", ds.name,
				st.CurrentNumberScheduled, st.NumberReady, want)
		}
	}
}

// anyAstray says whether a pod is on a node that is not eligible, or not recorded.
func (ro *roll) anyAstray(v *version) bool {
	for _, s := range ro.seats {
		if steps := v.place.nodes[s.node]; len(s.pods) > 0 && (len(steps) == 0 || !steps[len(steps)-1].eligible) {
			return true
		}
	}
	return false
}

func lastIndex(events []int, seq int) int {
	for i := len(events) - 1; i > 0; i-- {
		if events[i] <= seq {
			return i
		}
	}
	return 0
}

const (
	oldTemplate = "only a pod of another template"
	oldBeside   = "a pod of another template, and a current one that runs nowhere yet"
)

// wrongAtEnd says what an eligible node has instead of an available pod of the current template, or nothing.
func (r *replay) wrongAtEnd(ro *roll, s *seat, last *version) (string, []int) {
	now := []*version{last}
	old, late, nowhere := false, false, false
	for _, p := range s.pods {
		if terminating(p.object) {
			continue
		}
		if p.adopted || r.suiteMade(p) || r.touched(r.seq, p, history.PodsEdited, history.RevisionsEdited) {
			return "", nil
		}
		if p.carried(now) == none {
			old = old || active(p.object)
			continue
		}
		if r.maybeAvailable(p, now, r.at) || r.touched(r.seq, p, history.ReadinessFlaps, history.NodesDown, history.PodsFailed) {
			return "", nil
		}
		late = late || active(p.object) && p.object.Spec.NodeName != ""
		nowhere = nowhere || active(p.object) && p.object.Spec.NodeName == ""
	}
	switch {
	case old && late && last.surges():
		// Which of a node's two pods the counters look at, the field docs leave open: the node runs an updated pod, and has an available one (D-11).
		return "", nil
	case old && late:
		return "a pod of another template beside a current one that is not available", s.proof()
	case old && nowhere:
		return oldBeside, s.proof()
	case old:
		return oldTemplate, s.proof()
	case len(s.pods) == 0:
		if !s.lost.IsZero() && r.at.Before(s.lost.Add(cacheAge)) {
			return "", nil
		}
		return "no pod", nil
	default:
		for _, p := range s.pods {
			if p.excuse != "" && r.at.Before(p.deletedAt.Add(cacheAge)) {
				return "", nil
			}
		}
		return "no available pod", s.proof()
	}
}

// final says whether the spec declared the DaemonSet's last state to be final, with no act on it since.
func (r *replay) final(ro *roll, last *version) bool {
	final := false
	for _, one := range r.acts.all {
		switch {
		case one.Verb == Completed && one.aimedAt(history.DaemonSets, ro.namespace, ro.name):
			final = one.start > last.seq
		case one.start > last.seq:
			final = false
		}
	}
	return final
}

// restless says whether something happened at a seat so recently that the status need not know of it.
func (r *replay) restless(s *seat) bool {
	if !s.lost.IsZero() && r.at.Before(s.lost.Add(quiet)) {
		return true
	}
	for _, p := range s.pods {
		if r.at.Before(r.entries[p.last].At.Add(quiet)) {
			return true
		}
	}
	return len(s.pods) == 0 && r.at.Before(s.moved.Add(quiet))
}

// stillMoving says whether any pod event, status or spec of the DaemonSet is recent.
func (r *replay) stillMoving(ro *roll) bool {
	if r.at.Before(r.entries[lastEventBefore(ro.events, r.seq+1)].At.Add(quiet)) {
		return true
	}
	for _, s := range ro.seats {
		if r.restless(s) {
			return true
		}
	}
	return false
}

// disturbedEver says whether nodes or pods were disturbed at all: the status may lawfully be behind then (catalog G-09, G-10).
func (r *replay) disturbedEver() bool {
	if len(r.acts.held) > 0 {
		return true
	}
	for _, one := range r.acts.all {
		if len(one.Disturbs) > 0 {
			return true
		}
	}
	return false
}

// rapid says whether a template was replaced before the controller had even observed it.
func (ds *daemonSet) rapid() bool {
	for i := 1; i < len(ds.versions); i++ {
		a, b := ds.versions[i-1], ds.versions[i]
		if a.key != b.key && (a.observed < 0 || a.observed == b.observed) {
			return true
		}
	}
	return false
}
