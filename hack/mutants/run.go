package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"rollcall.dev/framework/report"
)

const rollcall = ".cache/bin/rollcall"

// run judges each mutant that has no result yet, on one cluster that is kept for all.
func run(ctx context.Context, mutants []mutant, o options) error {
	if err := os.MkdirAll(filepath.Join(cache, "results"), 0o755); err != nil {
		return err
	}
	var c scene
	defer c.down()
	var did tally
	for i, m := range append([]mutant{unbroken(mutants, o)}, mutants...) {
		if m.ID == original && (o.brief || o.operators > 0 && !o.full) || m.unjudged() {
			continue
		}
		r, ok := settled(m.ID, o)
		if !ok {
			if o.slice > 0 && time.Since(o.began) > o.slice {
				if o.partial() && i > 1 { // tomorrow's sample is another one anyway, but none at all is no sample
					fmt.Printf("%s are over: %d of %d were not tried\n", o.slice, len(mutants)-i+1, len(mutants))
					break
				}
				return fmt.Errorf("%s are over: %d of %d are still to be judged, by the same command", o.slice, len(mutants)-i+1, len(mutants))
			}
			if err := c.up(ctx); err != nil {
				return err
			}
			var err error
			if r, err = judge(ctx, m, o); err != nil {
				return fmt.Errorf("mutant %s: %w", m.ID, err)
			}
			if !o.partial() && (!o.brief || r.Killed) {
				if err := r.save(); err != nil {
					return err
				}
			}
		}
		fmt.Printf("[%d/%d] %s\n", i, len(mutants), r)
		if m.ID != original {
			did.add(m, r)
		} else if r.Killed || r.Unclear != "" {
			err := errors.New("the unbroken controller does not pass: nothing that follows would prove anything")
			if !o.partial() {
				err = errors.Join(err, os.Remove(resultPath(m.ID)))
			}
			return err
		}
	}
	return did.err(len(mutants))
}

// tally is the mutants that make a run fail.
type tally struct {
	survivors, unclear []string
	accused            []string // break no promise, and were killed all the same
}

func (t *tally) add(m mutant, r result) {
	switch {
	case r.Unclear != "":
		t.unclear = append(t.unclear, m.ID)
	case r.Killed && m.Equivalent != "":
		fmt.Printf("  which is a false accusation: %s\n", m.Equivalent)
		t.accused = append(t.accused, m.ID)
	case !r.Killed && m.Equivalent == "":
		t.survivors = append(t.survivors, m.ID)
	}
}

func (t *tally) err(of int) error {
	if len(t.survivors)+len(t.unclear)+len(t.accused) == 0 {
		return nil
	}
	return fmt.Errorf("of %d mutants %d survived (%s), of %d nothing can be said (%s), and %d are accused though they break no promise (%s)", of,
		len(t.survivors), strings.Join(t.survivors, " "), len(t.unclear), strings.Join(t.unclear, " "), len(t.accused), strings.Join(t.accused, " "))
}

// due are the mutants that run will judge, the others have their results.
func due(mutants []mutant, o options) (left []mutant) {
	for _, m := range mutants {
		if _, ok := settled(m.ID, o); !ok && !m.unjudged() {
			left = append(left, m)
		}
	}
	return left
}

// unbroken is the controller that a run of the suite has to pass before any kill means something. A sample is judged by the expected
// specs alone, and so is it.
func unbroken(mutants []mutant, o options) mutant {
	m := mutant{ID: original}
	if o.sample > 0 {
		for _, other := range mutants {
			m.Behaviours = append(m.Behaviours, other.Behaviours...)
		}
		slices.Sort(m.Behaviours)
		m.Behaviours = slices.Compact(m.Behaviours)
	}
	return m
}

// stage is one run of the suite against a mutant.
type stage struct {
	name     string
	labels   string
	settings []string
}

// stages are tried until one kills: the specs of what the mutant breaks, then all others. Of a change that an operator made nobody knows
// what it breaks. LABELS and FOCUS leave some of each.
func stages(m mutant, o options) []stage {
	expected := strings.Join(m.Behaviours, " || ")
	const first = "FAIL_FAST=1"
	switch {
	case m.ID == original && o.sample > 0:
		return []stage{{"expected", o.among(expected), []string{"PROCS=" + o.procs}}}
	case m.ID == original || o.full:
		return []stage{{"quick", o.among("!slow"), nil}, {"slow", o.among("slow"), nil}}
	case m.edit != nil:
		var all []stage
		for _, s := range []struct{ name, labels string }{{"first", o.first}, {"quick", "!slow"}, {"slow", "slow"}} {
			if s.labels != "" && (s.name == "first" || !o.brief) {
				all = append(all, stage{s.name, o.among(s.labels), []string{first, "PROCS=" + o.procs}})
			}
		}
		return all
	}
	all := []stage{
		{"expected", o.among("(" + expected + ") && !slow"), []string{first, "PROCS=" + o.procs}},
		{"expected", o.among("(" + expected + ") && slow"), []string{first, "PROCS=" + o.procs}},
		{"all", o.among("!(" + expected + ")"), []string{first}},
	}
	if o.brief || o.sample > 0 {
		return all[:2]
	}
	return all
}

