package invariant

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/framework/history"
)

// acts are the suite's own doings, indexed by what they were aimed at.
type acts struct {
	all []*act
	// held are the disturbances that the spec declared for its whole history.
	held map[history.Disturbance]bool
	// restarts are those that stop or restart a controller.
	restarts []*act
}

// act is one doing of the suite: its two records joined.
type act struct {
	history.Act
	// start is the position of its first record, end that of its second, or -1 while it has none.
	start, end     int
	startAt, endAt time.Time
}

func readActs(h *history.History, entries []history.Entry) acts {
	a := acts{held: map[history.Disturbance]bool{}}
	for _, d := range h.Header.Disturbances {
		a.held[d] = true
	}
	open := map[int]*act{}
	for i := range entries {
		e := &entries[i]
		if e.Act == nil {
			continue
		}
		one := open[e.Act.ID]
		switch {
		case one == nil:
			one = &act{Act: *e.Act, start: i, end: -1, startAt: e.At}
			a.all = append(a.all, one)
			if one.disturbs(history.ControllerRestarted) {
				a.restarts = append(a.restarts, one)
			}
			open[e.Act.ID] = one
			if e.Act.Done {
				one.end, one.endAt = i, e.At
			}
		case e.Act.Done:
			one.end, one.endAt, one.Error = i, e.At, e.Act.Error
		}
	}
	return a
}

// aimedAt says whether the act was aimed at the object. An act that names no object of that resource is aimed at all of them.
func (a *act) aimedAt(resource history.Resource, namespace, name string) bool {
	o := a.Object
	return (o.Resource == "" || o.Resource == resource) &&
		(o.Namespace == "" || namespace == "" || o.Namespace == namespace) &&
		(o.Name == "" || o.Resource == resource && o.Name == name)
}

// start returns the position from which on what is seen at position i may have been under way: where the earliest act on the
// object began that was not yet answered, or only just, when it was seen; i itself if there is none.
func (a *acts) start(entries []history.Entry, i int, resource history.Resource, namespace, name string) int {
	first := i
	for k := len(a.all) - 1; k >= 0; k-- {
		one := a.all[k]
		if one.start >= i || !one.aimedAt(resource, namespace, name) {
			continue
		}
		if one.end >= 0 && one.end < i && one.endAt.Add(skew).Before(entries[i].At) {
			break // acts are in the order of their beginning: those before were answered earlier still, or are long ones
		}
		first = one.start
	}
	return first
}

// under says whether position i, reached at a time, lies within an act that can have changed the object, which was there before, or
// shortly after its answer.
func (a *acts) under(i int, at time.Time, resource history.Resource, namespace, name string) bool {
	for _, one := range a.all {
		if one.Verb == "create" || one.Verb == Completed {
			continue
		}
		if one.start < i && one.aimedAt(resource, namespace, name) && (one.end < 0 || one.end > i || !at.After(one.endAt.Add(skew))) {
			return true
		}
	}
	return false
}

// stopped says whether something that happened while a controller was stopped, or just before, may be news to it at a later time.
func (a *acts) stopped(at, of time.Time) bool {
	if a.held[history.ControllerRestarted] {
		return true
	}
	for _, one := range a.restarts {
		if !at.Before(one.startAt) && !of.Before(one.startAt.Add(-cacheAge)) && (one.end < 0 || !of.After(one.endAt) && !at.After(one.endAt.Add(failover))) {
			return true
		}
	}
	return false
}

// first returns the position from which on a disturbance may show on a DaemonSet that is seen from a time on. What was answered before was
// aimed at another one of its name.
func (a *acts) first(d history.Disturbance, ds *daemonSet, seen time.Time) int {
	first := ds.ending
	for _, one := range a.all {
		whole := one.Object.Resource == "" && one.Object.Name == ds.namespace // the namespace itself
		another := one.Object.UID != "" && one.Object.UID != ds.uid || one.end >= 0 && one.endAt.Add(skew).Before(seen)
		if one.disturbs(d) && (whole || !another && one.aimedAt(history.DaemonSets, ds.namespace, ds.name)) {
			first = min(first, one.start)
		}
	}
	return first
}

func (a *act) disturbs(d history.Disturbance) bool {
	for _, one := range a.Disturbs {
		if one == d {
			return true
		}
	}
	return false
}

