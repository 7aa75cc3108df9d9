package rollout

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/invariant"
)

// JudgementEntry is the name of the report entry that holds a spec's Judgement, for the report of the run.
const JudgementEntry = "rollcall.judgement"

// Judgement is what the judge said about a spec's history.
type Judgement struct {
	// History is the file that was judged, below the artifacts folder.
	History string `json:"history"`
	// Inconclusive says why nothing could be judged, "" if it could.
	Inconclusive string `json:"inconclusive,omitempty"`
	// Judged are the invariants that looked at the history.
	Judged     []string              `json:"judged,omitempty"`
	Violations []invariant.Violation `json:"violations,omitempty"`
}

// String is what a console shows of the entry: nothing, since a failure has its own words.
func (Judgement) String() string { return "" }

// large is from how many events on a report says what a history cost.
const large = 5000

// judge ends the recording and has every invariant look at it, whatever the spec was about. It runs before clean-up, so what
// is taken away afterwards is not held against anybody. A spec that was skipped has no history to judge; one that met a known deviation
// has, and the deviation excuses only what it is about.
func (r *R) judge(ctx ginkgo.SpecContext) {
	ginkgo.GinkgoHelper()
	spec := ginkgo.CurrentSpecReport()
	deviated := slices.ContainsFunc(spec.ReportEntries, func(e types.ReportEntry) bool { return e.Name == DeviationEntry })
	if r.recorder == nil || spec.State.Is(types.SpecStateSkipped|types.SpecStatePending) && !deviated {
		return
	}
	limited, cancel := context.WithTimeout(ctx, r.patience(time.Minute))
	defer cancel()
	h, err := r.recorder.Stop(limited)
	judgement := Judgement{History: "histories/" + filepath.Base(r.file)}
	if err != nil { // about the file alone: the history in memory is judged all the same
		judgement.History = ""
		ginkgo.GinkgoWriter.Printf("the history could not be written: %v\n", err)
	}
	began := time.Now()
	result := invariant.Judge(h)
	if len(h.Entries) >= large {
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		Measured("events", float64(len(h.Entries)))
		Measured("judging (s)", time.Since(began).Seconds())
		Measured("memory of recorder and judge (MiB)", float64(memory.Sys-memory.HeapReleased)/(1<<20))
		var usage syscall.Rusage
		if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil { // Linux counts in KiB
			Measured("most memory that this process has had so far (MiB)", float64(usage.Maxrss)/(1<<10))
		}
	}
	if deviated && excused(result.Violations) { // they are what the spec has seen already, and say nothing about other histories
		for _, v := range result.Violations {
			result.NotApplicable[v.Invariant] = "it is how the known deviation shows"
		}
		result.Violations = nil
	}
	judgement.Violations = result.Violations
	for _, i := range invariant.All() {
		if _, not := result.NotApplicable[i.ID]; !not {
			judgement.Judged = append(judgement.Judged, i.ID)
		}
	}
	if result.Gap != nil {
		judgement.Inconclusive = result.Gap.Reason
	}
	if spec.Failed() && len(result.Violations) == 0 { // a violation is proof: the judge knows which pods and nodes were not Ready
		judgement.Inconclusive = cmp.Or(judgement.Inconclusive, trouble(h, r.nodes))
	}
	ginkgo.AddReportEntry(JudgementEntry, judgement, ginkgo.ReportEntryVisibilityNever)
	switch {
	case result.Gap != nil:
		ginkgo.Fail("inconclusive: events may be missing from the history, so nothing can be said about this spec: " + result.Gap.Reason)
	case judgement.Inconclusive != "":
		ginkgo.Fail("inconclusive: " + judgement.Inconclusive)
	case len(result.Violations) > 0 && r.mistaken(h, result.Violations):
		ginkgo.AddReportEntry(DeviationEntry, result.Violations[0].String(), ginkgo.ReportEntryVisibilityNever)
		ginkgo.Skip("known deviation M-02 of " + r.Deviations + ": an event of a pod that is ending is taken for the deletion that was just made")
	case len(result.Violations) > 0:
		// Not by our own Fail: a deviation that the spec is about excuses nothing else.
		ginkgo.Fail(failure(result.Violations, func(v invariant.Violation) string { return invariant.Explain(h, v) }))
	}
}

// mistaken says whether all that was found is a race that this implementation is known to have, in every version: it can hit any spec with
// an update, so no spec of its own stands for it.
func (r *R) mistaken(h *history.History, violations []invariant.Violation) bool {
	return r.judgesUpstream() &&
		!slices.ContainsFunc(violations, func(v invariant.Violation) bool { return !invariant.MistakenDeletion(h, v) })
}

// excused says whether all that was found is how the spec's known deviation shows in a history.
func excused(violations []invariant.Violation) bool {
	_, d := excuse()
	return d != nil && !slices.ContainsFunc(violations, func(v invariant.Violation) bool { return !slices.Contains(d.Invariants, v.Invariant) })
}

// judgesUpstream says whether kube-controller-manager's known deviations apply.
func (r *R) judgesUpstream() bool { return r.Deviations == catalog.KubeControllerManager }

// failure begins with the first violation's sentence, and ends with those that are not explained at length.
func failure(violations []invariant.Violation, explain func(invariant.Violation) string) string {
	const most = 3
	var b strings.Builder
	for i, v := range violations {
		if i == most {
			fmt.Fprintf(&b, "and %d more violations:\n", len(violations)-most)
		}
		if i < most {
			b.WriteString(explain(v) + "\n")
		} else {
			b.WriteString(v.String() + "\n")
		}
	}
	return strings.TrimSpace(b.String())
}
