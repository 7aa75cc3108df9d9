package rollout

import (
	"github.com/onsi/ginkgo/v2"

	"rollcall.dev/framework/catalog"
)

// DeviationEntry is the name of the report entry that holds what a spec of a known deviation saw.
const DeviationEntry = "rollcall.deviation"

// deviating is true while a spec asserts what Deviating was given.
var deviating bool

// Deviating runs the assertions of a spec that a known deviation of a behaviour that it covers is about, or that no document promises. Where
// the deviation applies, a failure in there is shown and fails no run; what fails anywhere else, the spec's preparations included, fails as
// ever.
func Deviating(assertions func()) {
	deviating = true
	defer func() { deviating = false }()
	assertions()
}

// Fail is the fail handler of a suite: gomega.RegisterFailHandler(rollout.Fail). It fails the spec, except in Deviating, if the implementation
// is known to break a promise that the spec covers: then the message is kept as a report entry, and the spec ends without failing the run.
func Fail(message string, callerSkip ...int) {
	skip := 0
	if len(callerSkip) > 0 {
		skip = callerSkip[0]
	}
	if id, d := excuse(); deviating && d != nil {
		whose := "known deviation " + id + " of " + d.Implementation
		if d.Implementation == "" {
			whose = id + ", which binds nobody"
		}
		ginkgo.AddReportEntry(DeviationEntry, id+": "+message, ginkgo.ReportEntryVisibilityNever)
		ginkgo.Skip(whose+": "+d.Summary, skip+1)
	}
	ginkgo.Fail(message, skip+1)
}

// excuse returns the deviation that excuses the current spec's failure, nil if there is none.
func excuse() (id string, d *catalog.Deviation) {
	if environment == nil {
		return "", nil
	}
	for _, label := range ginkgo.CurrentSpecReport().Labels() {
		behaviour, ok := catalog.Get(label)
		if !ok {
			continue
		}
		d, err := behaviour.Excuse(environment.Deviations, environment.Provider.State().Version)
		if err != nil {
			ginkgo.Fail("looking for known deviations: " + err.Error())
		}
		if d != nil {
			return label, d
		}
	}
	return "", nil
}
