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
	"syscall"
	"time"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/report"
	"rollcall.dev/hack/kubernetes"
)

const (
	// cutting is how long a watch of the suite lasts in a soak, about.
	cutting = 20 * time.Second
	// faultsEvery is how often a component is frozen or restarted, and restartEvery how often the controller is, about.
	faultsEvery  = 6 * time.Second
	restartEvery = 15 * time.Second
	// patience is what TIMEOUT_FACTOR is at least where things are restarted: a correct controller then takes longer, and no more than that.
	patience = 2
)

// runSoak runs the suite over and over for DURATION (an hour), on a simulated cluster and with a seed each, while all cores are kept busy,
// components freeze for seconds, and every watch of the suite is cut again and again. In every other run the controller, alone as a
// CONTROLLER, and the API server are restarted, too; what a controller may do wrong for a moment after that is judged in the others.
//
// A correct implementation must not be accused of anything meanwhile: what fails is a false alarm, or a find. Nor may a spec be inconclusive: no
// fault takes an event from a watch, which goes on where it was also after the API server's restart, or lasts until a node is given up.
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
	s.Provider, s.Soak, s.CutWatches = "simulated", true, cutting
	const apart = "!controller-restart" // their specs restart what is frozen and restarted here
	if s.Labels == "" {
		s.Labels = apart
	} else {
		s.Labels = apart + " && (" + s.Labels + ")"
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
		r, f, err := s.soakOnce(ctx)
		if ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if err != nil {
			return err
		}
		t.add(r, f)
		say("soak: after %s: %s", time.Since(began).Round(time.Second), t)
		if r.Summary.Result == report.Failure {
			say("soak: that run again: %s; its evidence is in %s", r.Reproduce, s.Artifacts)
		} else if err := os.RemoveAll(filepath.Join(s.Artifacts, "histories")); err != nil {
			return err
		}
		s.Seed = nextSeed(seeds, s.Seed)
	}
	if why := t.verdict(); why != "" {
		say("soak: %s", why)
		return specsFailed{errors.New(why)}
	}
	return nil
}

// soakOnce is one run. Specs that failed are no error: the report has them.
func (s settings) soakOnce(ctx context.Context) (*report.ConformanceReport, *faults, error) {
	if restarts(s.Seed) {
		var err error
		if s, err = s.withRestarts(ctx); err != nil {
			return nil, nil, err
		}
	}
	f := &faults{every: faultsEvery, turn: faultsEvery}
	s.Beside = func(ctx context.Context, p cluster.Provider) (context.Context, func() error) {
		return f.begin(ctx, p.(faulty), s.Seed)
	}
	err := runE2E(ctx, s)
	if len(untold(err)) > 0 || ctx.Err() != nil {
		return nil, nil, err
	}
	r, err := report.Load(filepath.Join(s.Artifacts, "report.yaml"))
	return r, f, err
}

// restarts says whether the controller and the API server are restarted in the run with this seed, so that the seed alone repeats it.
func restarts(seed int64) bool { return seed%2 == 0 }

// nextSeed is the seed of the next run, which is of the other kind.
func nextSeed(chance *rand.Rand, last int64) int64 { return 2*(1+chance.Int64N(1<<30-1)) + (last+1)%2 }

// withRestarts are the settings of a run in which the controller and the API server are restarted.
func (s settings) withRestarts(ctx context.Context) (settings, error) {
	if s.Controller == "" {
		dir, err := buildKubernetes(ctx, s.Version, kubernetes.Controller)
		if err != nil {
			return s, err
		}
		s.Controller = fmt.Sprintf("'%s' --kubeconfig='{kubeconfig}'", filepath.Join(dir, "daemonset-controller"))
	}
	if s.Restart.every == 0 {
		s.Restart = restart{signal: syscall.SIGTERM, every: restartEvery}
		if s.Seed/2%2 == 0 {
			s.Restart.signal = syscall.SIGKILL
		}
	}
	s.APIServerRestarts, s.Timeouts = true, max(s.Timeouts, patience)
	return s, nil
}

// tally is what a soak has seen.
type tally struct{ runs, specs, examined, failed, inconclusive, errors, freezes, absences int }

func (t *tally) add(r *report.ConformanceReport, f *faults) {
	c := r.Summary.Statistics
	t.runs++
	t.specs += c.Planned
	t.examined += c.Passed + c.Deviations + c.Failed
	t.failed += c.Failed
	t.inconclusive += c.Inconclusive
	t.errors += c.Errors + c.NotRun
	t.freezes += int(f.freezes.Load())
	t.absences += int(f.absences.Load())
}

func (t tally) String() string {
	return fmt.Sprintf("%d runs, %d specs, %d freezes, %d restarts of the API server: %d failed, %d inconclusive, %d errors",
		t.runs, t.specs, t.freezes, t.absences, t.failed, t.inconclusive, t.errors)
}

// verdict says why the soak has not shown what it is for, or "".
func (t tally) verdict() string {
	switch {
	case t.failed+t.errors > 0:
		return "something was accused that should not be"
	case t.inconclusive > 0:
		return fmt.Sprintf("%d inconclusive: none of the faults takes an event or a node away, so what did is to be found", t.inconclusive)
	case t.examined == 0:
		return "nothing was examined"
	}
	return ""
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
