package invariant

import (
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// gracefulDeletion is M-12. Pods that are not bound, or terminal, are removed at once by the API server, whoever asks; PodGC's
// force deletions on nodes that are gone are not the controller's. Nor may a pod be hastened that is ending: its kubelet asks for the object
// to go once the pod has ended, and not before.
var gracefulDeletion = Invariant{
	ID:        "M-12",
	Statement: "the controller deletes a running pod with the pod's own grace period, which it does not cut short, and not through the eviction API",
	Lifted:    []history.Disturbance{history.PodsDeleted},
	watch: func(r *replay) hooks {
		told := map[*pod]bool{}
		return hooks{changed: func(ro *roll, p *pod, before *corev1.Pod) {
			o := p.object
			if !terminating(before) || before.Spec.NodeName == "" || terminal(before) || terminal(o) || told[p] || r.seq >= ro.ending ||
				graceLeft(o) >= graceLeft(before) || r.nodeMissing(p.node) || r.hastened(p) {
				return
			}
			told[p] = true
			r.report("M-12", ro.daemonSet, refs(p.ref(), nodeRef(p.node), ro.ref()), []int{p.first, p.deleted},
				"pod %s on %s was ending since %s with a grace period of %ds, which was cut short to %ds at %s, before it had ended",
				p.name(), p.node, clock(p.deletedAt), graceLeft(before), graceLeft(o), clock(r.at))
		}, deleting: func(ro *roll, p *pod, before *corev1.Pod) {
			o := p.object
			if p.excuse != "" || before.Spec.NodeName == "" || terminal(before) || terminal(o) || r.nodeMissing(p.node) {
				return
			}
			for _, c := range o.Status.Conditions {
				if c.Type == corev1.DisruptionTarget && c.Reason == "EvictionByEvictionAPI" {
					r.report("M-12", ro.daemonSet, refs(p.ref(), ro.ref()), []int{p.first},
						"pod %s on %s was evicted at %s; a DaemonSet's pods are deleted, not evicted", p.name(), p.node, clock(r.at))
					return
				}
			}
			want := int64(30) // the API server's default
			if o.Spec.TerminationGracePeriodSeconds != nil {
				want = *o.Spec.TerminationGracePeriodSeconds
			}
			got := graceLeft(o)
			// A pod that is bound while its deletion is on its way: the API server looked at it before and found it on no node, so it
			// chose a period of 0, whoever asked.
			if got == 0 && before.Status.Phase == corev1.PodPending && !p.bound.IsZero() && !r.at.After(p.bound.Add(skew)) {
				return
			}
			// The API server turns a period of 0 into 1 where a kubelet could otherwise not tell.
			if got == want || want == 0 && got <= 1 {
				return
			}
			r.report("M-12", ro.daemonSet, refs(p.ref(), ro.ref()), []int{p.first},
				"pod %s on %s was deleted at %s with a grace period of %ds instead of its own %ds", p.name(), p.node, clock(r.at), got, want)
		}}
	},
}

// graceLeft is the grace period of a deletion as the object says it.
func graceLeft(o *corev1.Pod) int64 {
	if o.DeletionGracePeriodSeconds == nil {
		return 0
	}
	return *o.DeletionGracePeriodSeconds
}

// hastened says whether somebody else may have asked for the end of a pod that is ending already: the suite just now, or who says so
// in a condition of the pod, such as the pod garbage collector.
func (r *replay) hastened(p *pod) bool {
	if r.acts.held[history.PodsDeleted] || r.takenForAnother(p) {
		return true
	}
	for _, one := range r.acts.all {
		if one.start <= r.seq && one.disturbs(history.PodsDeleted) && one.reaches(p) && (one.end < 0 || !r.at.After(one.endAt.Add(skew))) {
			return true
		}
	}
	for _, c := range p.object.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue && c.Reason != "EvictionByEvictionAPI" {
			return true
		}
	}
	return false
}

// nodeMissing says whether a recorded node does not exist now, or only just does not any more or does again.
func (r *replay) nodeMissing(name string) bool {
	past := r.nodes[name]
	for i := len(past) - 1; i >= 0; i-- {
		if past[i].at.After(r.at.Add(skew)) {
			continue
		}
		if past[i].node == nil {
			return true
		}
		if !past[i].at.After(r.at.Add(-skew)) {
			return false
		}
	}
	return len(past) > 0
}
