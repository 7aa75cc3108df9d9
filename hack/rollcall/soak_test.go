package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/report"
)

// TestEveryOtherRunRestarts, and the same seed makes the same runs.
func TestEveryOtherRunRestarts(t *testing.T) {
	for _, first := range []int64{1, 7, 8, 1<<31 - 1} {
		var before []int64
		for range 2 {
			chance, seed := rand.New(rand.NewPCG(uint64(first), 0)), first
			var seeds []int64
			for range 100 {
				next := nextSeed(chance, seed)
				if restarts(next) == restarts(seed) || next < 1 || next >= 1<<31 {
					t.Fatalf("after %d comes %d", seed, next)
				}
				seed = next
				seeds = append(seeds, seed)
			}
			if before != nil && !slices.Equal(before, seeds) {
				t.Errorf("the second time %d makes %v, not %v", first, seeds, before)
			}
			before = seeds
		}
	}
}

func TestRunWithRestarts(t *testing.T) {
	mine := settings{Controller: "./mine", Deviations: "none", Timeouts: 1, Seed: 4}
	for seed, want := range map[int64]string{4: "KILL:15s", 6: "TERM:15s"} {
		mine.Seed = seed
		s, err := mine.withRestarts(t.Context())
		if err != nil || s.Controller != "./mine" || s.Deviations != "none" || s.Restart.String() != want || !s.APIServerRestarts || s.Timeouts != 2 {
			t.Errorf("seed %d: got %+v, %v", seed, s, err)
		}
	}
	mine.Restart.signal, mine.Restart.every, mine.Timeouts = 9, 3*time.Second, 5
	if s, err := mine.withRestarts(t.Context()); err != nil || s.Restart != mine.Restart || s.Timeouts != 5 {
		t.Errorf("what was asked for became %+v, %v", s, err)
	}
}

func TestSoakFailsForWhatNoFaultExplains(t *testing.T) {
	for _, c := range []struct {
		verdicts []report.Verdict
		fails    bool
	}{
		{[]report.Verdict{report.Passed, report.Skipped, report.Deviation}, false},
		{[]report.Verdict{report.Passed, report.Inconclusive}, true},
		{[]report.Verdict{report.Passed, report.Failed}, true},
		{[]report.Verdict{report.Passed, report.Error}, true},
		{[]report.Verdict{report.Passed, report.NotRun}, true},
		{[]report.Verdict{report.Skipped}, true},
	} {
		var r report.ConformanceReport
		for _, v := range c.verdicts {
			r.Summary.Add(v)
		}
		var sum tally
		sum.add(&r, &faults{})
		if got := sum.verdict(); (got != "") != c.fails {
			t.Errorf("%v: %q", c.verdicts, got)
		}
	}
}

// fragile is a cluster that notes what is done to it.
type fragile struct {
	cluster.Provider
	state  cluster.State
	done   chan string
	broken error
}

func (c *fragile) State() cluster.State { return c.state }

func (c *fragile) Pause(_ context.Context, component string, _ time.Duration) error {
	c.done <- "freeze " + component
	return c.broken
}

func (c *fragile) Restart(_ context.Context, component string) error {
	c.done <- "restart " + component
	return c.broken
}

func TestFaults(t *testing.T) {
	for _, made := range []bool{false, true} {
		f := faults{every: time.Microsecond}
		c := &fragile{state: cluster.State{Dir: t.TempDir(), APIServerRestarts: made}, done: make(chan string)}
		_, calm := f.begin(t.Context(), c, 1)
		seen := map[string]bool{}
		for range 200 {
			seen[<-c.done] = true
		}
		go func() {
			for range c.done {
			}
		}()
		if err := calm(); err != nil {
			t.Error(err)
		}
		close(c.done)
		for _, component := range fallible {
			if !seen["freeze "+component] {
				t.Errorf("%s was never frozen", component)
			}
			if want := made && (component == apiServer || component == controllerManager); seen["restart "+component] != want {
				t.Errorf("%s restarted: %v, want %v", component, !want, want)
			}
		}
		if f.freezes.Load()+2*f.absences.Load() < 200 { // two components at once are away
			t.Errorf("%d freezes and %d absences were counted of more than 200 faults", f.freezes.Load(), f.absences.Load())
		}
	}
}

func TestFaultThatCannotBeUndoneEndsTheRun(t *testing.T) {
	f := faults{every: time.Microsecond}
	running, calm := f.begin(t.Context(), &fragile{done: make(chan string, 1), broken: errors.New("no port")}, 1)
	<-running.Done()
	if err := calm(); err == nil || !errors.Is(context.Cause(running), err) {
		t.Errorf("got %v, and the run ended because of %v", err, context.Cause(running))
	}
}

// TestTheAPIServerStaysWhileKubectlRuns: it is frozen instead.
func TestTheAPIServerStaysWhileKubectlRuns(t *testing.T) {
	c := &fragile{state: cluster.State{Dir: t.TempDir(), APIServerRestarts: true}, done: make(chan string, 2)}
	end, err := cluster.LockShared(t.Context(), c.state.KubectlLock())
	if err != nil {
		t.Fatal(err)
	}
	f := faults{turn: 10 * time.Millisecond}
	for _, want := range []string{"freeze " + apiServer, "restart " + apiServer} {
		if err := f.strike(t.Context(), c, apiServer, 0, true); err != nil {
			t.Error(err)
		}
		if got := <-c.done; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		end()
	}
}
