package report

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

// life is what is needed of a pod besides its bar while the history is read.
type life struct {
	// readySince is Ready's transition by the kubelet's clock, as the controller sees it, for each segment that is Ready.
	readySince []int64
}

// readPods makes a bar for every pod.
func (b *builder) readPods() {
	for i := range b.h.Entries {
		e := &b.h.Entries[i]
		if e.Pod == nil {
			continue
		}
		at := b.at(e.At)
		n, known := b.pods[e.Pod.UID]
		if !known {
			n = len(b.t.Bars)
			b.pods[e.Pod.UID] = n
			b.t.Bars = append(b.t.Bars, Bar{Pod: e.Pod.Name, End: b.t.Length})
			b.lives = append(b.lives, life{})
		}
		bar, l := &b.t.Bars[n], &b.lives[n]
		bar.DaemonSet = b.owner(e.Pod)
		bar.Revision = b.revision(e.Pod, bar.DaemonSet)
		bar.Lane = b.barLane(bar, targetNode(e.Pod), known)
		if e.Type == history.Deleted {
			// Its last state was reached without an event of its own: nothing of it lasted.
			bar.End, bar.Gone = at, true
			if len(bar.Segments) > 0 {
				continue
			}
		}
		state, since := podState(e.Pod)
		if len(bar.Segments) == 0 || bar.Segments[len(bar.Segments)-1].State != state {
			bar.Segments = append(bar.Segments, Segment{From: at, State: state})
			l.readySince = append(l.readySince, min(at, b.at(since)))
		}
	}
	for i := range b.t.Bars {
		b.splitReady(i)
	}
}

// barLane gives a pod the lane of its node. A pod that loses what tied it to a node stays where it was.
func (b *builder) barLane(bar *Bar, node string, known bool) int {
	if known && node == "" {
		return bar.Lane
	}
	return b.lane(node)
}

// podState is a pod's state without minReadySeconds, which is the DaemonSet's, and since when it is ready.
func podState(pod *corev1.Pod) (State, time.Time) {
	switch {
	case pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded:
		return Dead, time.Time{}
	case pod.DeletionTimestamp != nil:
		return Terminating, time.Time{}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return Ready, c.LastTransitionTime.Time
		}
	}
	if pod.Status.Phase == corev1.PodRunning {
		return Running, time.Time{}
	}
	return Pending, time.Time{}
}

// splitReady divides each ready segment of a pod at the instant at which it became available.
func (b *builder) splitReady(i int) {
	bar := &b.t.Bars[i]
	var out []Segment
	for n, s := range bar.Segments {
		end := bar.End
		if n+1 < len(bar.Segments) {
			end = bar.Segments[n+1].From
		}
		if s.State != Ready {
			out = append(out, s)
			continue
		}
		out = append(out, b.readyOrAvailable(bar.DaemonSet, s.From, end, b.lives[i].readySince[n])...)
	}
	bar.Segments = slices.CompactFunc(out, func(a, b Segment) bool { return a.State == b.State })
}

// readyOrAvailable divides a span in which a pod was ready. minReadySeconds may change meanwhile.
func (b *builder) readyOrAvailable(daemonSet int, from, end, since int64) []Segment {
	if daemonSet < 0 {
		return []Segment{{from, Available}}
	}
	var out []Segment
	add := func(at int64, s State) {
		if n := len(out); n > 0 && out[n-1].From == at {
			out[n-1].State = s
		} else if n == 0 || out[n-1].State != s {
			out = append(out, Segment{at, s})
		}
	}
	add(from, Ready)
	steps := b.specs[daemonSet]
	for i, step := range steps {
		start, stop := max(from, step.at), end
		if i == 0 {
			start = from // what was before the first event of the DaemonSet is not known
		}
		if i+1 < len(steps) {
			stop = min(end, steps[i+1].at)
		}
		if start > stop || start == stop && start != from {
			continue
		}
		switch available := since + step.minReady; {
		case available <= start:
			add(start, Available)
		case available < stop:
			add(start, Ready)
			add(available, Available)
		default:
			add(start, Ready)
		}
	}
	return out
}

// owner is the index of the DaemonSet that controls a pod, -1 if none that was recorded does.
func (b *builder) owner(pod *corev1.Pod) int {
	if ref := metav1.GetControllerOf(pod); ref != nil {
		if i, ok := b.daemonSets[ref.UID]; ok {
			return i
		}
	}
	return -1
}

// revision is the index of a pod's revision, -1 if it has no label that names one.
func (b *builder) revision(pod *corev1.Pod, daemonSet int) int {
	hash := pod.Labels[appsv1.ControllerRevisionHashLabelKey]
	if hash == "" {
		return -1
	}
	key := Revision{Hash: hash, DaemonSet: daemonSet}
	i, ok := b.revisions[key]
	if !ok {
		i = len(b.t.Revisions)
		b.revisions[key] = i
		if len(pod.Spec.Containers) > 0 {
			key.Image = pod.Spec.Containers[0].Image
		}
		b.t.Revisions = append(b.t.Revisions, key)
	}
	return i
}

// targetNode is the node that a pod runs on, or that its affinity ties it to while it is not scheduled.
func targetNode(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" || pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return pod.Spec.NodeName
	}
	required := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		return ""
	}
	for _, term := range required.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == metav1.ObjectNameField && field.Operator == corev1.NodeSelectorOpIn && len(field.Values) == 1 {
				return field.Values[0]
			}
		}
	}
	return ""
}

// stackBars gives bars of a lane that overlap in time different tracks: the lowest that is free.
func (b *builder) stackBars() {
	order := make([]int, len(b.t.Bars))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return int(b.t.Bars[x].from() - b.t.Bars[y].from()) })
	ends := make([][]int64, len(b.t.Lanes))
	for _, i := range order {
		bar := &b.t.Bars[i]
		lane := ends[bar.Lane]
		bar.Track = len(lane)
		for track, end := range lane {
			if end <= bar.from() {
				bar.Track = track
				break
			}
		}
		if bar.Track == len(lane) {
			lane = append(lane, 0)
		}
		lane[bar.Track] = bar.End
		ends[bar.Lane] = lane
	}
	for i := range b.t.Lanes {
		b.t.Lanes[i].Tracks = max(1, len(ends[i]))
	}
}

// from is when the bar begins.
func (bar *Bar) from() int64 { return bar.Segments[0].From }

// until is when segment i ends.
func (bar *Bar) until(i int) int64 {
	if i+1 < len(bar.Segments) {
		return bar.Segments[i+1].From
	}
	return bar.End
}

// requestedAt is when the API server took the request that deletes a pod: deletionTimestamp lies the grace period after it.
func requestedAt(e *history.Entry) time.Time {
	at := e.Pod.DeletionTimestamp.Time
	if grace := e.Pod.DeletionGracePeriodSeconds; grace != nil {
		at = at.Add(-time.Duration(*grace) * time.Second)
	}
	return at
}
