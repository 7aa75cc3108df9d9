package invariant

import (
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/framework/history"
)

// replay goes once through a history, keeps the state of every DaemonSet's nodes and pods up to date, and calls the hooks of
// the invariants. Its cost is linear in the number of entries.
type replay struct {
	h       *history.History
	entries []history.Entry
	sets    []*daemonSet
	byUID   map[types.UID]*daemonSet
	sighted map[types.UID]int // the first event of each ControllerRevision, whoever owned it then
	nodes   map[string][]nodeState
	acts    acts
	hooks   []hooks

	rolls map[types.UID]*roll
	pods  map[types.UID]*pod
	// ended is when the last pod of a name went, by namespace and name.
	ended map[types.NamespacedName]time.Time
	// seq and at are the position of the entry that is being looked at and its arrival; sent is the position at which the request behind it
	// was taken, if the API server's clock says that this was longer ago than two streams are apart, else seq.
	seq, sent  int
	at         time.Time
	violations []Violation
}

// hooks are what an invariant wants to be told, each called once the state has taken in the entry. All are optional.
type hooks struct {
	// added: the pod came under the DaemonSet's control, by its first event or later (p.adopted).
	added func(*roll, *pod)
	// changed: the pod has a new state, before is the old one.
	changed func(ro *roll, p *pod, before *corev1.Pod)
	// deleting: the first sign of the pod's deletion; before is its state before that.
	deleting func(ro *roll, p *pod, before *corev1.Pod)
	// left: the pod's object is gone, or another controls it now.
	left func(*roll, *pod)
	// daemonSet: a new state of the DaemonSet; before is nil on the first.
	daemonSet func(ro *roll, o, before *appsv1.DaemonSet)
	// revision: an event of a ControllerRevision.
	revision func(e *history.Entry)
	// stranger: a pod event that concerns no DaemonSet of the history; before is nil on the first.
	stranger func(o, before *corev1.Pod)
	// passed: an entry has been dealt with.
	passed func()
	// end: the history is over.
	end func()
}

// strange is a pod that no DaemonSet of the history controls.
type strange struct {
	object *corev1.Pod
	born   bool // its creation was recorded
}

// roll is the state of one DaemonSet in the replay: who answers for which node.
type roll struct {
	*daemonSet
	object *appsv1.DaemonSet
	seats  map[string]*seat
	// down are the seats without a pod that is surely available: the only ones a budget needs to look at.
	down map[*seat]struct{}
	// doubled are the seats with more than one pod that is not terminating.
	doubled map[*seat]struct{}
	// allKnown is the position of the last status that counted every node available: the controller knew of them all then.
	allKnown int
	// acted is the index of the newest version that the controller has proven to know: it made a pod from its template, and has
	// not acted on an older one since. This needs no comparison between streams. actedAt is when that was: a controller may have several
	// workers, whose requests of one moment need not be of one version before the status says which it is.
	acted   int
	actedAt time.Time
	// strange counts pods on nodes that were not recorded.
	strange map[string]int
}

// seat is a node's place in a DaemonSet's roll.
type seat struct {
	node string
	// pods are those under control that still exist, in the order of their coming.
	pods []*pod
	// lost is when an available pod last went without the controller's doing: the controller may not know it yet.
	lost time.Time
	// robbed is when an active pod last ended without the controller's doing: the controller may still count on it.
	robbed time.Time
	// failures counts the failed pods that were deleted from it, failed is when the last one was. That one is Ready for a moment between two
	// of them ends no delay (catalog L-02).
	failures int
	failed   time.Time
	// moved is when a pod last came or went.
	moved time.Time
	// made is when the controller first made a pod for it, refilled when it last did.
	made, refilled time.Time
}

// pod is the life of one pod under a DaemonSet's control.
type pod struct {
	set    *daemonSet
	object *corev1.Pod
	node   string
	hash   string
	// first and last are the positions of its first event and of the latest; listed says that it was there before the recording.
	first, last int
	listed      bool
	// adopted says that it was not controlled from its first event on.
	adopted bool
	// bornBare says that it was first seen being created without a controller.
	bornBare bool
	// ready is the position at which it became Ready, readyAt when that arrived; lostAt when it last ceased to be.
	ready           int
	readyAt, lostAt time.Time
	// bound is when it was seen to be bound, zero if it was bound when it was first seen.
	bound time.Time
	// deleted is the position of the first sign of its deletion, or -1; requested when the API server took the request.
	deleted              int
	deletedAt, requested time.Time
	// excuse says who else may have deleted it; empty blames the controller.
	excuse string
	gone   int
}

func newReplay(h *history.History) *replay {
	r := &replay{h: h, rolls: map[types.UID]*roll{}, pods: map[types.UID]*pod{}, ended: map[types.NamespacedName]time.Time{}}
	r.read()
	for _, ds := range r.sets {
		ro := &roll{
			daemonSet: ds, seats: map[string]*seat{}, down: map[*seat]struct{}{}, doubled: map[*seat]struct{}{},
			allKnown: -1, strange: map[string]int{},
		}
		for _, v := range ds.versions {
			for node := range v.place.nodes {
				if ro.seats[node] == nil && v.place.ever(node) {
					ro.seat(node)
				}
			}
		}
		r.rolls[ds.uid] = ro
	}
	return r
}

