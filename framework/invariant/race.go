package invariant

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/framework/history"
)

// raceWindow is how far apart the events of this race arrive at most. On an idle machine they are milliseconds apart.
const raceWindow = time.Second

// MistakenDeletion says whether a breach of the budget bears the marks of a race that kube-controller-manager is known to have
// (suites/DEVIATIONS.md, M-02): it takes any event of a pod that is terminating already for the sight of the deletion that it has just
// made, and so makes the next one before it has seen it. The marks are two deletions with hardly any time between, and around them another
// event of a third pod that had been deleted earlier. Whoever simply deletes too many leaves none where an update begins.
//
// It excuses nobody by itself: the violation stays, and who applies known deviations asks.
func MistakenDeletion(h *history.History, v Violation) bool {
	if v.Invariant != "M-02" || len(v.Objects) == 0 {
		return false
	}
	deleted := map[types.UID]int{} // the first event of each pod that is terminating
	var last *history.Entry        // the deletion before the one that is too much
	for i := range h.Entries {
		e := &h.Entries[i]
		if e.Pod == nil || !terminating(e.Pod) {
			continue
		}
		owner := controllerOf(e.Pod)
		if owner == nil || owner.Name != v.DaemonSet {
			continue
		}
		if _, again := deleted[e.Pod.UID]; again {
			continue
		}
		deleted[e.Pod.UID] = i
		if e.Pod.UID != v.Objects[0].UID {
			last = e
			continue
		}
		return last != nil && e.At.Sub(last.At) <= raceWindow && echo(h, deleted, last, i)
	}
	return false
}

// echo looks for a further event of a pod that had been deleted earlier, from shortly before the deletion last to the one at position i.
func echo(h *history.History, deleted map[types.UID]int, last *history.Entry, i int) bool {
	for k := i - 1; k >= 0 && !h.Entries[k].At.Before(last.At.Add(-raceWindow)); k-- {
		p := h.Entries[k].Pod
		if p == nil || p.UID == last.Pod.UID {
			continue
		}
		if first, known := deleted[p.UID]; known && first < k {
			return true
		}
	}
	return false
}
