package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rollcall.dev/framework/report"
)

const rollcall = ".cache/bin/rollcall"

const (
	// impatience shortens the suite's time limits: a controller that does nothing would cost minutes a spec. The unbroken controller is
	// judged first, under the same limits, or a kill would prove nothing.
	impatience = "0.4"
	// defaultSeed makes two runs try the specs in the same order, so that the same one is the first to notice.
	defaultSeed = 1
	// expectedProcs is enough for the few specs of a mutant's behaviours; more would cost their start.
	expectedProcs = "6"
)

// options are what the environment says about a run.
type options struct {
	again  bool          // AGAIN=1: judge also what has a result
	full   bool          // FULL=1: the whole suite against each, not only until the first kill
	slice  time.Duration // FOR=9m: begin no further mutant after that time; the next run goes on
	brief  bool          // BRIEF=1: the expected specs only; what survives those is not settled
	procs  string        // PROCS=2: how many of the expected specs run at once
	limits string        // TIMEOUT_FACTOR=0.5: more patience than impatience, on a machine that is busy
	seed   int64
}

func loadOptions(env func(string) string) (options, error) {
	o := options{again: env("AGAIN") == "1", full: env("FULL") == "1", brief: env("BRIEF") == "1", procs: cmp.Or(env("PROCS"), expectedProcs), limits: cmp.Or(env("TIMEOUT_FACTOR"), impatience), seed: defaultSeed}
	var err error
	if v := env("FOR"); v != "" {
		if o.slice, err = time.ParseDuration(v); err != nil {
			return o, fmt.Errorf("FOR=%s: must be a duration such as 9m", v)
		}
	}
	if v := env("SEED"); v != "" {
		if o.seed, err = strconv.ParseInt(v, 10, 64); err != nil || o.seed < 1 {
			return o, fmt.Errorf("SEED=%s: must be a whole number of at least 1", v)
		}
	}
	return o, nil
}

// run judges each mutant that has no result yet, on one cluster that is kept for all.
func run(ctx context.Context, mutants []mutant, o options) error {
	if err := os.MkdirAll(filepath.Join(cache, "results"), 0o755); err != nil {
		return err
	}
	began := time.Now()
	var c scene
	defer c.down()
	var survivors, unclear []string
	for i, m := range append([]mutant{{ID: original}}, mutants...) {
		if m.ID == original && o.brief {
			continue
		}
		r, err := loadResult(m.ID)
		if err != nil || o.again {
			if o.slice > 0 && time.Since(began) > o.slice {
				return fmt.Errorf("%s are over: %d of %d are still to be judged, by the same command", o.slice, len(mutants)-i+1, len(mutants))
			}
			if err := c.up(ctx); err != nil {
				return err
			}
			if r, err = judge(ctx, m, o); err != nil {
				return fmt.Errorf("mutant %s: %w", m.ID, err)
			}
			if !o.brief || r.Killed {
				if err := r.save(); err != nil {
					return err
				}
			}
		}
		fmt.Printf("[%d/%d] %s\n", i, len(mutants), r)
		switch {
		case m.ID == original:
			if r.Killed || r.Unclear != "" {
				return errors.Join(errors.New("the unbroken controller does not pass: nothing that follows would prove anything"), os.Remove(resultPath(m.ID)))
			}
		case r.Unclear != "":
			unclear = append(unclear, m.ID)
		case !r.Killed && m.Equivalent == "":
			survivors = append(survivors, m.ID)
		}
	}
	if len(survivors)+len(unclear) > 0 {
		return fmt.Errorf("of %d mutants %d survived (%s), and of %d nothing can be said (%s)",
			len(mutants), len(survivors), strings.Join(survivors, " "), len(unclear), strings.Join(unclear, " "))
	}
	return nil
}

// stage is one run of the suite against a mutant.
type stage struct {
	name     string
	settings []string
}

// stages are tried until one kills: the specs of what the mutant breaks, then all others.
func stages(m mutant, o options) []stage {
	expected := strings.Join(m.Behaviours, " || ")
	if m.ID == original || o.full {
		return []stage{{"quick", []string{"LABELS=!slow"}}, {"slow", []string{"LABELS=slow"}}}
	}
	first := "FAIL_FAST=1"
	all := []stage{
		{"expected", []string{first, "LABELS=(" + expected + ") && !slow", "PROCS=" + o.procs}},
		{"expected", []string{first, "LABELS=(" + expected + ") && slow", "PROCS=" + o.procs}},
		{"all", []string{first, "LABELS=!(" + expected + ")"}},
	}
	if o.brief {
		return all[:2]
	}
	return all
}

func judge(ctx context.Context, m mutant, o options) (result, error) {
	began := time.Now()
	r := result{ID: m.ID, Seed: o.seed, Patience: o.limits}
	for _, s := range stages(m, o) {
		kills, unclear, err := suite(ctx, m.ID, append(s.settings, "TIMEOUT_FACTOR="+o.limits, fmt.Sprintf("SEED=%d", o.seed)))
		if err != nil {
			return r, err
		}
		r.Stage, r.Specs, r.Unclear = s.name, append(r.Specs, kills...), unclear
		r.Killed = len(r.Specs) > 0
		if unclear != "" || r.Killed && !o.full {
			break
		}
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// suite runs specs against a controller and returns those that failed: by a judgement or an expectation about what the controller did.
// A run that broke off for another reason, such as a controller that ends by itself, says nothing, and unclear says why.
func suite(ctx context.Context, id string, settings []string) (kills []kill, unclear string, err error) {
	binary, err := filepath.Abs(binaryOf(id))
	if err != nil {
		return nil, "", err
	}
	artifacts := filepath.Join(cache, "artifacts", id)
	cmd := exec.CommandContext(ctx, rollcall, "e2e")
	cmd.Env = append(os.Environ(), "REUSE=1", "CONTROLLER="+binary+" --kubeconfig={kubeconfig}", "DEVIATIONS=kube-controller-manager",
		"ARTIFACTS="+artifacts, "PROVIDER=", "FOCUS=", "NODES=", "REPEAT=", "PROCS=")
	cmd.Env = append(cmd.Env, settings...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, runErr := cmd.CombinedOutput()
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	if strings.Contains(string(out), "selects no spec") {
		return nil, "", nil
	}
	var exit *exec.ExitError
	if runErr != nil && (!errors.As(runErr, &exit) || exit.ExitCode() != specsFailed) {
		return nil, "the run broke off: " + lastLine(out), nil
	}
	r, err := report.Load(filepath.Join(artifacts, "report.yaml"))
	if err != nil {
		return nil, "", fmt.Errorf("%w\n%s", err, out)
	}
	for _, s := range r.Specs {
		switch s.Verdict {
		case report.Failed:
			k := kill{Spec: s.Name, Reason: s.Reason, Behaviours: strings.Join(s.Behaviours, " ")}
			if len(s.Violations) > 0 {
				k.Invariant = s.Violations[0].Invariant
			}
			kills = append(kills, k)
		case report.Error, report.Inconclusive:
			unclear = fmt.Sprintf("%s: %s: %s", s.Verdict, s.Name, s.Reason)
		}
	}
	if len(kills) > 0 {
		return kills, "", nil
	}
	if runErr != nil {
		unclear = cmp.Or(unclear, lastLine(out))
	}
	return nil, unclear, nil
}

// specsFailed is rollcall's exit code where the suite came to its end and did not pass.
const specsFailed = 1

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
