package invariant

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/framework/history"
)

func TestStatusArithmetic(t *testing.T) {
	write := func(f *film, ds *appsv1.DaemonSet, change func(*appsv1.DaemonSetStatus)) {
		change(&ds.Status)
		f.emitSet(history.Modified, ds)
	}
	for name, change := range map[string]func(*appsv1.DaemonSetStatus){
		"available and unavailable do not add up": func(s *appsv1.DaemonSetStatus) { s.NumberUnavailable = 1 },
		"more ready than scheduled":               func(s *appsv1.DaemonSetStatus) { s.NumberReady = 5 },
		"more updated than scheduled":             func(s *appsv1.DaemonSetStatus) { s.UpdatedNumberScheduled = 4 },
		"more available than ready":               func(s *appsv1.DaemonSetStatus) { s.NumberReady = 2 },
		"more scheduled than desired":             func(s *appsv1.DaemonSetStatus) { s.CurrentNumberScheduled = 4 },
	} {
		t.Run(name, func(t *testing.T) {
			f := shoot(3)
			ds := f.create("fluentd")
			f.fill(ds, 3)
			write(f, ds, change)
			write(f, ds, func(s *appsv1.DaemonSetStatus) { s.NumberMisscheduled = 1 })
			if found := fails(t, f, "M-14"); len(found) != 1 {
				t.Errorf("one wrong status should be reported once, got %v", found)
			}
		})
	}
	t.Run("what the suite writes is its own business", func(t *testing.T) {
		f := shoot(3)
		ds := f.create("fluentd")
		f.fill(ds, 3)
		f.act("update status", refOf(ds), nil, func() { write(f, ds, func(s *appsv1.DaemonSetStatus) { s.NumberReady = 9 }) })
		f.observe(ds)
		passes(t, f)
	})
	t.Run("numberUnavailable says nothing during a rollout", func(t *testing.T) {
		f := shoot(3)
		ds := f.create("fluentd")
		pods := f.fill(ds, 3)
		f.update(ds, image("v2"))
		f.observe(ds)
		f.del(pods[0])
		f.observe(ds) // the terminating pod still counts as available
		passes(t, f)
	})
	t.Run("nothing is desired", func(t *testing.T) {
		f := shoot(3)
		ds := f.create("fluentd", nodeSelector("no", "such"))
		f.observe(ds)
		passes(t, f)
	})
}
