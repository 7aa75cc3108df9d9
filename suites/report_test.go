package suites

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/report"
	"rollcall.dev/framework/rollout"
)

// What the run's report is made of: the plan before the first spec, and a line when a spec begins and when it ends. The report itself
// is merged by whoever started the suite, so that there is one however the suite ended.

var identity = report.BindIdentity(flag.CommandLine, os.Getenv)

func parts() string { return filepath.Join(options.artifacts, "parts") }

// running is set before the specs run. A dry run, for the plan or a list, walks through the nodes below too.
var running bool

// writePlan notes what is going to run. It takes a process of its own: after a dry run, Ginkgo no longer reports each spec.
func writePlan(t *testing.T, state cluster.State) {
	suite, _ := GinkgoConfiguration()
	plan := &report.Plan{Report: report.ConformanceReport{
		Date:           time.Now().UTC().Truncate(time.Second),
		Suite:          report.Suite{Version: report.SuiteVersion, Commit: options.commit, Seed: suite.RandomSeed},
		Implementation: *identity,
		Cluster:        report.Cluster{Provider: state.Provider, KubernetesVersion: state.Version, Nodes: state.Nodes},
		Reproduce:      options.reproduce,
	}}
	if options.controller == "" {
		i := &plan.Report.Implementation
		version := state.Version
		if n := len(state.Releases); n > 0 {
			version += " to " + state.Releases[n-1].Version
		}
		i.Project, i.Version = cmp.Or(i.Project, "kube-controller-manager"), cmp.Or(i.Version, version)
	}
	for _, b := range catalog.All() {
		plan.Report.Behaviours = append(plan.Report.Behaviours, report.Behaviour{ID: b.ID, Level: string(b.Level), Area: b.Area.Name, Statement: b.Statement, Unproven: b.Unproven})
	}
	for _, spec := range PreviewSpecs("Rollcall").SpecReports {
		if selected(spec) {
			plan.Specs = append(plan.Specs, report.Spec{Name: name(spec), Behaviours: behaviours(spec)})
		}
	}
	if err := plan.Save(parts()); err != nil {
		t.Fatal(err)
	}
}

// selected says whether the run's selection includes the spec: one that it leaves out is skipped without a word.
func selected(spec SpecReport) bool {
	return spec.LeafNodeType.Is(types.NodeTypeIt) && (!spec.State.Is(types.SpecStateSkipped) || spec.Failure.Message != "")
}

func name(spec SpecReport) string { return spec.FullText() }

func behaviours(spec SpecReport) []string {
	return catalog.SpecInfo{Labels: spec.Labels()}.Behaviours()
}

// part is this process's share of the results.
var part *report.Part

var _ = ReportBeforeEach(func(spec SpecReport) {
	if !running || !selected(spec) {
		return
	}
	if part == nil {
		var err error
		if part, err = report.OpenPart(parts(), GinkgoParallelProcess()); err != nil {
			Fail(err.Error())
		}
	}
	if err := part.Begin(name(spec)); err != nil {
		Fail(err.Error())
	}
})

var _ = ReportAfterEach(func(spec SpecReport) {
	if part == nil || !selected(spec) {
		return
	}
	if err := part.Append(result(spec)); err != nil {
		Fail(err.Error())
	}
})

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
		text := cmp.Or(deviation, spec.Failure.ForwardedPanic, spec.Failure.Message, spec.State.String())
		if len(judgement.Violations) > 0 && r.Verdict == report.Failed && !strings.HasPrefix(text, judgement.Violations[0].Invariant) {
			// The spec itself gave up first. What the judge saw says better who broke what, where and when.
			text = judgement.Violations[0].String() + "\n" + text
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
	case spec.State.Is(types.SpecStatePanicked), spec.Failure.FailureNodeType.Is(types.NodeTypeBeforeEach | types.NodeTypeBeforeAll | types.NodeTypeCleanupAfterEach | types.NodeTypeCleanupAfterAll):
		return report.Error
	}
	return report.Failed
}

// place is a code location below the project's root.
func place(l types.CodeLocation) string {
	file := l.FileName
	if _, here, _, ok := runtime.Caller(0); ok {
		if relative, err := filepath.Rel(filepath.Dir(filepath.Dir(here)), file); err == nil {
			file = relative
		}
	}
	return fmt.Sprintf("%s:%d", file, l.LineNumber)
}
