package invariant

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// fidelity is M-08: what a pod runs is what its hash label says. Adopted pods (catalog J-05) and pods that the suite edited (J-13)
// are exempt, and with ControllerRevisions edited by others the label is nobody's promise (I-17).
var fidelity = Invariant{
	ID:        "M-08",
	Statement: "a pod equals the template of the ControllerRevision whose hash it bears",
	Lifted:    []history.Disturbance{history.RevisionsEdited},
	watch: func(r *replay) hooks {
		judge := func(ro *roll, p *pod) {
			if p.adopted || p.hash == "" || !active(p.object) || r.seq >= ro.ending || r.suiteMade(p) ||
				r.touched(r.seq, p, history.PodsEdited, history.RevisionsEdited) {
				return
			}
			revisions := ro.revisions[p.hash]
			if len(revisions) == 0 {
				r.report("M-08", ro.daemonSet, refs(p.ref(), ro.ref()), nil,
					"pod %s on %s at %s bears hash %s, which no ControllerRevision of DaemonSet %s has",
					p.name(), p.node, clock(r.at), p.hash, ro.name)
				return
			}
			wrong := ""
			for _, rev := range revisions {
				if rev.template == nil {
					return
				}
				if wrong = difference(rev.template, p.object); wrong == "" {
					return
				}
			}
			rev := revisions[len(revisions)-1]
			r.report("M-08", ro.daemonSet, refs(p.ref(), rev.ref(ro), ro.ref()), []int{p.first, rev.seq},
				"pod %s on %s at %s bears the hash of ControllerRevision %s, but its %s", p.name(), p.node, clock(r.at), rev.name, wrong)
		}
		return hooks{
			added: judge,
			changed: func(ro *roll, p *pod, before *corev1.Pod) {
				same := maps.Equal(before.Labels, p.object.Labels) &&
					slices.EqualFunc(before.Spec.Containers, p.object.Spec.Containers, func(a, b corev1.Container) bool { return a.Image == b.Image })
				if !same {
					judge(ro, p)
				}
			},
		}
	},
}

func (rev *revision) ref(ro *roll) history.Reference {
	return history.Reference{Resource: history.ControllerRevisions, Namespace: ro.namespace, Name: rev.name, UID: rev.uid}
}

// currentTemplate is M-09. That a generation is observed is known from the DaemonSets' stream, the creation from the pods': a
// pod counts as made later only if it arrives later by more than the two can be apart, and was created later by the API server's own clock
// if that says that it was under way for longer.
var currentTemplate = Invariant{
	ID:        "M-09",
	Statement: "once observedGeneration covers a template, no pod is made from an older one",
	Lifted:    []history.Disturbance{history.RevisionsEdited, history.ControllerRestarted},
	watch: func(r *replay) hooks {
		return hooks{added: func(ro *roll, p *pod) {
			if p.listed || p.adopted || r.seq >= ro.ending || r.suiteMade(p) || r.restarting(r.seq) ||
				r.touched(r.seq, p, history.RevisionsEdited) {
				return
			}
			from := -1
			for i, v := range ro.versions {
				if v.observed >= 0 && v.observed < r.sent && r.entries[v.observed].At.Add(skew).Before(r.at) {
					from = i
				}
			}
			if from < 1 || p.carried(ro.versions[from:]) != none {
				return
			}
			v := ro.versions[from]
			r.report("M-09", ro.daemonSet, refs(p.ref(), ro.ref()), []int{v.seq, v.observed},
				"pod %s was created on %s at %s from an older template, though generation %d was observed at %s",
				p.name(), p.node, clock(r.at), v.generation, clock(r.entries[v.observed].At))
		}}
	},
}
