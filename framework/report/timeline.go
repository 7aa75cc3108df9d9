package report

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/framework/history"
)

// Timeline is what the page draws of one history: bars, marks and lines, computed once, so that the page itself only draws.
// Instants are milliseconds since Began.
type Timeline struct {
	Began time.Time `json:"began"`
	// Length is from the beginning to the last entry.
	Length int64 `json:"length"`
	// DaemonSets are those that were recorded, by name, in order of appearance.
	DaemonSets []string   `json:"daemonSets"`
	Revisions  []Revision `json:"revisions"`
	// Lanes are the nodes that matter: leased, eligible at some time, or with a pod on them. Pods on no node have a lane with an empty name.
	Lanes []Lane `json:"lanes"`
	// Bars are the pods. They are left out, with a Note, where a page would become too large.
	Bars    []Bar    `json:"bars"`
	Marks   []Mark   `json:"marks"`
	Budgets []Budget `json:"budgets"`
	// Bands sum up groups of lanes, where there are too many to tell apart.
	Bands []Band `json:"bands,omitempty"`
	// Findings are the violations, in the order in which they were given.
	Findings []Finding `json:"findings"`
	// Note says what was left out of a timeline, and where it can be had.
	Note string `json:"note,omitempty"`
}

// Revision is a state of a pod template that pods were seen with: the value of controller-revision-hash.
type Revision struct {
	Hash string `json:"hash"`
	// DaemonSet is an index into DaemonSets, -1 for pods that none of them controls.
	DaemonSet int `json:"daemonSet"`
	// Image is that of the first container, to recognize the revision by.
	Image string `json:"image,omitempty"`
}

// Lane is a node.
type Lane struct {
	Node string `json:"node"`
	// Tracks is how many bars lie above each other at most.
	Tracks int `json:"tracks"`
}

// State of a pod, as far as a timeline tells them apart.
type State int

// The states of a pod. Dead is a pod whose phase is Failed or Succeeded, terminating or not: none of its containers runs.
const (
	Pending State = iota
	Running
	Ready
	Available
	Terminating
	Dead
)

var stateNames = [...]string{"pending", "running", "ready", "available", "terminating", "dead"}

// String returns the word that the page has.
func (s State) String() string { return stateNames[s] }

// Segment is a state and from when on a pod was in it.
type Segment struct {
	From  int64
	State State
}

// Bar is a pod's life.
type Bar struct {
	Pod string
	// Lane and Track say where it lies. Track is 0 unless another bar of the lane is there at the same time.
	Lane, Track int
	// Revision and DaemonSet are indices; -1 for a pod without one.
	Revision, DaemonSet int
	// Segments are in order of time, and the last one ends at End.
	Segments []Segment
	End      int64
	// Gone says that the pod was deleted at End; otherwise the history ends there.
	Gone bool
}

// MarshalJSON writes an array without names, since there may be 10,000 bars:
// [pod, lane, track, revision, daemonSet, end, gone, [from, state, from, state, …]].
func (bar Bar) MarshalJSON() ([]byte, error) {
	segments := make([]int64, 0, 2*len(bar.Segments))
	for _, s := range bar.Segments {
		segments = append(segments, s.From, int64(s.State))
	}
	gone := 0
	if bar.Gone {
		gone = 1
	}
	return json.Marshal([]any{bar.Pod, bar.Lane, bar.Track, bar.Revision, bar.DaemonSet, bar.End, gone, segments})
}

// builder holds what the steps of one computation share.
type builder struct {
	h          *history.History
	t          *Timeline
	began      time.Time
	daemonSets map[types.UID]int
	revisions  map[Revision]int
	lanes      map[string]int
	pods       map[types.UID]int // index into bars
	lives      []life            // beside bars
	specs      [][]specStep      // by DaemonSet
	places     []placing
}

// NewTimeline computes what the page draws of a history and of the violations that were found in it. It is a pure function:
// the same history gives the same timeline. An empty history gives a timeline without lanes.
func NewTimeline(h *history.History, violations []Violation) *Timeline {
	t := &Timeline{
		Began: h.Header.Began, DaemonSets: []string{}, Revisions: []Revision{}, Lanes: []Lane{}, Bars: []Bar{}, Marks: []Mark{},
		Budgets: []Budget{}, Findings: []Finding{},
	}
	if n := len(h.Entries); n > 0 && (t.Began.IsZero() || h.Entries[0].At.Before(t.Began)) {
		t.Began = h.Entries[0].At
	}
	b := &builder{
		h: h, t: t, began: t.Began, daemonSets: map[types.UID]int{}, revisions: map[Revision]int{}, lanes: map[string]int{},
		pods: map[types.UID]int{},
	}
	for i := range h.Entries {
		t.Length = max(t.Length, b.at(h.Entries[i].At))
	}
	for _, node := range h.Header.LeasedNodes {
		b.lane(node)
	}
	b.readSpecs()
	b.readPods()
	b.readNodes()
	b.sortLanes()
	b.stackBars()
	t.Marks = b.marks()
	t.Budgets = b.budgets()
	t.Bands = bands(t)
	t.Findings = b.findings(violations)
	return t
}

// at turns an instant into the timeline's milliseconds.
func (b *builder) at(t time.Time) int64 { return t.Sub(b.began).Milliseconds() }

// lane returns the lane of a node, which it adds if need be. Indices hold until sortLanes.
func (b *builder) lane(node string) int {
	i, ok := b.lanes[node]
	if !ok {
		i = len(b.t.Lanes)
		b.lanes[node] = i
		b.t.Lanes = append(b.t.Lanes, Lane{Node: node})
	}
	return i
}

// sortLanes puts node-2 before node-10, and pods on no node last.
func (b *builder) sortLanes() {
	slices.SortStableFunc(b.t.Lanes, func(x, y Lane) int {
		if (x.Node == "") != (y.Node == "") {
			return cmp.Compare(y.Node, x.Node)
		}
		return compareNatural(x.Node, y.Node)
	})
	moved := make([]int, len(b.t.Lanes))
	for i, l := range b.t.Lanes {
		moved[b.lanes[l.Node]] = i
		b.lanes[l.Node] = i
	}
	for i := range b.t.Bars {
		b.t.Bars[i].Lane = moved[b.t.Bars[i].Lane]
	}
}

// compareNatural compares names so that the numbers in them count as numbers.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		digitsA, digitsB := leadingDigits(a), leadingDigits(b)
		if digitsA > 0 && digitsB > 0 {
			x, _ := strconv.ParseUint(a[:digitsA], 10, 64)
			y, _ := strconv.ParseUint(b[:digitsB], 10, 64)
			if c := cmp.Or(cmp.Compare(x, y), cmp.Compare(digitsA, digitsB)); c != 0 {
				return c
			}
			a, b = a[digitsA:], b[digitsB:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingDigits(s string) int {
	if i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		return i
	}
	return len(s)
}
