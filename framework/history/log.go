package history

import (
	"cmp"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// log is the history as it grows: the one place where an entry gets its number and its time. Entries are never changed
// once they are in, so whoever holds a prefix may read it without the lock.
type log struct {
	mu      sync.Mutex
	entries []Entry
	// current holds the last state of each object that exists, by resource and name; of nodes also those not leased.
	current map[Resource]map[string]metav1.Object
	// leased are the names of the nodes that are recorded, nil for all.
	leased map[string]bool
	acts   int
	// changed is closed with the next entry. It is nil while nobody waits.
	changed chan struct{}
}

func newLog(leased map[string]bool) *log {
	return &log{leased: leased, current: map[Resource]map[string]metav1.Object{
		Pods: {}, DaemonSets: {}, ControllerRevisions: {}, Nodes: {},
	}}
}

func (l *log) append(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(e)
}

// add numbers and keeps an entry. The caller holds the lock.
func (l *log) add(e Entry) {
	e.Seq = len(l.entries)
	// UTC without the monotonic reading: what is written and read back is equal.
	e.At = time.Now().UTC().Round(0)
	l.entries = append(l.entries, e)
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// list makes objects the current state of a resource and records each.
func (l *log) list(resource Resource, objects []metav1.Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.current[resource]
	l.current[resource] = make(map[string]metav1.Object, len(objects))
	for _, object := range objects {
		if isMarker(resource, object) {
			continue
		}
		trim(object, alike(object.GetName(), before))
		l.current[resource][object.GetName()] = object
		l.addObject(Listed, resource, object)
	}
}

// event records a watch event and keeps the current state.
func (l *log) event(t Type, resource Resource, object metav1.Object) {
	if isMarker(resource, object) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	current := l.current[resource]
	trim(object, alike(object.GetName(), current))
	if t == Deleted {
		delete(current, object.GetName())
	} else {
		current[object.GetName()] = object
	}
	l.addObject(t, resource, object)
}

// addObject records an object unless it is a node that is not leased. The caller holds the lock.
func (l *log) addObject(t Type, resource Resource, object metav1.Object) {
	if resource == Nodes && l.leased != nil && !l.leased[object.GetName()] {
		return
	}
	e := Entry{Type: t, Resource: resource}
	switch object := object.(type) {
	case *corev1.Pod:
		e.Pod = object
	case *appsv1.DaemonSet:
		e.DaemonSet = object
	case *appsv1.ControllerRevision:
		e.ControllerRevision = object
	case *corev1.Node:
		e.Node = object
	}
	l.add(e)
}

// count returns how many objects of a resource exist.
func (l *log) count(resource Resource) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.current[resource])
}

// holds says whether objects are all that exist of a resource, each in the version that was delivered last.
func (l *log) holds(resource Resource, objects []metav1.Object) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	current := l.current[resource]
	for _, object := range objects {
		known, ok := current[object.GetName()]
		if !ok || known.GetUID() != object.GetUID() || known.GetResourceVersion() != object.GetResourceVersion() {
			return false
		}
	}
	return len(objects) == len(current)
}

func (l *log) gap(resource Resource, gap Gap) {
	l.append(Entry{Type: Gapped, Resource: resource, Gap: &gap})
}

// lease adds nodes to the recorded ones.
func (l *log) lease(names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leased == nil {
		return // all are recorded
	}
	for _, name := range names {
		if l.leased[name] {
			continue
		}
		l.leased[name] = true
		if node, ok := l.current[Nodes][name]; ok {
			l.addObject(Listed, Nodes, node)
		}
	}
}

// changes returns a channel that is closed with the next entry.
func (l *log) changes() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// since returns the entries from seq on.
func (l *log) since(seq int) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clip(l.entries)[seq:]
}

// view returns what exists now and all entries so far.
func (l *log) view() View {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := View{
		Entries:             slices.Clip(l.entries),
		Pods:                objectsOf[*corev1.Pod](l.current[Pods]),
		DaemonSets:          objectsOf[*appsv1.DaemonSet](l.current[DaemonSets]),
		ControllerRevisions: objectsOf[*appsv1.ControllerRevision](l.current[ControllerRevisions]),
		Nodes:               objectsOf[*corev1.Node](l.current[Nodes]),
	}
	if l.leased != nil {
		v.Nodes = slices.DeleteFunc(v.Nodes, func(n *corev1.Node) bool { return !l.leased[n.Name] })
	}
	return v
}

func objectsOf[T metav1.Object](objects map[string]metav1.Object) []T {
	result := make([]T, 0, len(objects))
	for _, object := range objects {
		result = append(result, object.(T))
	}
	slices.SortFunc(result, func(a, b T) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return result
}
