package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The levels that have a profile. A deviation or an informative behaviour is shown, and belongs to none.
var profileLevels = []string{"core", "extended"}

// Complete fills in what follows from Specs and from each behaviour's id, level and statement: the behaviours' specs and
// verdicts, the profiles, the summary, and the order of everything. Whatever these held before is overwritten.
func (r *ConformanceReport) Complete() {
	r.APIVersion, r.Kind = APIVersion, Kind
	if r.Implementation.Contact == nil {
		r.Implementation.Contact = []string{}
	}
	slices.SortStableFunc(r.Specs, func(a, b Spec) int { return cmp.Compare(a.Name, b.Name) })
	for i := range r.Specs {
		s := &r.Specs[i]
		s.Behaviours = append([]string{}, s.Behaviours...)
		slices.SortFunc(s.Behaviours, compareIDs)
		s.Behaviours = slices.Compact(s.Behaviours)
		s.Judged = append([]string(nil), s.Judged...)
		slices.SortFunc(s.Judged, compareIDs)
		s.Judged = slices.Compact(s.Judged)
		slices.SortStableFunc(s.Violations, func(a, b Violation) int {
			return cmp.Or(a.At.Compare(b.At), compareIDs(a.Invariant, b.Invariant), cmp.Compare(a.Message, b.Message))
		})
	}
	r.completeBehaviours()
	r.Profiles = make([]Profile, 0, len(profileLevels))
	for _, level := range profileLevels {
		r.Profiles = append(r.Profiles, profile(level, r.Behaviours))
	}
	r.Summary = r.summary()
}

// shown is what a spec has shown about one behaviour.
type shown struct {
	spec    string // empty for an invariant that held: too many to list
	verdict Verdict
}

// evidence gathers by behaviour what the specs have shown: about those that they name, and about the invariants that their
// histories were judged by.
func evidence(specs []Spec) map[string][]shown {
	found := map[string][]shown{}
	for _, s := range specs {
		for _, id := range s.Behaviours {
			found[id] = append(found[id], shown{s.Name, s.Verdict})
		}
		broken := map[string]bool{}
		for _, v := range s.Violations {
			if broken[v.Invariant] || slices.Contains(s.Behaviours, v.Invariant) {
				continue
			}
			broken[v.Invariant] = true
			verdict := Failed
			if s.Verdict == Deviation {
				verdict = Deviation
			}
			found[v.Invariant] = append(found[v.Invariant], shown{s.Name, verdict})
		}
		for _, id := range s.Judged {
			if !broken[id] && !slices.Contains(s.Behaviours, id) {
				found[id] = append(found[id], shown{"", Passed})
			}
		}
	}
	return found
}

// completeBehaviours derives each behaviour from the specs, and sorts. A behaviour that only a spec knows is added without a
// level: Validate complains about it, but it is not lost.
func (r *ConformanceReport) completeBehaviours() {
	found := evidence(r.Specs)
	judged := map[string]int{}
	for _, s := range r.Specs {
		for _, id := range s.Judged {
			judged[id]++
		}
	}
	known := map[string]bool{}
	for _, b := range r.Behaviours {
		known[b.ID] = true
	}
	for id := range found {
		if !known[id] {
			r.Behaviours = append(r.Behaviours, Behaviour{ID: id})
		}
	}
	for i := range r.Behaviours {
		b := &r.Behaviours[i]
		b.Specs, b.Histories = []string{}, judged[b.ID]
		var verdicts []Verdict
		for _, s := range found[b.ID] {
			if s.spec != "" {
				b.Specs = append(b.Specs, s.spec)
			}
			verdicts = append(verdicts, s.verdict)
		}
		b.Verdict = Worst(verdicts...)
	}
	if r.Behaviours == nil {
		r.Behaviours = []Behaviour{}
	}
	slices.SortStableFunc(r.Behaviours, func(a, b Behaviour) int { return compareIDs(a.ID, b.ID) })
}

