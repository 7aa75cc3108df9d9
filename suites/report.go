package suites

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/report"
	"rollcall.dev/framework/rollout"
)

// What the run's report is made of: the plan, and a line when a spec begins and when it ends. Where make e2e runs the suite, it has the plan
// written before the first spec and merges the report itself, so that there is one however the suite ended.

func (s *suite) parts() string { return filepath.Join(s.Artifacts, report.PartsFolder) }

// plan is what is going to run, or was to: the given specs.
func (s *suite) plan(began time.Time, specs []SpecReport) *report.Plan {
	plan := &report.Plan{Report: report.ConformanceReport{
		Date:           began.UTC().Truncate(time.Second),
		Suite:          report.Suite{Version: cmp.Or(release(), report.SuiteVersion), Commit: s.commit, Seed: s.configuration.RandomSeed},
		Implementation: s.implementation(),
		Cluster:        report.Cluster{Provider: s.Cluster.Provider, KubernetesVersion: s.Cluster.Version, Nodes: s.Cluster.Nodes},
		Reproduce:      s.Reproduce,
	}}
	for _, b := range catalog.All() {
		plan.Report.Behaviours = append(plan.Report.Behaviours, report.Behaviour{ID: b.ID, Level: string(b.Level), Area: b.Area.Name, Statement: b.Statement, Unproven: b.Unproven})
	}
	for _, spec := range specs {
		plan.Specs = append(plan.Specs, report.Spec{Name: name(spec), Behaviours: behaviours(spec)})
	}
	return plan
}

// selected says whether the run's selection includes the spec: one that it leaves out is skipped without a word.
func selected(spec SpecReport) bool {
	return spec.LeafNodeType.Is(types.NodeTypeIt) && (!spec.State.Is(types.SpecStateSkipped) || spec.Failure.Message != "")
}

func name(spec SpecReport) string { return spec.FullText() }

func behaviours(spec SpecReport) []string {
	return catalog.SpecInfo{Labels: spec.Labels()}.Behaviours()
}

func (s *suite) registerReport() {
	ReportBeforeEach(func(spec SpecReport) {
		if !selected(spec) {
			return
		}
		if s.part == nil {
			var err error
			if s.part, err = report.OpenPart(s.parts(), GinkgoParallelProcess()); err != nil {
				Fail(err.Error())
			}
		}
		if err := s.part.Begin(name(spec)); err != nil {
			Fail(err.Error())
		}
	})
	ReportAfterEach(func(spec SpecReport) {
		if s.part == nil || !selected(spec) {
			return
		}
		if err := s.part.Append(result(spec)); err != nil {
			Fail(err.Error())
		}
	})
	if !s.launched {
		ReportAfterSuite("writes the report", s.conclude)
	}
}

// conclude writes the report of a run that nobody has planned: Ginkgo cannot preview the specs of a process that is to run them.
func (s *suite) conclude(run Report) {
	cut := len(run.SpecialSuiteFailureReasons) > 0 || run.SuiteConfig.FailFast && !run.SuiteSucceeded
	var specs []SpecReport
	for _, spec := range run.SpecReports {
		if selected(spec) || cut && spec.LeafNodeType.Is(types.NodeTypeIt) && included(spec, s.configuration) {
			specs = append(specs, spec)
		}
	}
	Expect(s.plan(run.StartTime, specs).Save(s.parts())).To(Succeed())
	r, err := report.SaveAll(s.parts(), s.Artifacts)
	Expect(err).NotTo(HaveOccurred())
	lines := r.Digest()
	for _, reason := range run.SpecialSuiteFailureReasons {
		lines = append(lines, "the run was cut short: "+reason) // Ginkgo's -timeout, go test's, or an interrupt
	}
	AddReportEntry("Rollcall", ReportEntryVisibilityAlways, strings.Join(append(lines, "report: "+s.Artifacts), "\n"))
	if err := r.Err(); err != nil && run.SuiteSucceeded {
		Fail(err.Error())
	}
}

