package main

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// plan is what has to be done now, and when to look again although nothing happens.
type plan struct {
	remove  []*corev1.Pod // whatever the update strategy says
	create  []string      // nodes
	replace []*corev1.Pod // the next step of an update
	wake    time.Duration
}

func (p *plan) idle() bool { return len(p.remove)+len(p.create)+len(p.replace) == 0 }

func (p *plan) wakeIn(d time.Duration) {
	if d > 0 && (p.wake == 0 || d < p.wake) {
		p.wake = d
	}
}

// seat is a node with its pods.
type seat struct {
	node              string
	exists, run, stay bool
	old, fresh        []*corev1.Pod // active ones, the best first
	ended             []*corev1.Pod // failed or completed, to be deleted
	ending            int           // pods that still may run and will not for long
	present           int           // pods of all these kinds
	// ready and available: a pod is; updated: it runs the new template, and does so alone or well.
	ready, available, updated bool
	freshAvailable            bool
	wait                      time.Duration // until that may change by itself
}

// seats are all nodes that exist or have a pod, the last name first.
func (v *view) seats(now time.Time) []*seat {
	byName := map[string]*seat{}
	where, hashes := placementOf(v.set), v.hashes()
	for _, node := range v.nodes {
		run, stay := where.on(node)
		byName[node.Name] = &seat{node: node.Name, exists: true, run: run, stay: stay}
	}
	for _, pod := range v.pods {
		name := target(pod)
		if name == "" {
			continue
		}
		s := byName[name]
		if s == nil {
			s = &seat{node: name}
			byName[name] = s
		}
		s.take(v.set, pod, hashes[pod.Labels[hashLabel]], now)
	}
	all := make([]*seat, 0, len(byName))
	for _, s := range byName {
		s.sort(v.set, now)
		s.updated = len(s.fresh) > 0 && (len(s.old) == 0 || s.freshAvailable)
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *seat) int { return cmp.Compare(b.node, a.node) })
	return all
}

func (s *seat) take(set *appsv1.DaemonSet, pod *corev1.Pod, isNew bool, now time.Time) {
	switch {
	case ending(pod):
		s.ending++
	case !active(pod) && pod.DeletionTimestamp != nil:
		return // its containers are gone; what keeps the object is not our business
	case !active(pod):
		s.ended = append(s.ended, pod)
	default:
		isAvailable, wait := available(set, pod, now)
		if wait > 0 && (s.wait == 0 || wait < s.wait) {
			s.wait = wait
		}
		s.ready, s.available = s.ready || ready(pod), s.available || isAvailable
		if isNew {
			s.fresh = append(s.fresh, pod)
			s.freshAvailable = s.freshAvailable || isAvailable
		} else {
			s.old = append(s.old, pod)
		}
	}
	s.present++
}

// sort puts first whom the node would miss most: an available pod, a ready one, one that has been there for long.
func (s *seat) sort(set *appsv1.DaemonSet, now time.Time) {
	rank := func(pod *corev1.Pod) int {
		if is, _ := available(set, pod, now); is {
			return 0
		}
		if ready(pod) {
			return 1
		}
		return 2
	}
	best := func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.UID, b.UID))
	}
	slices.SortFunc(s.old, best)
	slices.SortFunc(s.fresh, best)
}

// plan decides. It reads nothing but v and what is known of failures.
func (c *controller) plan(v *view) *plan {
	now, p := time.Now(), &plan{}
	seats := v.seats(now)
	surge := v.rolling() && v.share(func(r *appsv1.RollingUpdateDaemonSet) *intstr.IntOrString { return r.MaxSurge }, 1) > 0
	for _, s := range seats {
		p.wakeIn(s.wait)
		c.settle(v, s, p, surge, now)
	}
	switch {
	case surge:
		v.surge(seats, p)
	case v.rolling():
		v.rollDown(seats, p)
	}
	// A node on which creation is refused must not stand before all others every time.
	rand.Shuffle(len(p.create), func(a, b int) { p.create[a], p.create[b] = p.create[b], p.create[a] })
	return p
}

