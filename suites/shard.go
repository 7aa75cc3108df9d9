package suites

import (
	"regexp"

	. "github.com/onsi/ginkgo/v2"

	"rollcall.dev/framework/report"
)

// takeShare makes the plan that of one shard. Each shard deals out all the specs by itself: the selection is the same, and so is the earlier
// report, if there is one, by whose durations the shares are balanced.
func (s *suite) takeShare(plan *report.Plan, specs []SpecReport, durations string) error {
	var took map[string]report.Duration
	if durations != "" {
		earlier, err := report.Load(durations)
		if err != nil {
			return err
		}
		took = earlier.Durations()
	}
	plan.Shard, plan.Shares = s.shard, report.Shares(shareable(specs), s.shard.Of, took)
	plan.Specs = plan.Shares[s.shard.Index]
	return nil
}

// shareable says which specs have to stay together: those of an Ordered container.
func shareable(specs []SpecReport) (all []report.Shareable) {
	for _, spec := range specs {
		one := report.Shareable{Spec: report.Spec{Name: name(spec), Behaviours: behaviours(spec)}, Serial: spec.IsSerial}
		if spec.IsInOrderedContainer {
			one.Together = spec.ContainerHierarchyLocations[0].String()
		}
		all = append(all, one)
	}
	return all
}

// focusOnShare selects the specs of the plan by their names. FOCUS has done its part in the plan.
func (s *suite) focusOnShare() error {
	plan, err := report.LoadPlan(s.parts())
	if err != nil {
		return err
	}
	s.configuration.FocusStrings = nil
	for _, spec := range plan.Specs {
		s.configuration.FocusStrings = append(s.configuration.FocusStrings, "^"+title+" "+regexp.QuoteMeta(spec.Name)+"$")
	}
	return nil
}
