package invariant

import (
	"sort"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/framework/history"
)

// daemonSet is all that a history says about one DaemonSet UID. A DaemonSet that is deleted and created again is two of them.
type daemonSet struct {
	uid             types.UID
	namespace, name string
	// events are the positions of its watch events.
	events []int
	// versions are its specs, one a generation, in order.
	versions []*version
	// ending is the position from which on its deletion may have been under way, or the length of the history.
	ending int
	// revisions are its ControllerRevisions by the hash label.
	revisions map[string][]*revision
}

// version is the spec of one generation and the stretch of the history in which a controller may lawfully have acted on it.
type version struct {
	index      int
	generation int64
	object     *appsv1.DaemonSet
	key        string // of the template
	place      *placement
	// seq is the position of the event that shows it first, observed that of the first status that covers it (or -1).
	seq, observed int
	// from and until bound the stretch: from the suite's request (its answer and the watch event come later) to a moment after
	// the status says that the next generation is observed.
	from, until int
}

func (v *version) minReady() time.Duration {
	return time.Duration(v.object.Spec.MinReadySeconds) * time.Second
}

func (v *version) rolling() bool {
	return v.object.Spec.UpdateStrategy.Type != appsv1.OnDeleteDaemonSetStrategyType
}

func (v *version) surges() bool {
	r := v.object.Spec.UpdateStrategy.RollingUpdate
	return v.rolling() && r != nil && r.MaxSurge != nil && *r.MaxSurge != intstr.FromInt32(0) && *r.MaxSurge != intstr.FromString("0%")
}

// budget returns how many of so many nodes may be unavailable (or, with surge, may hold a pod more): percentages round up, and
// it is never nothing (catalog C-08, C-10, D-03). The text is the field as a person wrote it.
func (v *version) budget(desired int) (allowed int, text string) {
	value := intstr.FromInt32(1)
	if r := v.object.Spec.UpdateStrategy.RollingUpdate; r != nil {
		switch {
		case v.surges():
			value = *r.MaxSurge
		case r.MaxUnavailable != nil:
			value = *r.MaxUnavailable
		}
	}
	allowed, err := intstr.GetScaledValueFromIntOrPercent(&value, desired, true)
	if err != nil {
		return desired, value.String() // The API server refuses such a value; if one is here, nothing can be proven with it.
	}
	return max(allowed, 1), value.String()
}

// revision is one ControllerRevision of a DaemonSet.
type revision struct {
	uid  types.UID
	name string
	hash string
	// key is that of the template that its data holds, or empty if the data are not of the form that kubectl relies on.
	key      string
	template *corev1.PodTemplateSpec
	created  time.Time
	listed   bool
	// seq is the position of its first event, before it was adopted if it was, gone that of its end (or -1).
	seq, gone int
}

// read turns a history into what is known of each DaemonSet. Entries after the last barrier are left out: what happened there
// may be only half recorded.
func (r *replay) read() {
	entries := r.h.Entries
	for len(entries) > 0 && entries[len(entries)-1].Type != history.Barred {
		entries = entries[:len(entries)-1]
	}
	r.entries = entries
	r.byUID, r.sighted = map[types.UID]*daemonSet{}, map[types.UID]int{}
	for i := range entries {
		switch e := &entries[i]; {
		case e.DaemonSet != nil:
			ds := r.set(e.DaemonSet.UID)
			ds.namespace, ds.name = e.DaemonSet.Namespace, e.DaemonSet.Name
			ds.events = append(ds.events, i)
		case e.ControllerRevision != nil:
			r.readRevision(i, e)
		}
	}
	known := r.sets[:0]
	for _, ds := range r.sets {
		// A revision can outlive its DaemonSet, whose events may lie before the recording.
		if len(ds.events) > 0 {
			known = append(known, ds)
		}
	}
	r.sets = known
	states := nodeStates(entries)
	r.nodes = states
	places := map[string]*placement{}
	r.acts = readActs(r.h, entries)
	for _, ds := range r.sets {
		r.readVersions(ds, places, states)
	}
}

func (r *replay) set(uid types.UID) *daemonSet {
	ds := r.byUID[uid]
	if ds == nil {
		ds = &daemonSet{uid: uid, ending: len(r.entries), revisions: map[string][]*revision{}}
		r.byUID[uid] = ds
		r.sets = append(r.sets, ds)
	}
	return ds
}

func (r *replay) readVersions(ds *daemonSet, places map[string]*placement, states map[string][]nodeState) {
	var last *version
	templates := map[string]string{}
	for _, i := range ds.events {
		e := &r.entries[i]
		o := e.DaemonSet
		if o.DeletionTimestamp != nil || e.Type == history.Deleted {
			ds.ending = min(ds.ending, r.before(i), r.acts.start(r.entries, i, history.DaemonSets, ds.namespace, ds.name))
		}
		if last == nil || o.Generation != last.generation {
			v := &version{index: len(ds.versions), generation: o.Generation, object: o, seq: i, observed: -1, until: len(r.entries)}
			if last != nil {
				v.from = max(min(r.before(i), r.acts.start(r.entries, i, history.DaemonSets, ds.namespace, ds.name)), last.from)
			}
			place := placementKey(&o.Spec.Template)
			if places[place] == nil {
				places[place] = newPlacement(&o.Spec.Template).over(states)
			}
			v.place = places[place]
			v.key = templateKey(&o.Spec.Template, templates)
			ds.versions = append(ds.versions, v)
			last = v
		}
		for k := len(ds.versions) - 1; k >= 0 && ds.versions[k].observed < 0; k-- {
			if v := ds.versions[k]; o.Status.ObservedGeneration >= v.generation {
				v.observed = i
				if k > 0 {
					ds.versions[k-1].until = r.after(i)
				}
			}
		}
	}
	// A generation that was never observed on its own ends with the next one that was.
	for k := len(ds.versions) - 2; k >= 0; k-- {
		ds.versions[k].until = min(ds.versions[k].until, ds.versions[k+1].until)
	}
	ds.ending = min(ds.ending, r.acts.first(history.DaemonSetDeleted, ds, r.entries[ds.events[0]].At))
}

// inForce returns the versions that a controller may have acted on between two positions, oldest first.
func (ds *daemonSet) inForce(sent, seq int) []*version {
	first := sort.Search(len(ds.versions), func(i int) bool { return ds.versions[i].until >= sent })
	last := first
	for last < len(ds.versions) && ds.versions[last].from <= seq {
		last++
	}
	if first == last && first > 0 {
		return ds.versions[first-1 : first]
	}
	return ds.versions[first:last]
}

// before returns the earliest position at which what position i shows may have happened, if all that is known is arrival.
func (r *replay) before(i int) int {
	t := r.entries[i].At.Add(-skew)
	return sort.Search(i, func(k int) bool { return !r.entries[k].At.Before(t) })
}

// after returns the last position that may show something older than what position i shows.
func (r *replay) after(i int) int {
	t := r.entries[i].At.Add(skew)
	return i + sort.Search(len(r.entries)-i, func(k int) bool { return r.entries[i+k].At.After(t) }) - 1
}
