package invariant

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"rollcall.dev/framework/history"
)

// Deleting a pod that runs the current template is wrong in five ways, told apart by what went on. One deletion is filed under
// one of them: M-22 about a restart of the controller, M-23 beside another DaemonSet that could claim the pod, M-17 in a rollback,
// M-10 in any other rollout, M-11 where there is none.

func currentPod(id, statement string, needs func(*replay) string) Invariant {
	return Invariant{ID: id, Statement: statement, Lifted: []history.Disturbance{history.PodsDeleted, history.RevisionsEdited}, needs: needs,
		watch: func(r *replay) hooks {
			var h hooks
			if id == "M-17" {
				h = rollbackRestarts(r)
			}
			h.deleting = func(ro *roll, p *pod, before *corev1.Pod) { r.judgeCurrent(id, ro, p, before) }
			return h
		}}
}

var (
	progress = currentPod("M-10", "in a rollout the controller never deletes a pod of the current template from an eligible node", nil)
	rollback = currentPod("M-17", "a rollback touches nothing that already runs the target revision", needsRollback)
	resume   = currentPod("M-22", "a restarted controller resumes a rollout without restarting pods that are up to date", needsRestart)
)

func (r *replay) judgeCurrent(id string, ro *roll, p *pod, before *corev1.Pod) {
	versions := r.inForce(ro)
	if p.excuse != "" || !active(before) || p.node == "" || len(versions) == 0 || r.prunes(ro.seats[p.node], p) ||
		!p.bears(versions) || p.mislabelled(versions) || r.touched(r.seq, p, history.PodsEdited, history.RevisionsEdited) ||
		!r.surelyBelongs(ro, p, versions) {
		return
	}
	newest := versions[len(versions)-1]
	rival := r.rival(ro, p)
	target := ro.rolledBack(newest)
	switch {
	case r.restarting(r.seq):
		r.reportCurrent(id, "M-22", ro, p, newest, "during a restart of the control plane")
	case rival != nil:
		r.reportCurrent(id, "M-23", ro, p, newest, "while DaemonSet "+rival.name+" selects it too")
	case target && p.first < newest.seq:
		r.reportCurrent(id, "M-17", ro, p, newest, "though the rollback's target is what it already ran")
	case ro.unfinished(versions):
		r.reportCurrent(id, "M-10", ro, p, newest, "in the middle of the rollout to that template")
	default:
		r.reportCurrent(id, "M-11", ro, p, newest, "with no rollout under way")
	}
}

func (r *replay) reportCurrent(id, is string, ro *roll, p *pod, v *version, when string) {
	if id != is {
		return
	}
	r.report(id, ro.daemonSet, refs(p.ref(), nodeRef(p.node), ro.ref()), []int{p.first, p.ready, v.seq},
		"pod %s on %s, which ran the current template (generation %d), was deleted at %s %s", p.name(), p.node, v.generation, clock(r.at), when)
}

// bears says whether a pod's hash is that of a ControllerRevision with the template of every one of the versions. Unlike carried
// it does not fall back on the pod's contents: a controller need not recognise a pod of an unknown revision as current.
func (p *pod) bears(versions []*version) bool {
	known := false
	for _, rev := range p.set.revisions[p.hash] {
		known = known || rev.key != ""
	}
	return known && p.carried(versions) == all
}

// mislabelled says whether an adopted pod bears the hash of the versions, but is not made from their template: who made it, and who gave
// it that label, nobody knows, and to replace it is right (catalog J-04, J-05).
func (p *pod) mislabelled(versions []*version) bool {
	return p.adopted && difference(&versions[len(versions)-1].object.Spec.Template, p.object) != ""
}

// rolledBack says whether a version returns to a template that was there before, with another one between.
func (ds *daemonSet) rolledBack(v *version) bool {
	between := false
	for i := v.index - 1; i >= 0; i-- {
		if ds.versions[i].key != v.key {
			between = true
		} else if between {
			return true
		}
	}
	return false
}

// unfinished says whether an active pod of another template is left.
func (ro *roll) unfinished(versions []*version) bool {
	for _, s := range ro.seats {
		for _, p := range s.pods {
			if active(p.object) && p.carried(versions) != all {
				return true
			}
		}
	}
	return false
}

// rival returns another DaemonSet whose selector matches the pod.
func (r *replay) rival(ro *roll, p *pod) *daemonSet {
	for _, other := range r.sets {
		o := r.rolls[other.uid].object
		if other == ro.daemonSet || o == nil || other.namespace != ro.namespace || r.seq >= other.ending {
			continue
		}
		if s, err := metav1.LabelSelectorAsSelector(o.Spec.Selector); err == nil && s.Matches(labels.Set(p.object.Labels)) {
			return other
		}
	}
	return nil
}

// hotLoop is how many replacements of failed pods one node may see within hotLoopTime. The catalog (L-02) says about ten; who begins with
// the five milliseconds of client-go's work queues and doubles them makes fourteen.
const (
	hotLoop     = 15
	hotLoopTime = 2 * time.Minute
)

