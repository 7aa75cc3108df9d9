package invariant

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"rollcall.dev/framework/history"
)

// statusOnly is M-13: on the DaemonSet the controller writes only the status, and it writes nothing that is not its own. What a
// history cannot show (who wrote to a Node) is not judged.
var statusOnly = Invariant{
	ID:        "M-13",
	Statement: "the controller writes only the status of its DaemonSet, and no pod that is not its own",
	watch: func(r *replay) hooks {
		// A spec that records no act on DaemonSets, but declares that they change, lets something change them that it cannot name.
		unnamed := r.acts.held[history.StrategyChanged] || r.acts.held[history.RapidUpdates] || r.acts.held[history.PlacementChanged]
		for _, one := range r.acts.all {
			unnamed = unnamed && !one.aimedAt(history.DaemonSets, "", "")
		}
		return hooks{
			daemonSet: func(ro *roll, o, before *appsv1.DaemonSet) {
				if before == nil || unnamed {
					return
				}
				what := changedFields(before, o)
				if what == "" || !wroteItself(before, o, what) && r.acts.under(r.seq, r.written(ro, before, o), history.DaemonSets, ro.namespace, ro.name) {
					return
				}
				r.report("M-13", ro.daemonSet, refs(ro.ref()), []int{lastEventBefore(ro.events, r.seq)},
					"%s of DaemonSet %s changed at %s, though the suite did not write it; a controller writes the status only",
					what, ro.name, clock(r.at))
			},
			added: func(ro *roll, p *pod) {
				if !p.adopted || ro.object == nil {
					return
				}
				s, err := metav1.LabelSelectorAsSelector(ro.object.Spec.Selector)
				if err != nil || s.Matches(labels.Set(p.object.Labels)) || r.touched(r.seq, p, history.PodsEdited) || r.suiteMade(p) {
					return
				}
				r.report("M-13", ro.daemonSet, refs(p.ref(), ro.ref()), nil,
					"pod %s was adopted at %s, though DaemonSet %s does not select it", p.name(), clock(r.at), ro.name)
			},
			stranger: func(o, before *corev1.Pod) { r.judgeStranger(o, before) },
		}
	},
}

const finalizer = "a finalizer"

// changedFields names what differs between two states of a DaemonSet besides the status. The API server itself raises the
// generation and sets finalizers when a deletion begins.
func changedFields(a, b *appsv1.DaemonSet) string {
	switch {
	case b.DeletionTimestamp != nil:
		return ""
	case !reflect.DeepEqual(a.Spec, b.Spec):
		return "the spec"
	case a.Generation != b.Generation:
		return "the generation"
	case !maps.Equal(a.Labels, b.Labels):
		return "a label"
	case !maps.Equal(a.Annotations, b.Annotations):
		return "an annotation"
	case !slices.Equal(a.Finalizers, b.Finalizers):
		return finalizer
	default:
		return ""
	}
}

// written is when a DaemonSet was last written to, other than its status, as far as the API server says so, and at the latest when that was seen:
// on a busy machine news comes seconds after the answer to who wrote. Two writes of one second bear the same time; they were made together if
// they arrive together.
func (r *replay) written(ro *roll, before, o *appsv1.DaemonSet) time.Time {
	seen := r.at
	last := func(ds *appsv1.DaemonSet) (at time.Time) {
		for _, entry := range ds.ManagedFields {
			if entry.Subresource == "" && entry.Time != nil && entry.Time.After(at) {
				at = entry.Time.Time
			}
		}
		return at
	}
	at, was := last(o), last(before)
	burst := !at.IsZero() && at.Equal(was) && seen.Sub(r.entries[lastEventBefore(ro.events, r.seq)].At) < grain
	if at.Before(seen) && (at.After(was) || burst) {
		return at
	}
	return seen
}

// wroteItself says whether the API server names the one who writes the status as the one who has just written outside it, which is proof even
// next to a write of the suite's. The suite and kubectl write statuses too, though, and the garbage collector, which may have the controller's
// name, takes finalizers away (catalog M-13).
func wroteItself(before, o *appsv1.DaemonSet, what string) bool {
	if what == finalizer {
		return false
	}
	for i := range o.ManagedFields {
		m := &o.ManagedFields[i]
		if m.Subresource != "" || m.Time == nil || m.Manager == suiteManager || strings.HasPrefix(m.Manager, "kubectl") || !reports(before, m.Manager) {
			continue
		}
		since := slices.ContainsFunc(before.ManagedFields, func(e metav1.ManagedFieldsEntry) bool {
			return e.Manager == m.Manager && e.Subresource == "" && (e.Time == nil || !e.Time.Before(m.Time))
		})
		if !since {
			return true
		}
	}
	return false
}

// suiteManager is the field manager of what the suite writes.
const suiteManager = "rollcall"

// reports says whether a manager is the one that says which generation is observed: that is the controller.
func reports(ds *appsv1.DaemonSet, manager string) bool {
	return slices.ContainsFunc(ds.ManagedFields, func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == manager && e.Subresource == "status" && e.FieldsV1 != nil && strings.Contains(e.FieldsV1.GetRawString(), `"f:observedGeneration"`)
	})
}

func lastEventBefore(events []int, seq int) int {
	last := -1
	for _, i := range events {
		if i >= seq {
			break
		}
		last = i
	}
	return last
}

// judgeStranger looks at pods without an owner that a DaemonSet selects: it may adopt them, but not delete them.
func (r *replay) judgeStranger(o, before *corev1.Pod) {
	if before == nil || len(o.OwnerReferences) > 0 || len(before.OwnerReferences) > 0 || !terminating(o) && !r.isDeletion() ||
		terminating(before) || terminal(before) || r.nodeMissing(targetNode(o)) {
		return
	}
	p := &pod{set: &daemonSet{ending: len(r.entries)}, object: o, node: targetNode(o)}
	if r.outsider(r.seq, p) != "" {
		return
	}
	for _, ds := range r.sets {
		object := r.rolls[ds.uid].object
		if object == nil || ds.namespace != o.Namespace {
			continue
		}
		if s, err := metav1.LabelSelectorAsSelector(object.Spec.Selector); err == nil && s.Matches(labels.Set(o.Labels)) {
			r.report("M-13", ds, refs(p.ref(), ds.ref()), nil,
				"pod %s, which has no owner, was deleted at %s, though the suite did not do it; DaemonSet %s only selects it",
				p.name(), clock(r.at), ds.name)
			return
		}
	}
}

func (r *replay) isDeletion() bool { return r.entries[r.seq].Type == history.Deleted }

// isolation is M-23: pods change hands only by being released first, and what one DaemonSet does leaves the pods of another
// alone. Budgets are judged per DaemonSet everywhere.
var isolation = Invariant{
	ID:        "M-23",
	Statement: "a DaemonSet never touches the pods of another, even one with the same selector",
	needs:     needsTwo,
	watch: func(r *replay) hooks {
		return hooks{
			deleting: func(ro *roll, p *pod, before *corev1.Pod) { r.judgeCurrent("M-23", ro, p, before) },
			left: func(ro *roll, p *pod) {
				owner := controllerOf(p.object)
				if owner == nil || owner.UID == ro.uid || r.isDeletion() {
					return
				}
				r.report("M-23", ro.daemonSet, refs(p.ref(), ro.ref()), []int{p.first},
					"pod %s of DaemonSet %s was taken over at %s by DaemonSet %s", p.name(), ro.name, clock(r.at), owner.Name)
			},
		}
	},
}
