package invariant

import (
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// honestStatus is M-15. A status that calls a rollout complete is checked against pods that were on their node before it by more
// than the two streams can be apart, and are still there after it by as much (or when the history ends, which is after it for
// certain).
var honestStatus = Invariant{
	ID: "M-15",
	Statement: "observedGeneration neither falls nor runs ahead, and the status calls no rollout complete while a node has " +
		"nothing but an old pod",
	watch: func(r *replay) hooks {
		type claim struct {
			ro   *roll
			p    *pod
			seat *seat
			seq  int
		}
		var open, due []claim
		claimed := map[*roll]int64{}
		accuse := func(c claim) {
			v := c.ro.versions[len(c.ro.versions)-1]
			r.reportAt(c.seq, "M-15", c.ro.daemonSet, refs(c.ro.ref(), c.p.ref(), nodeRef(c.p.node)), []int{c.p.first, v.seq},
				"the status of DaemonSet %s at %s called generation %d complete while %s had only pod %s of an older template",
				c.ro.name, clock(r.entries[c.seq].At), v.generation, c.p.node, c.p.name())
		}
		return hooks{
			daemonSet: func(ro *roll, o, before *appsv1.DaemonSet) {
				st := &o.Status
				if r.suiteWroteStatus(ro) {
					return
				}
				if st.ObservedGeneration > o.Generation {
					r.report("M-15", ro.daemonSet, refs(ro.ref()), nil, "DaemonSet %s at %s has observedGeneration %d, beyond its generation %d",
						ro.name, clock(r.at), st.ObservedGeneration, o.Generation)
				}
				if before != nil && st.ObservedGeneration < before.Status.ObservedGeneration && !r.restarting(r.seq) {
					r.report("M-15", ro.daemonSet, refs(ro.ref()), []int{lastEventBefore(ro.events, r.seq)},
						"observedGeneration of DaemonSet %s fell at %s from %d to %d", ro.name, clock(r.at),
						before.Status.ObservedGeneration, st.ObservedGeneration)
				}
				versions := ro.versions
				if st.ObservedGeneration != o.Generation || st.UpdatedNumberScheduled != st.DesiredNumberScheduled ||
					st.DesiredNumberScheduled == 0 || claimed[ro] == o.Generation || r.restarting(r.seq) || r.seq >= ro.ending {
					return
				}
				claimed[ro] = o.Generation
				now := versions[len(versions)-1:]
				for k := range versions {
					if versions[k].generation == o.Generation {
						now = versions[k : k+1]
					}
				}
				for _, s := range ro.seats {
					if len(s.pods) != 1 {
						continue
					}
					p := s.pods[0]
					if active(p.object) && !p.adopted && (p.listed || r.entries[p.first].At.Add(skew).Before(r.at)) &&
						p.carried(now) == none && r.surelyEligible(s.node, now, cacheAge) &&
						!r.suiteMade(p) && !r.touched(r.seq, p, history.PodsEdited, history.RevisionsEdited) {
						open = append(open, claim{ro, p, s, r.seq})
					}
				}
			},
			passed: func() {
				for len(open) > 0 && r.entries[open[0].seq].At.Add(skew).Before(r.at) {
					c := open[0]
					open = open[1:]
					// What this entry itself changed is after the time that counts.
					alone := len(c.seat.pods) == 1 && c.seat.pods[0] == c.p || r.entries[r.seq].Pod != nil && c.p.last == r.seq
					if alone && (c.p.deleted < 0 || c.p.deleted == r.seq) {
						due = append(due, c)
					}
				}
			},
			end: func() {
				for _, c := range due {
					// Its deletion may be older than its event, by the API server's own clock.
					if c.p.deleted < 0 || !c.p.requested.Before(r.entries[c.seq].At) {
						accuse(c)
					}
				}
				for _, c := range open {
					if len(c.seat.pods) == 1 && c.p.deleted < 0 && c.p.gone < 0 {
						accuse(c)
					}
				}
			},
		}
	},
}

// rollbackRestarts is the other half of M-17: containers of pods that ran a rollback's target when it was observed are not
// restarted either. A container may crash, or fail its probe on a busy machine, by itself: only where the pod's containers were changed as well
// was it the controller (catalog I-06).
func rollbackRestarts(r *replay) hooks {
	type sight struct {
		ro       *roll
		p        *pod
		restarts int32
		seq      int
	}
	var seen []sight
	changed := map[*pod]int{} // where a pod's containers changed last
	return hooks{
		changed: func(_ *roll, p *pod, before *corev1.Pod) {
			if !reflect.DeepEqual(before.Spec.Containers, p.object.Spec.Containers) {
				changed[p] = r.seq
			}
		},
		daemonSet: func(ro *roll, o, _ *appsv1.DaemonSet) {
			for _, v := range ro.versions {
				if v.observed != r.seq || !ro.rolledBack(v) {
					continue
				}
				for _, s := range ro.seats {
					for _, p := range s.pods {
						if _, ready := readySince(p.object); ready && active(p.object) && p.bears([]*version{v}) {
							seen = append(seen, sight{ro, p, restarts(p.object), r.seq})
						}
					}
				}
			}
		},
		end: func() {
			for _, s := range seen {
				if s.p.deleted >= 0 || changed[s.p] <= s.seq || restarts(s.p.object) <= s.restarts ||
					r.touched(len(r.entries), s.p, history.ReadinessFlaps, history.NodesDown, history.PodsEdited, history.ControllerRestarted) {
					continue
				}
				r.reportAt(s.p.last, "M-17", s.ro.daemonSet, refs(s.p.ref(), nodeRef(s.p.node), s.ro.ref()), []int{s.p.first, s.seq},
					"pod %s on %s already ran the rollback's target, but its containers had been restarted %d times by %s instead of %d",
					s.p.name(), s.p.node, restarts(s.p.object), clock(r.entries[s.p.last].At), s.restarts)
			}
		},
	}
}

func restarts(o *corev1.Pod) int32 {
	sum := int32(0)
	for i := range o.Status.ContainerStatuses {
		sum += o.Status.ContainerStatuses[i].RestartCount
	}
	return sum
}

// reportAt files a violation at an earlier entry.
func (r *replay) reportAt(seq int, id string, ds *daemonSet, objects []history.Reference, evidence []int, format string, args ...any) {
	was, at := r.seq, r.at
	r.seq, r.at = seq, r.entries[seq].At
	r.report(id, ds, objects, evidence, format, args...)
	r.seq, r.at = was, at
}
