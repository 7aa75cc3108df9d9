package report

import (
	"errors"
	"fmt"
	"reflect"
)

// Validate returns nil if the report agrees with itself: the counts add up and are those of the lists, every verdict follows
// from those below it, every name is there once, every skip and failure has its reason. The error has a line for each fault.
func (r *ConformanceReport) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if r.APIVersion != APIVersion || r.Kind != Kind {
		fault("it is a %s %s, not a %s %s", r.APIVersion, r.Kind, APIVersion, Kind)
	}
	if r.Date.IsZero() {
		fault("it has no date")
	}
	if s := r.Summary.Statistics; s.sum() != s.Planned {
		fault("summary: %d specs were planned, but the verdicts add up to %d", s.Planned, s.sum())
	}
	for _, p := range r.Profiles {
		if p.Statistics.sum() != p.Statistics.Planned {
			fault("profile %s: %d behaviours were planned, but the verdicts add up to %d", p.Name, p.Statistics.Planned, p.Statistics.sum())
		}
	}
	names := map[string]bool{}
	for _, s := range r.Specs {
		if s.Name == "" || names[s.Name] {
			fault("spec %q: the name is empty or there twice", s.Name)
		}
		names[s.Name] = true
		if s.Verdict != Passed && s.Reason == "" {
			fault("spec %q: it is %s without a reason", s.Name, s.Verdict)
		}
		if s.Verdict == Passed && len(s.Violations) > 0 {
			fault("spec %q: it passed with %d violations", s.Name, len(s.Violations))
		}
	}
	ids := map[string]bool{}
	for _, b := range r.Behaviours {
		if b.ID == "" || ids[b.ID] {
			fault("behaviour %q: the id is empty or there twice", b.ID)
		}
		ids[b.ID] = true
		if b.Level == "" {
			fault("behaviour %s: a spec covers it, but the catalog does not have it", b.ID)
		}
	}

	again := *r
	again.Specs = append([]Spec(nil), r.Specs...)
	again.Behaviours = append([]Behaviour(nil), r.Behaviours...)
	again.Complete()
	if r.Summary != again.Summary {
		fault("summary: it says %+v, the specs give %+v", r.Summary, again.Summary)
	}
	if !reflect.DeepEqual(r.Profiles, again.Profiles) {
		fault("profiles: they say %+v, the behaviours give %+v", r.Profiles, again.Profiles)
	}
	for i, b := range again.Behaviours {
		if i >= len(r.Behaviours) || !reflect.DeepEqual(r.Behaviours[i], b) {
			fault("behaviour %s: it is not what its specs give, %s, or not in its place", b.ID, b.Verdict)
		}
	}
	for i, s := range again.Specs {
		if r.Specs[i].Name != s.Name {
			fault("spec %q: it is not in its place", r.Specs[i].Name)
			break
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("the report contradicts itself: %w", err)
	}
	return nil
}
