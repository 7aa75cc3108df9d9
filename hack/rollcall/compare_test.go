package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall.dev/framework/report"
)

// judged writes a report of one spec into a folder of its own, and returns the report's path.
func judged(t *testing.T, verdict report.Verdict) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.yaml")
	saveReport(t, path, verdict)
	return path
}

func saveReport(t *testing.T, path string, verdict report.Verdict) {
	t.Helper()
	r := &report.ConformanceReport{
		Date:       time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC),
		Behaviours: []report.Behaviour{{ID: "C-05", Level: "core", Statement: "The budget holds."}},
		Specs:      []report.Spec{{Name: "keeps the budget", Behaviours: []string{"C-05"}, Verdict: verdict}},
	}
	if verdict != report.Passed {
		r.Specs[0].Reason = "for a reason"
	}
	r.Complete()
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
}

func TestCompareTellsWorseFromUnusable(t *testing.T) {
	good, bad := judged(t, report.Passed), judged(t, report.Failed)
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	other := leave(t, map[string]string{
		"short.yaml": string(text[:len(text)-100]),
		"newer.yaml": strings.Replace(string(text), report.APIVersion, "rollcall.dev/v9", 1),
		"pod.yaml":   "apiVersion: v1\nkind: Pod\n",
		"prose.txt":  "hello\n",
	})
	t.Setenv("A", "")
	t.Setenv("B", good)
	for name, test := range map[string]struct {
		args  []string
		says  string // of an error; empty if there must be none
		worse bool
	}{
		"the same":         {args: []string{good, good}},
		"better":           {args: []string{bad, filepath.Dir(good)}},
		"worse":            {args: []string{good, bad}, says: "worse", worse: true},
		"cut short":        {args: []string{good, filepath.Join(other, "short.yaml")}, says: "B: load the report " + other + "/short.yaml: it is cut short"},
		"newer":            {args: []string{filepath.Join(other, "newer.yaml"), good}, says: "A: load the report " + other + "/newer.yaml: it is of rollcall.dev/v9"},
		"no report":        {args: []string{good, filepath.Join(other, "pod.yaml")}, says: "it is not a report.yaml"},
		"no YAML":          {args: []string{good, filepath.Join(other, "prose.txt")}, says: "it is not a report.yaml"},
		"not there":        {args: []string{good, filepath.Join(other, "none.yaml")}, says: "no such file"},
		"one":              {args: []string{good}, says: "compare needs two reports, A and B, and got 1"},
		"from make, one":   {says: "compare needs two reports, and A is missing"},
		"no page":          {args: []string{good, good, "--html", filepath.Join(other, "prose.txt", "page.html")}, says: "save the comparison"},
		"no flag of these": {args: []string{"--htlm", "page.html", good, good}, says: "unknown flag: --htlm"},
	} {
		cmd := compareCommand()
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs(append([]string{}, test.args...))
		err := cmd.Execute()
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: got %q, want a line with %q", name, err, test.says)
		}
		if errors.As(err, &specsFailed{}) != test.worse {
			t.Errorf("%s: %v is taken for a verdict, or a verdict for a bad argument", name, err)
		}
	}
}

func TestCompareWritesThePage(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.html")
	if err := compare(judged(t, report.Passed), judged(t, report.Passed), page, io.Discard); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(page); err != nil {
		t.Error(err)
	}
}
