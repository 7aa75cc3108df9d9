package report

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// tally gathers the lines about one spec.
type tally struct {
	began     int
	lastBegan time.Time
	results   []Spec
}

// Merge makes the report of a plan and the lines of any number of parts, in any order. A planned spec without a result is
// notRun, with a reason. One that ran several times has the worst of its verdicts. The report is whole even if there is an
// error, which has a line for each result that no plan foresaw and each name that the plan has twice.
func Merge(p *Plan, lines []Line) (*ConformanceReport, error) {
	r := p.Report
	r.Behaviours = append([]Behaviour(nil), p.Report.Behaviours...)
	r.Date = r.Date.UTC().Truncate(time.Second)
	r.Specs = nil

	tallies, latest := map[string]*tally{}, r.Date
	of := func(name string) *tally {
		t := tallies[name]
		if t == nil {
			t = &tally{}
			tallies[name] = t
		}
		return t
	}
	var order []string
	var spent Duration
	for _, l := range lines {
		if l.At.After(latest) {
			latest = l.At
		}
		if l.Result == nil {
			t := of(l.Began)
			t.began++
			if l.At.After(t.lastBegan) {
				t.lastBegan = l.At
			}
			continue
		}
		t := of(l.Result.Name)
		if len(t.results) == 0 {
			order = append(order, l.Result.Name)
		}
		t.results = append(t.results, *l.Result)
		spent += l.Result.Duration
	}

	var faults []error
	planned := map[string]bool{}
	for _, s := range p.Specs {
		if planned[s.Name] {
			faults = append(faults, fmt.Errorf("two specs are called %q: rename one", s.Name))
			continue
		}
		planned[s.Name] = true
		r.Specs = append(r.Specs, of(s.Name).spec(s))
	}
	for _, name := range order {
		if !planned[name] {
			faults = append(faults, fmt.Errorf("spec %q has a result but is not in the plan", name))
			r.Specs = append(r.Specs, tallies[name].spec(Spec{Name: name, Behaviours: tallies[name].results[0].Behaviours}))
		}
	}
	t := Timings{}
	if r.Timings != nil {
		t = *r.Timings
	}
	t.Total, t.Specs = Duration(latest.Sub(r.Date)), spent
	r.Timings = &t
	r.Complete()
	return &r, errors.Join(faults...)
}

// spec is what the lines say about a planned spec.
func (t *tally) spec(planned Spec) Spec {
	unfinished := t.began - len(t.results)
	if len(t.results) == 0 || unfinished > 0 {
		reason := "the run ended before this spec began"
		if unfinished > 0 {
			reason = fmt.Sprintf("the run ended while this spec was running; it began at %s", t.lastBegan.UTC().Format("15:04:05"))
		}
		lost := Spec{Name: planned.Name, Verdict: NotRun, Reason: reason}
		t.results = append(t.results, lost)
	}
	worst, alike := t.results[0], 0
	for _, s := range t.results[1:] {
		if s.Verdict > worst.Verdict {
			worst = s
		}
	}
	for _, s := range t.results {
		if s.Verdict == worst.Verdict {
			alike++
		}
	}
	if runs := len(t.results); runs > 1 {
		worst.Runs, worst.LikeThis = runs, alike
	}
	// The plan knows what a spec covers. A result that was written in a hurry may not.
	worst.Behaviours = planned.Behaviours
	if worst.Verdict != Passed {
		worst.Reason = cmp.Or(worst.Reason, "no reason was given")
	}
	return worst
}

// MergeDir is Merge for a folder of parts with its plan. It works at the end of a run and long after one that was killed.
// The report is there even if there is an error, unless the plan cannot be read.
func MergeDir(dir string) (*ConformanceReport, error) {
	plan, err := LoadPlan(dir)
	if err != nil {
		return nil, err
	}
	lines, faults := readParts(dir)
	r, err := Merge(plan, lines)
	if err := errors.Join(faults, err, r.Validate()); err != nil {
		return r, fmt.Errorf("merge the results in %s: %w", dir, err)
	}
	return r, nil
}
