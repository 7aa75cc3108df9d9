package invariant

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/framework/history"
)

// targetNode returns the node that a pod is bound to or, before that, pinned to by its affinity; empty if neither is there.
func targetNode(o *corev1.Pod) string {
	if o.Spec.NodeName != "" {
		return o.Spec.NodeName
	}
	return pinnedNode(o)
}

// pinnedNode returns the node of the metadata.name matchField, which is how a DaemonSet's pod is tied to one (catalog B-02).
func pinnedNode(o *corev1.Pod) string {
	if o.Spec.Affinity == nil || o.Spec.Affinity.NodeAffinity == nil {
		return ""
	}
	required := o.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		return ""
	}
	for _, term := range required.NodeSelectorTerms {
		for _, f := range term.MatchFields {
			if f.Key == metav1.ObjectNameField && f.Operator == corev1.NodeSelectorOpIn && len(f.Values) == 1 {
				return f.Values[0]
			}
		}
	}
	return ""
}

func terminal(o *corev1.Pod) bool {
	return o.Status.Phase == corev1.PodFailed || o.Status.Phase == corev1.PodSucceeded
}

func terminating(o *corev1.Pod) bool { return o.DeletionTimestamp != nil }

// dead pods are terminal and terminating: their containers are stopped for good, only the object is still there.
func dead(o *corev1.Pod) bool { return terminal(o) && terminating(o) }

func active(o *corev1.Pod) bool { return !terminal(o) && !terminating(o) }

// readySince returns the transition time of a Ready pod.
func readySince(o *corev1.Pod) (time.Time, bool) {
	for i := range o.Status.Conditions {
		if c := &o.Status.Conditions[i]; c.Type == corev1.PodReady {
			return c.LastTransitionTime.Time, c.Status == corev1.ConditionTrue && !terminal(o)
		}
	}
	return time.Time{}, false
}

// join brings a pod under its DaemonSet's control.
func (r *replay) join(ro *roll, e *history.Entry, known *strange) {
	o := e.Pod
	p := &pod{
		set: ro.daemonSet, object: o, node: targetNode(o), hash: o.Labels[appsv1.DefaultDaemonSetUniqueLabelKey],
		first: r.seq, last: r.seq, ready: -1, deleted: -1, gone: -1,
		listed: e.Type == history.Listed, adopted: known != nil || e.Type == history.Modified, bornBare: known != nil && known.born,
	}
	if _, ready := readySince(o); ready {
		p.ready, p.readyAt = r.seq, r.at
		if p.listed {
			p.readyAt = time.Time{}
		}
	}
	if terminating(o) {
		p.deleted, p.deletedAt, p.excuse = r.seq, r.at, "it was terminating when it was first seen"
	}
	r.pods[o.UID] = p
	if e.Type == history.Added {
		r.late(o.CreationTimestamp.Time)
	}
	s := ro.seat(p.node)
	s.pods, s.moved = append(s.pods, p), r.at
	if !r.recorded(p.node) {
		ro.strange[p.node]++
	}
	ro.weigh(s)
	r.learn(ro, p)
	for _, h := range r.hooks {
		if h.added != nil {
			h.added(ro, p)
		}
	}
}

// change takes in a later event of a pod under control.
func (r *replay) change(ro *roll, p *pod, e *history.Entry) {
	before, o := p.object, e.Pod
	_, wasReady := readySince(before)
	_, isReady := readySince(o)
	p.object, p.last = o, r.seq
	if before.Spec.NodeName == "" && o.Spec.NodeName != "" {
		p.bound = r.at
	}
	p.hash = o.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]
	s := ro.seat(p.node)
	if node := targetNode(o); node != p.node {
		s.drop(p)
		ro.weigh(s)
		p.node = node
		s = ro.seat(node)
		s.pods = append(s.pods, p)
	}
	switch {
	case isReady && !wasReady:
		p.ready, p.readyAt = r.seq, r.at
	case wasReady && !isReady:
		p.lostAt = r.at
		if p.deleted < 0 && !terminating(o) {
			s.lost = r.at
		}
	}
	first := p.deleted < 0 && (terminating(o) || e.Type == history.Deleted)
	if first {
		p.deleted, p.deletedAt, p.requested = r.seq, r.at, requestTime(o, r.at)
		p.excuse = r.outsider(r.seq, p)
		r.late(p.requested)
		if before.Status.Phase == corev1.PodFailed {
			s.failures, s.failed = s.failures+1, r.at
		}
		if p.excuse != "" && wasReady {
			s.lost = r.at
		}
	}
	if active(before) && (first && p.excuse != "" || !first && terminal(o)) {
		s.robbed = r.at
	}
	if e.Type == history.Deleted {
		p.gone, s.moved = r.seq, r.at
		s.drop(p)
		delete(r.pods, o.UID)
		r.ended[types.NamespacedName{Namespace: o.Namespace, Name: o.Name}] = r.at
	}
	ro.weigh(s)
	for _, h := range r.hooks {
		if h.changed != nil {
			h.changed(ro, p, before)
		}
		if first && h.deleting != nil {
			h.deleting(ro, p, before)
		}
		if e.Type == history.Deleted && h.left != nil {
			h.left(ro, p)
		}
	}
}

// leave ends the control over a pod that still exists; o is its state from then on.
func (r *replay) leave(p *pod, o *corev1.Pod) {
	ro := r.rolls[p.set.uid]
	s := ro.seat(p.node)
	s.drop(p)
	s.lost, s.robbed, s.moved = r.at, r.at, r.at
	p.object, p.gone = o, r.seq
	delete(r.pods, o.UID)
	ro.weigh(s)
	for _, h := range r.hooks {
		if h.left != nil {
			h.left(ro, p)
		}
	}
}

func (s *seat) drop(p *pod) {
	s.pods = slices.DeleteFunc(s.pods, func(o *pod) bool { return o == p })
}

// weigh files a seat under down and doubled.
func (ro *roll) weigh(s *seat) {
	served, alive := false, 0
	for _, p := range s.pods {
		if terminating(p.object) {
			continue
		}
		alive++
		// A pod that has to be Ready for a time is filed as down until a budget looks at it (see lacking).
		if _, ready := readySince(p.object); ready && (ro.object == nil || ro.object.Spec.MinReadySeconds == 0) {
			served = true
		}
	}
	file(ro.down, s, !served)
	file(ro.doubled, s, alive > 1)
}

func file(set map[*seat]struct{}, s *seat, in bool) {
	if in {
		set[s] = struct{}{}
	} else {
		delete(set, s)
	}
}

// requestTime returns when the API server took a deletion: deletionTimestamp less the grace period, to the second. A pod
// that was removed at once may bear no such time; the arrival stands in for it.
func requestTime(o *corev1.Pod, arrived time.Time) time.Time {
	if o.DeletionTimestamp == nil {
		return arrived.Truncate(grain)
	}
	t := o.DeletionTimestamp.Time
	if o.DeletionGracePeriodSeconds != nil {
		t = t.Add(-time.Duration(*o.DeletionGracePeriodSeconds) * time.Second)
	}
	return t
}
