// Package invariant judges histories. An invariant is a pure function from a history to violations: it has no client, no clock
// and no state of its own, so that a saved history gives the same verdict as a fresh one. The ids are those of the catalog, M-01
// to M-25.
//
// The judge accuses only on proof. Where two recorded streams have to be related, where a clock has a resolution of one second,
// or where a controller may lawfully have acted on a cache that was a moment old, the more permissive reading is taken
// (tolerance.go says by how much). What somebody else did is never held against the controller (blame.go).
package invariant

import (
	"fmt"
	"sort"
	"time"

	"rollcall.dev/framework/history"
)

// Violation is one proven breach of one invariant.
type Violation struct {
	// Invariant is the id: "M-02".
	Invariant string `json:"invariant"`
	// At is when the recorder saw the entry that completes the proof.
	At time.Time `json:"at"`
	// Namespace and DaemonSet name what was judged.
	Namespace string `json:"namespace,omitempty"`
	DaemonSet string `json:"daemonSet,omitempty"`
	// Message is one sentence, without the id and without a full stop.
	Message string `json:"message"`
	// Objects are those that the sentence is about, the most important first.
	Objects []history.Reference `json:"objects,omitempty"`
	// Evidence holds the Seq of the few entries that prove the violation, ascending.
	Evidence []int `json:"evidence,omitempty"`
}

// String returns the first line of a failure: "M-02: pod …".
func (v Violation) String() string { return v.Invariant + ": " + v.Message }

// Invariant is one promise that is judged on whole histories.
type Invariant struct {
	ID string
	// Statement is the promise in one sentence.
	Statement string
	// Lifted lists the disturbances under which the invariant is not judged at all when they hold for the whole history. A
	// disturbance that an act makes is discounted only from that act on, and only for the pod or node that it was aimed at.
	Lifted []history.Disturbance

	// needs says what the history lacks for the invariant to be judged on it, or nothing; nil needs nothing.
	needs func(*replay) string
	// watch registers what the invariant looks at in one replay.
	watch func(*replay) hooks
}

// Judge returns the violations of this invariant alone, none for a history with a gap.
func (i Invariant) Judge(h *history.History) []Violation {
	return judge(h, []Invariant{i}).Violations
}

// All returns every invariant in the order of its id.
func All() []Invariant {
	all := []Invariant{
		onePodPerNode, unavailabilityBudget, surgeKeepsNodesServed, surgeBudget, activePods,
		pinnedForLife, completeFromBirth, fidelity, currentTemplate, progress,
		noChurn, gracefulDeletion, statusOnly, statusArithmetic, honestStatus,
		revisionHistory, rollback, readyGate, convergence, noWedge,
		rapidUpdates, resume, isolation, deletionFence, lastingExcess,
	}
	sort.Slice(all, func(a, b int) bool { return all[a].ID < all[b].ID })
	return all
}

// Result is what the judge says about one history.
type Result struct {
	// Violations are all that were proven, in the order in which they happened.
	Violations []Violation `json:"violations,omitempty"`
	// NotApplicable says for an invariant's id why it was not judged.
	NotApplicable map[string]string `json:"notApplicable,omitempty"`
	// Gap is set if something may be missing from the history. Nothing is proven then: the verdict is inconclusive.
	Gap *history.Gap `json:"gap,omitempty"`
}

// Judge judges a history by every invariant.
func Judge(h *history.History) Result { return judge(h, All()) }

func judge(h *history.History, invariants []Invariant) Result {
	result := Result{NotApplicable: map[string]string{}}
	if gap := h.Complete(); gap != nil {
		result.Gap = gap
		for _, i := range invariants {
			result.NotApplicable[i.ID] = "the history has a gap: " + gap.Reason
		}
		return result
	}
	r := newReplay(h)
	for _, i := range invariants {
		if reason := r.lifted(i); reason != "" {
			result.NotApplicable[i.ID] = reason
			continue
		}
		r.hooks = append(r.hooks, i.watch(r))
	}
	r.run()
	result.Violations = settle(r.violations)
	return result
}

// lifted says why an invariant cannot be judged on this history, or nothing.
func (r *replay) lifted(i Invariant) string {
	if len(r.sets) == 0 {
		return "the history has no DaemonSet"
	}
	for _, d := range i.Lifted {
		for _, held := range r.h.Header.Disturbances {
			if d == held {
				return fmt.Sprintf("the spec declares %s for its whole history", d)
			}
		}
	}
	if i.needs != nil {
		return i.needs(r)
	}
	return ""
}

// narrower says which invariants make another one's violation superfluous when both blame the same write on the same pod: the
// reader should see one wrong deletion once, by its most telling name.
var narrower = map[string][]string{
	"M-05": {"M-01"},
	"M-25": {"M-01", "M-05"},
}

// settle orders violations and drops those that repeat another one about the same pod under a broader name.
func settle(violations []Violation) []Violation {
	type key struct{ invariant, uid string }
	seen := map[key]bool{}
	for _, v := range violations {
		if len(v.Objects) > 0 {
			seen[key{v.Invariant, string(v.Objects[0].UID)}] = true
		}
	}
	kept := violations[:0]
	for _, v := range violations {
		repeated := false
		for _, id := range narrower[v.Invariant] {
			repeated = repeated || len(v.Objects) > 0 && seen[key{id, string(v.Objects[0].UID)}]
		}
		if !repeated {
			kept = append(kept, v)
		}
	}
	sort.SliceStable(kept, func(a, b int) bool {
		if !kept[a].At.Equal(kept[b].At) {
			return kept[a].At.Before(kept[b].At)
		}
		if kept[a].Invariant != kept[b].Invariant {
			return kept[a].Invariant < kept[b].Invariant
		}
		return kept[a].Message < kept[b].Message
	})
	return kept
}