// inForce returns the versions that the controller may be acting on now, oldest first.
func (r *replay) inForce(ro *roll) []*version {
	versions := ro.daemonSet.inForce(r.sent, r.seq)
	for len(versions) > 1 && versions[0].index < ro.acted && (r.at.After(ro.actedAt.Add(grain)) || r.confirmed(ro)) {
		versions = versions[1:]
	}
	return versions
}

// confirmed says whether the status covers, too, what the controller has acted on last.
func (r *replay) confirmed(ro *roll) bool {
	observed := ro.versions[ro.acted].observed
	return observed >= 0 && observed < r.seq
}

// late notes when the request behind a pod's event was taken: on a busy machine the pods' stream may be seconds behind the DaemonSets', and
// only that time tells what the controller can have known. Should the recorder's clock be ahead, this is the more permissive reading.
func (r *replay) late(taken time.Time) {
	if !taken.IsZero() && taken.Add(skew).Before(r.at) {
		r.sent = sort.Search(r.seq, func(i int) bool { return !r.entries[i].At.Before(taken) })
	}
}

// learn notes which version the controller knows, from a pod that it just made.
func (r *replay) learn(ro *roll, p *pod) {
	if p.listed || p.adopted || r.suiteMade(p) {
		return
	}
	s := ro.seats[p.node]
	if s.made.IsZero() {
		s.made = r.at
	}
	if r.restarting(r.seq) {
		return
	}
	s.refilled = r.at
	for _, v := range r.inForce(ro) {
		if hit, sure := p.carriesVersion(v); !sure || hit {
			if hit && v.index > ro.acted {
				ro.acted, ro.actedAt = v.index, r.at
			}
			return
		}
	}
}

// ordered returns seats by the name of their node, so that the same history always gives the same words.
func (ro *roll) ordered(seats map[*seat]struct{}) []*seat {
	list := make([]*seat, 0, len(seats))
	for s := range seats {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *seat) int { return strings.Compare(a.node, b.node) })
	return list
}

func (ro *roll) seat(node string) *seat {
	s := ro.seats[node]
	if s == nil {
		s = &seat{node: node}
		ro.seats[node] = s
		ro.down[s] = struct{}{}
	}
	return s
}

func (r *replay) run() {
	strangers := map[types.UID]*strange{}
	for i := range r.entries {
		e := &r.entries[i]
		r.seq, r.sent, r.at = i, i, e.At
		switch {
		case e.Pod != nil:
			r.pod(e, strangers)
		case e.DaemonSet != nil:
			r.daemonSet(e)
		case e.ControllerRevision != nil:
			for _, h := range r.hooks {
				if h.revision != nil {
					h.revision(e)
				}
			}
		}
		r.sent = i
		for _, h := range r.hooks {
			if h.passed != nil {
				h.passed()
			}
		}
	}
	for _, h := range r.hooks {
		if h.end != nil {
			h.end()
		}
	}
}

func (r *replay) daemonSet(e *history.Entry) {
	ro := r.rolls[e.DaemonSet.UID]
	before := ro.object
	ro.object = e.DaemonSet
	st := &e.DaemonSet.Status
	// What somebody else writes repeats an old status: it says nothing of what the controller knows by then.
	written := before == nil || !reflect.DeepEqual(&before.Status, st)
	if written && st.DesiredNumberScheduled > 0 && st.NumberAvailable >= st.DesiredNumberScheduled && e.Type != history.Deleted {
		ro.allKnown = r.seq
	}
	if before != nil && before.Generation != e.DaemonSet.Generation {
		// minReadySeconds may have changed, and with it who is available.
		for _, s := range ro.seats {
			ro.weigh(s)
		}
	}
	for _, h := range r.hooks {
		if h.daemonSet != nil {
			h.daemonSet(ro, e.DaemonSet, before)
		}
	}
}

// pod takes in a pod's event.
func (r *replay) pod(e *history.Entry, strangers map[types.UID]*strange) {
	o := e.Pod
	p := r.pods[o.UID]
	var ro *roll
	if owner := controllerOf(o); owner != nil {
		ro = r.rolls[owner.UID]
	}
	if p != nil && (ro == nil || ro.daemonSet != p.set) {
		r.leave(p, o) // released, or taken over by another
		p = nil
	}
	if ro == nil {
		one := strangers[o.UID]
		if one == nil {
			one = &strange{born: e.Type == history.Added}
			strangers[o.UID] = one
		}
		before := one.object
		one.object = o
		for _, h := range r.hooks {
			if h.stranger != nil {
				h.stranger(o, before)
			}
		}
		if e.Type == history.Deleted {
			delete(strangers, o.UID)
		}
		return
	}
	if p == nil {
		if e.Type == history.Deleted {
			return // the last sight of a pod that was never under control
		}
		known := strangers[o.UID]
		delete(strangers, o.UID)
		r.join(ro, e, known)
		return
	}
	r.change(ro, p, e)
}