// settle does what is due on a node whatever is being updated. What it removes leaves the seat at once.
func (c *controller) settle(v *view, s *seat, p *plan, surge bool, now time.Time) {
	drop := func(pods *[]*corev1.Pod, from int) {
		p.remove = append(p.remove, (*pods)[from:]...)
		*pods = (*pods)[:from]
	}
	if !s.stay {
		for _, pods := range []*[]*corev1.Pod{&s.old, &s.fresh, &s.ended} {
			// What was bound to a node that is gone, the collector of dead pods removes; nobody else removes what never was bound.
			*pods = slices.DeleteFunc(*pods, func(pod *corev1.Pod) bool { return !s.exists && pod.Spec.NodeName != "" })
			drop(pods, 0)
		}
		return
	}
	for _, pod := range s.ended {
		if wait := c.failures.wait(keyOf(v.set, pod), now); wait > 0 {
			p.wakeIn(wait)
		} else {
			p.remove = append(p.remove, pod)
		}
	}
	if len(s.fresh) > 1 {
		drop(&s.fresh, 1)
	}
	if len(s.old) > 1 {
		drop(&s.old, 1)
	}
	if !surge && len(s.old) == 1 && len(s.fresh) == 1 {
		// One has to go, and it is not the one that serves.
		if isAvailable, _ := available(v.set, s.old[0], now); isAvailable && !s.freshAvailable {
			drop(&s.fresh, 0)
		} else {
			drop(&s.old, 0)
		}
	}
	if s.run && len(s.old)+len(s.fresh)+len(s.ended) == 0 && (surge || s.ending == 0) {
		p.create = append(p.create, s.node)
	}
}

func (v *view) rolling() bool {
	return v.set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType && v.set.Spec.UpdateStrategy.RollingUpdate != nil
}

// share is a number of nodes, or a percentage of those that should have a pod, rounded up; 0 where the field is zero or absent. A percentage
// of no nodes is one: what no longer belongs anywhere has to go, too.
func (v *view) share(field func(*appsv1.RollingUpdateDaemonSet) *intstr.IntOrString, nodes int) int {
	value := field(v.set.Spec.UpdateStrategy.RollingUpdate)
	if value == nil {
		return 0
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(value, max(1, nodes), true)
	if err != nil {
		return 0
	}
	return n
}

func desired(seats []*seat) (n int) {
	for _, s := range seats {
		if s.run {
			n++
		}
	}
	return n
}

// rollDown deletes old pods so that no more nodes than allowed are without an available one. What serves nobody goes first and at once; what
// is ready, but not for long enough, goes only as fast as what is available: it serves.
func (v *view) rollDown(seats []*seat, p *plan) {
	limit := max(1, v.share(func(r *appsv1.RollingUpdateDaemonSet) *intstr.IntOrString { return r.MaxUnavailable }, desired(seats)))
	unavailable, down := 0, 0
	for _, s := range seats {
		if s.run && !s.available {
			unavailable++
		}
		if s.run && !s.ready {
			down++
		}
		if len(s.old) > 0 && !s.ready {
			p.replace = append(p.replace, s.old...)
		}
	}
	for _, s := range seats {
		if len(s.old) > 0 && s.ready && !s.available && down < limit {
			p.replace = append(p.replace, s.old...)
			down++
		}
	}
	for _, s := range seats {
		if len(s.old) > 0 && s.available && max(unavailable, down) < limit {
			p.replace = append(p.replace, s.old...)
			unavailable++
			down++
		}
	}
}

// surge puts new pods beside old ones that are available, on as many nodes at once as allowed, and deletes an old pod once its successor is
// available or where it serves nobody itself.
func (v *view) surge(seats []*seat, p *plan) {
	want := desired(seats)
	limit := max(1, v.share(func(r *appsv1.RollingUpdateDaemonSet) *intstr.IntOrString { return r.MaxSurge }, want))
	doubled, serving := 0, 0
	for _, s := range seats {
		if s.available {
			serving++
		}
		if s.run && len(s.old) > 0 && s.available && !s.freshAvailable && len(s.fresh)+len(s.ended) > 0 {
			doubled++
		}
	}
	for _, s := range seats {
		if len(s.old) == 0 {
			continue
		}
		switch oldReady := ready(s.old[0]); {
		case !s.run: // it can have no successor: it stays as long as it is needed
			if !s.available {
				p.replace = append(p.replace, s.old...)
			} else if serving > want {
				p.replace = append(p.replace, s.old...)
				serving--
			}
		case s.freshAvailable, len(s.fresh) > 0 && !oldReady:
			p.replace = append(p.replace, s.old...)
		case len(s.fresh)+len(s.ended) > 0: // a successor is on its way
		case !s.available:
			p.create = append(p.create, s.node)
		case doubled < limit:
			p.create = append(p.create, s.node)
			doubled++
		}
	}
}
