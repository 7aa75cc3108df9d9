package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rollcall.dev/framework/history"
)

// Mark is a vertical line through the timeline.
type Mark struct {
	At int64 `json:"at"`
	// End is when an act was answered. It is At for everything else, and for an act that was not.
	End int64 `json:"end"`
	// Kind is act (the suite did something), spec (a DaemonSet's generation rose), gap or barrier.
	Kind string `json:"kind"`
	// Text is one line: "update daemonsets/fluentd: image v2.5.2 → v2.6.0".
	Text string `json:"text"`
}

// maxMarks bounds the marks of a timeline, at 1,000: more is a picket fence.
const maxMarks = 1000

func (b *builder) marks() []Mark {
	marks, acts, generations := []Mark{}, map[int]int{}, map[string]int64{}
	for i := range b.h.Entries {
		e := &b.h.Entries[i]
		at := b.at(e.At)
		switch {
		case e.Act != nil:
			if n, begun := acts[e.Act.ID]; begun && e.Act.Done {
				marks[n].End = at
				if e.Act.Error != "" {
					marks[n].Text += ": refused: " + e.Act.Error
				}
				continue
			}
			acts[e.Act.ID] = len(marks)
			marks = append(marks, Mark{at, at, "act", actText(e.Act)})
		case e.Gap != nil:
			marks = append(marks, Mark{at, at, "gap", fmt.Sprintf("events of %s may be missing: %s", cmp.Or(string(e.Resource), "a stream"), e.Gap.Reason)})
		case e.Type == history.Barred:
			marks = append(marks, Mark{at, at, "barrier", "nothing is missing up to here"})
		case e.DaemonSet != nil && e.Type != history.Deleted:
			key := string(e.DaemonSet.UID)
			if before := generations[key]; before != 0 && e.DaemonSet.Generation > before {
				marks = append(marks, Mark{at, at, "spec", fmt.Sprintf("%s has generation %d", e.DaemonSet.Name, e.DaemonSet.Generation)})
			}
			generations[key] = e.DaemonSet.Generation
		}
	}
	slices.SortStableFunc(marks, func(x, y Mark) int { return cmp.Compare(x.At, y.At) })
	if len(marks) > maxMarks {
		b.t.Note = fmt.Sprintf("%d of %d marks are left out", len(marks)-maxMarks, len(marks))
		marks = marks[:maxMarks]
	}
	return marks
}

func actText(a *history.Act) string {
	text := a.Verb
	if object := strings.Trim(string(a.Object.Resource)+"/"+a.Object.Name, "/"); object != "" {
		text += " " + object
	}
	if a.Note != "" {
		text += ": " + a.Note
	}
	return text
}

// Finding is a violation, in its place on the timeline.
type Finding struct {
	// At is the instant.
	At int64 `json:"at"`
	// Bars are the pods that it is about, the most important first; Lanes the nodes.
	Bars  []int `json:"bars"`
	Lanes []int `json:"lanes"`
	// Events are the entries that prove it.
	Events []Event `json:"events"`
}

// Event is an entry of the history, in words.
type Event struct {
	Seq int   `json:"seq"`
	At  int64 `json:"at"`
	// Bar is the pod's, -1 if it is about none.
	Bar  int    `json:"bar"`
	Text string `json:"text"`
}

// findings puts violations in their place.
func (b *builder) findings(violations []Violation) []Finding {
	byName := map[string]int{}
	for i := range b.t.Bars {
		byName[b.t.Bars[i].Pod] = i
	}
	wanted := map[int]bool{}
	for _, v := range violations {
		for _, seq := range v.Evidence {
			wanted[seq] = true
		}
	}
	events := b.events(wanted)
	out := []Finding{}
	for _, v := range violations {
		f := Finding{At: b.at(v.At), Bars: []int{}, Lanes: []int{}, Events: []Event{}}
		add := func(bar int) {
			if bar >= 0 && !slices.Contains(f.Bars, bar) {
				f.Bars = append(f.Bars, bar)
				if lane := b.t.Bars[bar].Lane; !slices.Contains(f.Lanes, lane) {
					f.Lanes = append(f.Lanes, lane)
				}
			}
		}
		for _, object := range v.Objects {
			resource, name, _ := strings.Cut(object, "/")
			name = name[strings.LastIndex(name, "/")+1:]
			switch history.Resource(resource) {
			case history.Pods:
				if bar, ok := byName[name]; ok {
					add(bar)
				}
			case history.Nodes:
				if lane, ok := b.lanes[name]; ok && !slices.Contains(f.Lanes, lane) {
					f.Lanes = append(f.Lanes, lane)
				}
			}
		}
		for _, seq := range v.Evidence {
			if event, ok := events[seq]; ok {
				f.Events = append(f.Events, event)
			}
		}
		for i := len(f.Events) - 1; i >= 0; i-- {
			add(f.Events[i].Bar)
		}
		out = append(out, f)
	}
	return out
}

// events describes the entries that are wanted.
func (b *builder) events(wanted map[int]bool) map[int]Event {
	out := map[int]Event{}
	if len(wanted) == 0 {
		return out
	}
	before := map[string]string{}
	for i := range b.h.Entries {
		e := &b.h.Entries[i]
		bar, subject, state := -1, "", ""
		switch {
		case e.Pod != nil:
			bar = b.pods[e.Pod.UID]
			subject, state = "pod "+e.Pod.Name, podWords(e)
			if node := targetNode(e.Pod); node != "" {
				subject += " on " + node
			}
		case e.DaemonSet != nil:
			s := e.DaemonSet.Status
			subject = "DaemonSet " + e.DaemonSet.Name
			state = fmt.Sprintf("generation %d, observed %d, desired %d, updated %d, available %d", e.DaemonSet.Generation,
				s.ObservedGeneration, s.DesiredNumberScheduled, s.UpdatedNumberScheduled, s.NumberAvailable)
		case e.ControllerRevision != nil:
			subject, state = "ControllerRevision "+e.ControllerRevision.Name, fmt.Sprintf("revision %d", e.ControllerRevision.Revision)
		case e.Node != nil:
			subject, state = "node "+e.Node.Name, fmt.Sprintf("%d taints", len(e.Node.Spec.Taints))
		}
		if wanted[e.Seq] {
			text := subject + ": " + eventWords(e, before[subject], state)
			if subject == "" {
				text = eventWords(e, "", "")
			}
			out[e.Seq] = Event{Seq: e.Seq, At: b.at(e.At), Bar: bar, Text: text}
		}
		before[subject] = state
	}
	return out
}

// podWords is what a pod does.
func podWords(e *history.Entry) string {
	state, _ := podState(e.Pod)
	if state == Terminating {
		return fmt.Sprintf("terminating (requested at %s)", requestedAt(e).UTC().Format("15:04:05"))
	}
	return state.String()
}

func eventWords(e *history.Entry, before, now string) string {
	switch {
	case e.Act != nil && e.Act.Done:
		return "the suite had done: " + actText(e.Act)
	case e.Act != nil:
		return "the suite does: " + actText(e.Act)
	case e.Gap != nil:
		return "a gap: " + e.Gap.Reason
	case e.Type == history.Barred:
		return "nothing is missing up to here"
	case e.Type == history.Deleted:
		return "gone; it was " + cmp.Or(before, now)
	case e.Type == history.Added:
		return "created, " + now
	case e.Type == history.Listed:
		return "there from the beginning, " + now
	case before != "" && before != now:
		return before + " → " + now
	}
	return now
}
