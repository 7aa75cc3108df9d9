package invariant

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/framework/history"
)

// deletionFence is M-24. A creation that was under way when the controller saw the deletion is lawful: one a node, and within
// moments of it by the API server's own clock. A batch of pods for many empty nodes that waits behind a client's rate limit goes on for
// longer, in an unbroken series.
var deletionFence = Invariant{
	ID:        "M-24",
	Statement: "a DaemonSet that is being deleted, or is gone, makes no more pods",
	needs:     needsEnd,
	watch: func(r *replay) hooks {
		type fence struct {
			seq     int
			at      time.Time
			request time.Time // on the API server's clock, zero if the object does not say
			made    map[string]*pod
			series  time.Time       // when the last of a batch arrived
			taken   map[string]bool // the nodes that had a pod then
		}
		fences := map[*roll]*fence{}
		return hooks{
			daemonSet: func(ro *roll, o, _ *appsv1.DaemonSet) {
				if fences[ro] != nil || o.DeletionTimestamp == nil && r.entries[r.seq].Type != history.Deleted {
					return
				}
				f := &fence{seq: r.seq, at: r.at, made: map[string]*pod{}, series: r.at, taken: map[string]bool{}}
				for _, s := range ro.seats {
					f.taken[s.node] = len(s.pods) > 0
				}
				if o.DeletionTimestamp != nil {
					f.request = o.DeletionTimestamp.Time
				}
				fences[ro] = f
			},
			added: func(ro *roll, p *pod) {
				f := fences[ro]
				if f == nil || p.adopted || r.suiteMade(p) || r.restarting(r.seq) {
					return
				}
				after := r.at.Sub(f.at)
				created := p.object.CreationTimestamp.Time
				if !f.request.IsZero() {
					after = created.Sub(f.request)
				}
				was := f.made[p.node]
				f.made[p.node] = p
				batch := was == nil && !f.taken[p.node] && r.at.Sub(f.series) < grain
				if batch {
					f.series = r.at
				}
				switch {
				case batch:
				case after >= cacheAge+grain:
					r.report("M-24", ro.daemonSet, refs(p.ref(), nodeRef(p.node), ro.ref()), []int{f.seq},
						"pod %s was created on %s at %s, %s after the deletion of DaemonSet %s",
						p.name(), p.node, clock(r.at), after.Truncate(100*time.Millisecond), ro.name)
				case was != nil && was.object.CreationTimestamp.After(f.request) && !f.request.IsZero():
					r.report("M-24", ro.daemonSet, refs(p.ref(), was.ref(), nodeRef(p.node), ro.ref()), []int{f.seq, was.first},
						"pod %s was created on %s at %s, the second one there after the deletion of DaemonSet %s",
						p.name(), p.node, clock(r.at), ro.name)
				}
			},
		}
	},
}