// compareIDs orders C-05 before C-12 and both before D-01, also where a number grows beyond two digits.
func compareIDs(a, b string) int {
	areaA, numberA, _ := strings.Cut(a, "-")
	areaB, numberB, _ := strings.Cut(b, "-")
	return cmp.Or(cmp.Compare(areaA, areaB), cmp.Compare(len(numberA), len(numberB)), cmp.Compare(numberA, numberB))
}

// Add counts one verdict.
func (s *Statistics) Add(v Verdict) {
	switch v {
	case Passed:
		s.Passed++
	case Deviation:
		s.Deviations++
	case Skipped:
		s.Skipped++
	case NotRun:
		s.NotRun++
	case Inconclusive:
		s.Inconclusive++
	case Failed:
		s.Failed++
	default:
		s.Errors++
	}
	s.Planned++
}

// sum is what Planned has to be.
func (s Statistics) sum() int {
	return s.Passed + s.Failed + s.Deviations + s.Skipped + s.Inconclusive + s.Errors + s.NotRun
}

// outcome judges the counts. what is the plural of the things counted; left says how many more belong to them but were not planned.
func (s Statistics) outcome(what string, left int) (Outcome, string) {
	var bad []string
	for _, c := range []struct {
		n    int
		name string
	}{{s.Failed, "failed"}, {s.Errors, "with an error"}, {s.Inconclusive, "inconclusive"}, {s.NotRun, "not run"}} {
		if c.n > 0 {
			bad = append(bad, fmt.Sprintf("%d %s", c.n, c.name))
		}
	}
	switch {
	case s.Planned == 0:
		return Failure, fmt.Sprintf("no %s were planned", what)
	case len(bad) > 0:
		return Failure, fmt.Sprintf("of %d %s: %s", s.Planned, what, strings.Join(bad, ", "))
	case s.Passed+s.Deviations == 0:
		return Failure, fmt.Sprintf("nothing was examined: of %d %s all were skipped", s.Planned, what)
	case s.Passed == 0:
		return Partial, fmt.Sprintf("no %s passed: those examined are known deviations", what)
	case s.Skipped > 0:
		return Partial, fmt.Sprintf("of %d %s: %d skipped", s.Planned, what, s.Skipped)
	case left > 0:
		return Partial, fmt.Sprintf("%d more %s are covered by no planned spec", left, what)
	}
	return Success, ""
}

func profile(level string, behaviours []Behaviour) Profile {
	p := Profile{Name: level}
	for _, b := range behaviours {
		switch {
		case b.Level != level:
		case b.Unproven != "" && len(b.Specs) == 0 && b.Histories == 0: // nobody can be asked to show it
		case len(b.Specs) == 0 && b.Histories == 0:
			p.Uncovered++
		default:
			p.Statistics.Add(b.Verdict)
		}
	}
	p.Result, p.Reason = p.Statistics.outcome(level+" behaviours", p.Uncovered)
	// A selection or an environment that leaves a whole level out does not make that level broken, only unexamined.
	switch s := p.Statistics; {
	case s.Planned == 0 && p.Uncovered > 0:
		p.Result, p.Reason = Partial, fmt.Sprintf("none of %d %s behaviours is covered by a planned spec", p.Uncovered, level)
	case s.Planned > 0 && s.Skipped == s.Planned:
		p.Result = Partial
	}
	return p
}

// summary judges the specs. It is no better than partial while a core behaviour is uncovered: a selection that passes is no conformance.
func (r *ConformanceReport) summary() Summary {
	var s Summary
	for _, spec := range r.Specs {
		s.Add(spec.Verdict)
	}
	s.Result, s.Reason = s.outcome("specs", 0)
	for _, p := range r.Profiles {
		if s.Result == Success && p.Name == "core" && p.Result != Success {
			s.Result, s.Reason = Partial, p.Reason
		}
	}
	return s
}

// Err is nil if the run may end well: something was examined, and no spec is failed, inconclusive, error or notRun. Otherwise
// it says in one line why not.
func (r *ConformanceReport) Err() error {
	if r.Summary.Result != Failure {
		return nil
	}
	return fmt.Errorf("the run did not pass: %s", r.Summary.Reason)
}