// among is a label filter for what LABELS names of these specs.
func (o options) among(labels string) string {
	if o.labels == "" {
		return labels
	}
	return "(" + labels + ") && (" + o.labels + ")"
}

func judge(ctx context.Context, m mutant, o options) (result, error) {
	began := time.Now()
	r := result{ID: m.ID, Seed: o.seed, Patience: o.limits, Full: o.full}
	for _, s := range stages(m, o) {
		kills, unclear, err := suite(ctx, m.ID, append(s.settings, "LABELS="+s.labels, "FOCUS="+o.focus, "TIMEOUT_FACTOR="+o.limits, fmt.Sprintf("SEED=%d", o.seed)))
		if err != nil {
			return r, err
		}
		if unclear == selectsNone { // no slow ones, say
			continue
		}
		r.Stage, r.Specs, r.Unclear = s.name, append(r.Specs, kills...), unclear
		if m.edit != nil && unclear == endedByItself {
			// Nobody says beforehand what such a change breaks: a controller that does not even stay up has been noticed.
			r.Specs, r.Unclear = append(r.Specs, kill{Spec: anySpec, Reason: "the controller " + endedByItself}), ""
		}
		r.Killed = len(r.Specs) > 0
		if m.edit != nil && r.Killed && !o.full {
			if err := confirm(ctx, &r, o); err != nil {
				return r, err
			}
		}
		if r.Unclear != "" || r.Killed && !o.full {
			break
		}
	}
	if r.Stage == "" {
		r.Unclear = "no spec of those that would be tried is one of LABELS and FOCUS"
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// confirm has the unbroken controller try the spec that noticed a mutant, under the same limits: only what passes then has noticed the
// mutant. That is quicker than to have it pass the whole suite beforehand, which a sample of a few mutants does not pay for.
func confirm(ctx context.Context, r *result, o options) error {
	spec := r.Specs[0].Spec
	if confirmed[spec] || spec == anySpec {
		return nil
	}
	settings := []string{"FOCUS=" + regexp.QuoteMeta(spec) + "$", "PROCS=1", "TIMEOUT_FACTOR=" + o.limits, fmt.Sprintf("SEED=%d", o.seed)}
	kills, unclear, err := suite(ctx, original, settings)
	switch {
	case err != nil:
		return err
	case len(kills) > 0:
		r.Killed, r.Unclear = false, "the unbroken controller fails that spec, too: "+spec+": "+kills[0].Reason
	case unclear != "":
		r.Killed, r.Unclear = false, unclear
	default:
		confirmed[spec] = true
	}
	return nil
}

// confirmed are the specs that the unbroken controller has passed.
var confirmed = map[string]bool{}

// suite runs specs against a controller and returns those that failed: by a judgement or an expectation about what the controller did.
// A run that broke off for another reason, such as a controller that ends by itself, says nothing, and unclear says why.
func suite(ctx context.Context, id string, settings []string) (kills []kill, unclear string, err error) {
	binary, err := filepath.Abs(binaryOf(id))
	if err != nil {
		return nil, "", err
	}
	artifacts := filepath.Join(cache, "artifacts", id)
	cmd := exec.CommandContext(ctx, rollcall, "e2e")
	cmd.Env = append(os.Environ(), own, "REUSE=1", "CONTROLLER="+binary+" --kubeconfig={kubeconfig}", "DEVIATIONS=kube-controller-manager",
		"ARTIFACTS="+artifacts, "PROVIDER=", "LABELS=", "FOCUS=", "NODES=", "REPEAT=", "PROCS=")
	cmd.Env = append(cmd.Env, settings...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, runErr := cmd.CombinedOutput()
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	if strings.Contains(string(out), selectsNone) {
		return nil, selectsNone, nil
	}
	var exit *exec.ExitError
	if runErr != nil && (!errors.As(runErr, &exit) || exit.ExitCode() != specsFailed) {
		if strings.Contains(string(out), endedByItself) {
			return nil, endedByItself, nil
		}
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

// anySpec stands for the spec that noticed a controller which does not stay up.
const anySpec = "any"

// endedByItself is what rollcall says of a CONTROLLER that does not stay up.
const endedByItself = "ended by itself"

// selectsNone is what rollcall says of LABELS and FOCUS that no spec has.
const selectsNone = "selects no spec"

// specsFailed is rollcall's exit code where the suite came to its end and did not pass.
const specsFailed = 1

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
