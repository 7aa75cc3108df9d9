package invariant

import (
	"k8s.io/apimachinery/pkg/types"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

// revisionHistory is M-16. Who edits ControllerRevisions voids it.
var revisionHistory = Invariant{
	ID: "M-16",
	Statement: "a ControllerRevision's data never change and its number never falls; it exists before the pods that bear its hash " +
		"and as long as they do; at rest the numbers differ and the highest is the current template's",
	Lifted: []history.Disturbance{history.RevisionsEdited},
	watch: func(r *replay) hooks {
		type state struct {
			data     string
			revision int64
			owner    types.UID
			name     string
			seq      int
		}
		known := map[types.UID]state{}
		late := map[string]bool{}
		var dropped []func()
		edited := func() bool {
			for _, one := range r.acts.all {
				if one.start <= r.seq && (one.disturbs(history.RevisionsEdited) || one.Object.Resource == history.ControllerRevisions) {
					return true
				}
			}
			return false
		}
		revision := func(e *history.Entry) {
			cr := e.ControllerRevision
			owner := metav1.GetControllerOfNoCopy(cr)
			if owner == nil || r.rolls[owner.UID] == nil || edited() {
				delete(known, cr.UID)
				return
			}
			ro := r.rolls[owner.UID]
			ref := history.Reference{Resource: history.ControllerRevisions, Namespace: cr.Namespace, Name: cr.Name, UID: cr.UID}
			was, ok := known[cr.UID]
			if ok && was.data != string(cr.Data.Raw) {
				r.report("M-16", ro.daemonSet, refs(ref, ro.ref()), []int{was.seq}, "the data of ControllerRevision %s changed at %s", cr.Name, clock(r.at))
			}
			if ok && cr.Revision < was.revision {
				r.report("M-16", ro.daemonSet, refs(ref, ro.ref()), []int{was.seq},
					"the number of ControllerRevision %s fell at %s from %d to %d", cr.Name, clock(r.at), was.revision, cr.Revision)
			}
			if e.Type != history.Deleted {
				known[cr.UID] = state{string(cr.Data.Raw), cr.Revision, owner.UID, cr.Name, r.seq}
				return
			}
			delete(known, cr.UID)
			if r.seq >= ro.ending || cr.DeletionTimestamp != nil && len(cr.Finalizers) > 0 {
				return
			}
			hash := cr.Labels["controller-revision-hash"]
			for _, s := range ro.seats {
				for _, p := range s.pods {
					if p.hash != hash || r.otherRevision(ro, hash, cr.UID) || !p.listed && r.at.Before(r.entries[p.first].At.Add(skew)) {
						continue
					}
					seq, at := r.seq, r.at
					dropped = append(dropped, func() {
						if p.gone >= 0 && r.entries[p.gone].At.Before(at.Add(skew)) {
							return // the two streams may have been apart
						}
						r.reportAt(seq, "M-16", ro.daemonSet, refs(ref, p.ref(), ro.ref()), []int{p.first},
							"ControllerRevision %s was deleted at %s while pod %s on %s still bore its hash", cr.Name, clock(at), p.name(), p.node)
					})
				}
			}
		}
		return hooks{
			revision: revision,
			added: func(ro *roll, p *pod) {
				revisions := ro.revisions[p.hash]
				if p.listed || p.adopted || p.hash == "" || late[p.hash] || len(revisions) == 0 || edited() || r.suiteMade(p) {
					return
				}
				created := p.object.CreationTimestamp.Time
				for _, rev := range revisions {
					if rev.listed || !rev.created.After(created.Add(grain)) { // on one clock, whatever arrived first
						return
					}
				}
				late[p.hash] = true
				rev := revisions[0]
				r.report("M-16", ro.daemonSet, refs(p.ref(), rev.ref(ro), ro.ref()), []int{rev.seq},
					"pod %s was created at %s, before ControllerRevision %s whose hash it bears (%s)",
					p.name(), clock(created), rev.name, clock(rev.created))
			},
			end: func() {
				for _, check := range dropped {
					check()
				}
				r.seq = len(r.entries)
				if edited() {
					return
				}
				for _, ds := range r.sets {
					ro := r.rolls[ds.uid]
					last := ds.versions[len(ds.versions)-1]
					if last.observed < 0 || !r.final(ro, last) && r.at.Before(r.entries[last.observed].At.Add(skew)) || ds.ending < len(r.entries) || r.restarting(len(r.entries)-1) {
						continue // not at rest
					}
					numbers := map[int64]string{}
					top, topSeq, topUID := int64(-1), 0, types.UID("")
					for uid, s := range known {
						if s.owner != ds.uid {
							continue
						}
						if twin, ok := numbers[s.revision]; ok {
							r.reportAt(s.seq, "M-16", ds, refs(ds.ref()), nil,
								"ControllerRevisions %s and %s of DaemonSet %s ended with the same number %d", min(twin, s.name), max(twin, s.name), ds.name, s.revision)
						}
						numbers[s.revision] = s.name
						if s.revision > top {
							top, topSeq, topUID = s.revision, s.seq, uid
						}
					}
					if len(numbers) == 0 {
						continue // M-08 and the specs of section I say what is missing
					}
					for _, revisions := range ds.revisions {
						for _, rev := range revisions {
							if rev.uid == topUID && rev.key != "" && rev.key != last.key {
								r.reportAt(max(topSeq, last.observed), "M-16", ds, refs(rev.ref(ro), ds.ref()), []int{rev.seq, last.seq, topSeq},
									"the highest ControllerRevision of DaemonSet %s at the end is %s (number %d), which is not the current template",
									ds.name, rev.name, top)
							}
						}
					}
				}
			},
		}
	},
}

// otherRevision says whether another ControllerRevision with the hash exists now.
func (r *replay) otherRevision(ro *roll, hash string, except types.UID) bool {
	for _, rev := range ro.revisions[hash] {
		if rev.uid != except && rev.seq <= r.seq && (rev.gone < 0 || rev.gone > r.seq) {
			return true
		}
	}
	return false
}
