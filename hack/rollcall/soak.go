package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/report"
)

// pauser freezes a component of the cluster for a while.
type pauser interface {
	Pause(ctx context.Context, component string, length time.Duration) error
}

// pausable are the components that a soak freezes. The last one is all simulated kubelets at once: slow nodes.
var pausable = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller"}

// cutting is how long a watch of the suite lasts in a soak, about.
const cutting = 20 * time.Second

// runSoak runs the suite over and over for DURATION (an hour), on a simulated cluster and with a seed each, while both cores are kept busy,
// components freeze for seconds, and every watch of the suite is cut again and again. A correct implementation must not be accused of
// anything meanwhile: what fails is a false alarm, or a find. The API server is frozen and not restarted: a restarted one has forgotten
// what a watch missed, so that each history would have a gap.
func runSoak(ctx context.Context, s settings) error {
	if s.Reuse || s.Provider == "existing" || s.Provider == "kind" {
		return errors.New("make soak needs clusters whose parts it can freeze: it makes simulated ones")
	}
	length := time.Hour
	if text := os.Getenv("DURATION"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil || length <= 0 {
			return fmt.Errorf("DURATION=%s: must be a time such as 1h or 30m", text)
		}
	}
	s.Provider, s.CutWatches = "simulated", cutting
	if s.Labels == "" {
		s.Labels = "!controller-restart" // whose specs restart what is frozen here
	}
	if s.Seed == 0 {
		s.Seed = 1 + rand.Int64N(1<<31-1)
	}
	calm := keepBusy(runtime.NumCPU())
	defer calm()

	seeds := rand.New(rand.NewPCG(uint64(s.Seed), 0))
	folder, began := s.Artifacts, time.Now()
	var t tally
	for time.Since(began) < length {
		s.Artifacts = filepath.Join(folder, fmt.Sprintf("soak-%d", t.runs+1))
		var frozen atomic.Int32
		s.Beside = func(ctx context.Context, p cluster.Provider) func() { return freeze(ctx, p.(pauser), s.Seed, &frozen) }
		err := runE2E(ctx, s)
		if ctx.Err() != nil {
			return err
		}
		var failed specsFailed
		if err != nil && !errors.As(err, &failed) {
			return err
		}
		r, err := report.Load(filepath.Join(s.Artifacts, "report.yaml"))
		if err != nil {
			return err
		}
		t.add(r, int(frozen.Load()))
		say("soak: after %s: %s", time.Since(began).Round(time.Second), t)
		if r.Summary.Result == report.Failure {
			say("soak: that run again: make soak SEED=%d DURATION=1s; its evidence is in %s", s.Seed, s.Artifacts)
		} else if err := os.RemoveAll(filepath.Join(s.Artifacts, "histories")); err != nil {
			return err
		}
		s.Seed = 1 + seeds.Int64N(1<<31-1)
	}
	if t.failed+t.errors > 0 {
		return specsFailed{errors.New("something was accused that should not be")}
	}
	return nil
}

// tally is what a soak has seen.
type tally struct{ runs, specs, failed, inconclusive, errors, frozen int }

func (t *tally) add(r *report.ConformanceReport, frozen int) {
	c := r.Summary.Statistics
	t.runs++
	t.specs += c.Planned
	t.failed += c.Failed
	t.inconclusive += c.Inconclusive
	t.errors += c.Errors + c.NotRun
	t.frozen += frozen
}

func (t tally) String() string {
	return fmt.Sprintf("%d runs, %d specs, %d freezes: %d failed, %d inconclusive, %d errors", t.runs, t.specs, t.frozen, t.failed, t.inconclusive, t.errors)
}

// freeze freezes a component now and then, for up to three seconds, until the returned function is called. Leases of nodes last longer.
func freeze(ctx context.Context, p pauser, seed int64, count *atomic.Int32) func() {
	ctx, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		chance := rand.New(rand.NewPCG(uint64(seed), 1))
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(3*time.Second + time.Duration(chance.Int64N(int64(7*time.Second)))):
			}
			component := pausable[chance.IntN(len(pausable))]
			if err := p.Pause(ctx, component, 500*time.Millisecond+time.Duration(chance.Int64N(int64(2500*time.Millisecond)))); err != nil {
				say("soak: %v", err)
			}
			count.Add(1)
		}
	})
	return func() {
		stop()
		done.Wait()
	}
}

// keepBusy has n cores do nothing useful until the returned function is called.
func keepBusy(n int) func() {
	var stop atomic.Bool
	var spinning sync.WaitGroup
	for range n {
		spinning.Go(func() {
			for !stop.Load() {
			}
		})
	}
	return func() {
		stop.Store(true)
		spinning.Wait()
	}
}