// patientWithStrays is how many pods of one revision come to a node that is not eligible before it is no mistake of the moment any more.
const patientWithStrays = 3

// noChurn is M-11: nothing is replaced that need not be, and nothing twice.
var noChurn = Invariant{
	ID: "M-11",
	Statement: "nothing is deleted while the template is unchanged or the strategy is OnDelete, " +
		"and no node sees the same pod made again and again",
	Lifted: []history.Disturbance{history.PodsDeleted, history.RevisionsEdited},
	watch: func(r *replay) hooks {
		type pruned struct {
			p    *pod
			made int // the index of the oldest version in force when it was made
		}
		// astray counts the pods of one revision that came to a node that was not eligible, one after another.
		type astray struct {
			hash  string
			count int
		}
		strays := map[*seat]astray{}
		stray := func(ro *roll, s *seat, p *pod, versions []*version) {
			was := strays[s]
			if was.hash != p.hash {
				was = astray{hash: p.hash}
			}
			// Where an old pod may stay (a NoSchedule taint), a surge may put a new one beside it, and replace it if it fails (catalog D-09).
			if s.others(p) || r.restarting(r.seq) || r.seq >= ro.ending || !r.surelyIneligible(s.node, versions) {
				delete(strays, s)
				return
			}
			was.count++
			strays[s] = was
			if was.count == patientWithStrays {
				r.report("M-11", ro.daemonSet, refs(p.ref(), nodeRef(s.node), ro.ref()), []int{versions[len(versions)-1].seq},
					"pod %s was created on %s at %s, the third of its revision there in a row, though the node is not eligible",
					p.name(), s.node, clock(r.at))
			}
		}
		made := map[*pod]int{}
		last := map[*seat]pruned{}
		failures := map[*seat][]time.Time{}
		deleting := func(ro *roll, p *pod, before *corev1.Pod) {
			s, versions := ro.seats[p.node], r.inForce(ro)
			if p.excuse != "" || len(versions) == 0 {
				delete(failures, s)
				delete(last, s)
				return
			}
			r.judgeCurrent("M-11", ro, p, before)
			if terminal(before) {
				delete(strays, s) // how failed pods are replaced has a rule of its own
			}
			switch {
			case before.Status.Phase == corev1.PodFailed && r.restarting(r.seq):
				delete(failures, s) // how often pods have failed is kept in memory: a controller that starts again begins with the shortest delay
			case before.Status.Phase == corev1.PodFailed && !anySurges(versions):
				recent := append(failures[s], r.at)
				for r.at.Sub(recent[0]) > hotLoopTime {
					recent = recent[1:]
				}
				if len(recent) > hotLoop {
					r.report("M-11", ro.daemonSet, refs(p.ref(), nodeRef(s.node), ro.ref()), nil,
						"pod %s is failed pod number %d that was deleted on %s between %s and %s; replacing them has to slow down",
						p.name(), len(recent), s.node, clock(recent[0]), clock(r.at))
					recent = nil
				}
				failures[s] = recent
			case !active(before) || !r.surelyBelongs(ro, p, versions):
			case s.others(p):
				// In favour of a pod that came by adoption it may go, and come again when that one is updated.
				if at, ok := made[p]; ok && !slices.ContainsFunc(s.pods, func(o *pod) bool { return o.adopted }) {
					last[s] = pruned{p, at}
				}
			case !anyRolls(versions) && !p.adopted && !r.prunes(s, p) && p.carried(versions) != all:
				r.report("M-11", ro.daemonSet, refs(p.ref(), nodeRef(p.node), ro.ref()), []int{p.first, versions[len(versions)-1].seq},
					"pod %s on %s was deleted at %s, but the strategy is OnDelete and nobody else deleted it", p.name(), p.node, clock(r.at))
			}
		}
		return hooks{
			deleting: deleting,
			daemonSet: func(ro *roll, o, before *appsv1.DaemonSet) {
				if before == nil || o.Generation == before.Generation {
					return
				}
				for _, s := range ro.seats {
					delete(failures, s) // a changed spec is a new start, with the shortest delay (catalog L-02)
				}
			},
			added: func(ro *roll, p *pod) {
				versions := r.inForce(ro)
				if p.listed || p.adopted || len(versions) == 0 || r.suiteMade(p) {
					return
				}
				s := ro.seats[p.node]
				made[p] = versions[0].index
				stray(ro, s, p, versions)
				was, ok := last[s]
				// Where no other pod is left, the one that stayed has gone since, and one more is needed.
				if ok && s.others(p) && was.p.hash == p.hash && was.made == versions[len(versions)-1].index && !r.crowdExcused(s) {
					delete(last, s)
					r.report("M-11", ro.daemonSet, refs(p.ref(), was.p.ref(), nodeRef(s.node), ro.ref()), []int{was.p.first, was.p.deleted},
						"pod %s was created on %s at %s, after pod %s of the same revision had been deleted there at %s; one would have done",
						p.name(), s.node, clock(r.at), was.p.name(), clock(was.p.deletedAt))
				}
			},
			left: func(ro *roll, p *pod) { delete(made, p) },
		}
	},
}