// reaches says whether an act's influence extends to a pod: it was aimed at the pod, at its node, or at nothing in particular.
func (a *act) reaches(p *pod) bool {
	switch a.Object.Resource {
	case history.Pods:
		return a.aimedAt(history.Pods, p.object.Namespace, p.object.Name) && (a.Object.UID == "" || a.Object.UID == p.object.UID)
	case history.Nodes:
		return a.Object.Name == "" || a.Object.Name == p.node
	case history.DaemonSets:
		return a.aimedAt(history.DaemonSets, p.set.namespace, p.set.name)
	default:
		return true
	}
}

// touched says whether a disturbance may have reached a pod (or, for one with only a node, that node) by position i.
func (r *replay) touched(i int, p *pod, kinds ...history.Disturbance) bool {
	for _, d := range kinds {
		if r.acts.held[d] {
			return true
		}
		for _, one := range r.acts.all {
			if one.start <= i && one.disturbs(d) && one.reaches(p) {
				return true
			}
		}
	}
	return false
}

// restarting says whether position i lies in a time in which a controller may act on what it knew before a restart.
func (r *replay) restarting(i int) bool {
	if r.acts.held[history.ControllerRestarted] {
		return true
	}
	at := r.entries[min(i, len(r.entries)-1)].At
	for _, one := range r.acts.all {
		if one.disturbs(history.ControllerRestarted) && one.start <= i && (one.end < 0 || !at.After(one.endAt.Add(failover))) {
			return true
		}
	}
	return false
}

// outsider says who other than the controller may have deleted a pod, or nothing. It is asked once, at the first sign of the
// deletion: an act on another pod excuses nothing here.
func (r *replay) outsider(i int, p *pod) string {
	if i >= p.set.ending {
		return "the DaemonSet was being deleted"
	}
	if r.touched(i, p, history.PodsDeleted) {
		return "the suite deleted pods"
	}
	for _, one := range r.acts.all {
		deletes := strings.Contains(one.Verb, "delete") || strings.Contains(one.Verb, "evict") || strings.Contains(one.Verb, "drain")
		if one.start <= i && deletes && (one.Object.Resource == history.Pods || one.Object.Resource == history.Nodes) && one.reaches(p) {
			return "the suite deleted it"
		}
	}
	for _, c := range p.object.Status.Conditions {
		// The eviction API is not here: a controller has no business to use it (catalog C-16), and the suite's use is an act.
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue && c.Reason != "EvictionByEvictionAPI" {
			return "it was a target of " + c.Reason
		}
	}
	if r.takenForAnother(p) {
		return "another pod of its name had just gone"
	}
	for _, owner := range p.object.OwnerReferences {
		if (owner.Controller == nil || !*owner.Controller) && !r.exists(owner, p.object.Namespace) {
			return "another owner may have gone"
		}
	}
	return ""
}

// exists says whether the owner of an object in the namespace is recorded and still there, so that the garbage collector, which goes by
// name and UID alike, has no reason to take the object away.
func (r *replay) exists(owner metav1.OwnerReference, namespace string) bool {
	switch owner.Kind {
	case "Node":
		past := r.nodes[owner.Name]
		return len(past) > 0 && past[len(past)-1].node != nil && past[len(past)-1].node.UID == owner.UID && !r.nodeMissing(owner.Name)
	case "DaemonSet":
		ds := r.byUID[owner.UID]
		return ds != nil && len(ds.events) > 0 && ds.namespace == namespace && ds.name == owner.Name && r.seq < ds.ending
	case "ControllerRevision":
		for _, ds := range r.sets {
			if ds.namespace == namespace && ds.holds(owner, r.after(min(r.seq, len(r.entries)-1))) {
				return true
			}
		}
	}
	return false
}

// holds says whether the owner is a ControllerRevision of the DaemonSet that is there at a position.
func (ds *daemonSet) holds(owner metav1.OwnerReference, seq int) bool {
	for _, revisions := range ds.revisions {
		for _, rev := range revisions {
			if rev.uid == owner.UID && rev.name == owner.Name {
				return rev.gone < 0 || rev.gone > seq
			}
		}
	}
	return false
}

// takenForAnother says whether a pod's end at once was asked for another one of its name: who asks by name alone for the end of a pod that is
// going, as kwok's kubelets do, and asks again, hits the next one.
func (r *replay) takenForAnother(p *pod) bool {
	at, ok := r.ended[types.NamespacedName{Namespace: p.object.Namespace, Name: p.object.Name}]
	return ok && graceLeft(p.object) == 0 && r.at.Before(at.Add(cacheAge))
}

// controllerOf returns the UID of the DaemonSet that controls an object.
func controllerOf(o metav1.Object) *metav1.OwnerReference {
	owner := metav1.GetControllerOfNoCopy(o)
	if owner == nil || owner.Kind != "DaemonSet" {
		return nil
	}
	return owner
}