// result is what the report says of a spec.
func result(spec SpecReport) report.Spec {
	r := report.Spec{Name: name(spec), Behaviours: behaviours(spec), Duration: report.Duration(spec.RunTime)}
	var judgement rollout.Judgement
	deviation := ""
	for _, entry := range spec.ReportEntries {
		switch entry.Name {
		case rollout.JudgementEntry:
			judgement, _ = entry.GetRawValue().(rollout.Judgement) // only rollout writes it, in this process
		case rollout.FigureEntry:
			f, _ := entry.GetRawValue().(rollout.Figure)
			r.Figures = append(r.Figures, report.Figure(f))
		case rollout.DeviationEntry:
			deviation = fmt.Sprint(entry.GetRawValue())
		}
	}
	r.History, r.Judged = judgement.History, judgement.Judged
	for _, v := range judgement.Violations {
		violation := report.Violation{Invariant: v.Invariant, At: v.At, Message: v.Message, Evidence: v.Evidence}
		for _, o := range v.Objects {
			violation.Objects = append(violation.Objects, fmt.Sprintf("%s/%s/%s", o.Resource, o.Namespace, o.Name))
		}
		r.Violations = append(r.Violations, violation)
	}
	r.Verdict = verdict(spec, judgement, deviation)
	if r.Verdict != report.Passed {
		// After the spec has ended as a known deviation, or by Skip.
		if more := cmp.Or(further(spec, false), further(spec, true)); more != "" && spec.State.Is(types.SpecStateSkipped) {
			deviation = more + "\n" + cmp.Or(deviation, spec.Failure.Message)
		}
		text := cmp.Or(deviation, spec.Failure.ForwardedPanic, spec.Failure.Message, spec.State.String())
		if len(judgement.Violations) > 0 && r.Verdict == report.Failed && !strings.HasPrefix(text, judgement.Violations[0].Invariant) {
			// The spec itself gave up first. What the judge saw says better who broke what, where and when.
			text = judgement.Violations[0].String() + "\n" + text
		}
		if r.Verdict == report.Inconclusive && !strings.Contains(text, judgement.Inconclusive) {
			text = "inconclusive: " + judgement.Inconclusive + "\n" + text
		}
		r.Reason, _, _ = strings.Cut(text, "\n")
		if text != r.Reason {
			r.Failure = text
		}
		if r.Verdict != report.Skipped && r.Verdict != report.Deviation {
			r.Location = place(spec.Failure.Location)
		}
	}
	return r
}

// verdict translates. Where our own set-up or clean-up failed, nothing is known about the implementation: an error.
func verdict(spec SpecReport, judgement rollout.Judgement, deviation string) report.Verdict {
	switch {
	case spec.State.Is(types.SpecStatePassed):
		return report.Passed
	case deviation != "" && judgement.Inconclusive != "":
		return report.Inconclusive
	case deviation != "" && further(spec, false) != "": // the judge found more than the deviation excuses
		return report.Failed
	case spec.State.Is(types.SpecStateSkipped) && further(spec, true) != "":
		return report.Error
	case spec.State.Is(types.SpecStateSkipped) && deviation != "":
		return report.Deviation
	case spec.State.Is(types.SpecStateSkipped):
		return report.Skipped
	case spec.State.Is(types.SpecStateInterrupted | types.SpecStateAborted | types.SpecStatePending):
		return report.NotRun
	case judgement.Inconclusive != "":
		return report.Inconclusive
	case len(judgement.Violations) > 0:
		return report.Failed
	case spec.State.Is(types.SpecStateTimedout) && spec.Failure.Message == "A suite timeout occurred":
		return report.NotRun // to its end: it is the run that was too long
	case spec.State.Is(types.SpecStatePanicked), spec.Failure.FailureNodeType.Is(types.NodeTypeBeforeEach | types.NodeTypeBeforeAll | inCleanUp):
		return report.Error
	}
	return report.Failed
}

// inCleanUp are the nodes of ours that take back what a spec did.
const inCleanUp = types.NodeTypeCleanupAfterEach | types.NodeTypeCleanupAfterAll

// further is the first failure after the spec's own end: of our clean-up, or of anything else.
func further(spec SpecReport, cleanUp bool) string {
	for _, f := range spec.AdditionalFailures {
		if f.Failure.FailureNodeType.Is(inCleanUp) == cleanUp {
			text := cmp.Or(f.Failure.ForwardedPanic, f.Failure.Message)
			if inner := f.Failure.AdditionalFailure; inner != nil { // what was under way when the time was up
				text += ": " + inner.Failure.Message
			}
			return text
		}
	}
	return ""
}

// place is a code location below the project's root, or below the working directory for somebody else's spec.
func place(l types.CodeLocation) string {
	file := l.FileName
	if _, here, _, ok := runtime.Caller(0); ok {
		if relative, err := filepath.Rel(filepath.Dir(filepath.Dir(here)), file); err == nil && filepath.IsLocal(relative) {
			return fmt.Sprintf("%s:%d", relative, l.LineNumber)
		}
	}
	if directory, err := os.Getwd(); err == nil {
		if relative, err := filepath.Rel(directory, file); err == nil {
			file = relative
		}
	}
	return fmt.Sprintf("%s:%d", file, l.LineNumber)
}
