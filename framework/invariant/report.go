package invariant

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"rollcall.dev/framework/history"
)

// clock is how instants are written in sentences: in UTC, to a tenth of a second.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.0") }

// evidenceLimit keeps the proof short: whoever doubts it has the whole history.
const evidenceLimit = 12

// report files a violation at the entry that is being looked at, which is always part of the evidence.
func (r *replay) report(id string, ds *daemonSet, objects []history.Reference, evidence []int, format string, args ...any) {
	evidence = slices.DeleteFunc(evidence, func(i int) bool { return i < 0 || i >= len(r.entries) || i == r.seq })
	slices.Sort(evidence)
	evidence = slices.Compact(evidence)
	if len(evidence) >= evidenceLimit {
		evidence = evidence[len(evidence)-evidenceLimit+1:]
	}
	evidence = append(evidence, r.seq)
	slices.Sort(evidence)
	for i := range evidence {
		evidence[i] = r.entries[evidence[i]].Seq
	}
	v := Violation{Invariant: id, At: r.at, Message: fmt.Sprintf(format, args...), Objects: objects, Evidence: evidence}
	if ds != nil {
		v.Namespace, v.DaemonSet = ds.namespace, ds.name
	}
	r.violations = append(r.violations, v)
}

func (p *pod) ref() history.Reference {
	return history.Reference{Resource: history.Pods, Namespace: p.object.Namespace, Name: p.object.Name, UID: p.object.UID}
}

func (ds *daemonSet) ref() history.Reference {
	return history.Reference{Resource: history.DaemonSets, Namespace: ds.namespace, Name: ds.name, UID: ds.uid}
}

func nodeRef(name string) history.Reference {
	return history.Reference{Resource: history.Nodes, Name: name}
}

func (p *pod) name() string { return p.object.Name }

// proof lists the entries that show why a seat is as it is: the deletion and the last state of its pods.
func (s *seat) proof() []int {
	var seqs []int
	for _, p := range s.pods {
		if p.deleted >= 0 {
			seqs = append(seqs, p.deleted)
		}
		seqs = append(seqs, p.last)
	}
	return seqs
}

// state is a pod's condition in a word or two, for sentences.
func (p *pod) state() string {
	o := p.object
	_, ready := readySince(o)
	switch {
	case dead(o):
		return "dead"
	case terminating(o):
		return "terminating"
	case terminal(o):
		return string(o.Status.Phase)
	case ready:
		return "Ready"
	case o.Status.Phase == "":
		return "Pending"
	default:
		return string(o.Status.Phase) + ", not Ready"
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func itoa(n int) string { return strconv.Itoa(n) }
