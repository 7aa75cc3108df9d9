package report

import "fmt"

// mostLines is how many specs that did not run Digest names.
const mostLines = 3

// Digest is the report in a few lines: the counts, the profiles, each spec that is wrong, and a few of those that did not run.
func (r *ConformanceReport) Digest() []string {
	t := r.Summary.Statistics
	lines := []string{fmt.Sprintf("%s: %d specs: %d passed, %d failed, %d deviations, %d skipped, %d inconclusive, %d errors, %d not run",
		r.Summary.Result, t.Planned, t.Passed, t.Failed, t.Deviations, t.Skipped, t.Inconclusive, t.Errors, t.NotRun)}
	for _, p := range r.Profiles {
		lines = append(lines, fmt.Sprintf("profile %s: %s (%d of %d behaviours passed, %d not covered)", p.Name, p.Result, p.Statistics.Passed, p.Statistics.Planned+p.Uncovered, p.Uncovered))
	}
	unrun := 0
	for _, s := range r.Specs {
		if s.Verdict == NotRun {
			if unrun++; unrun > mostLines {
				continue
			}
		}
		if s.Verdict > Skipped {
			lines = append(lines, fmt.Sprintf("%s: %s: %s", s.Verdict, s.Name, s.Reason))
		}
	}
	if unrun > mostLines {
		lines = append(lines, fmt.Sprintf("%s: and %d more", NotRun, unrun-mostLines))
	}
	return lines
}
