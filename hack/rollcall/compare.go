package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"rollcall.dev/framework/report"
)

// errWorse is what CI gates on: B is worse than A. The comparison has told in what.
var errWorse = specsFailed{errors.New("the second report is worse than the first")}

// compareCommand takes the reports as arguments, or from the environment, where make compare puts them. It needs no other setting, so that
// none that is wrong can keep it from its work.
func compareCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compare [--html FILE] A B",
		Short: "what differs between two reports, and whether B is worse than A",
		Long: `What differs between two reports, behaviour by behaviour and spec by spec, the earlier or trusted one first.
A and B are report.yaml files or the folders that they are in. Without arguments the environment's A, B and HTML are taken.

Exit codes: 0 B is as good as A or better, 1 B is worse, 2 there is nothing to compare: an argument is no report, is cut short or is
of another version. (make compare ends with 2 in both cases, as make does whatever fails: a script calls this program.)`,
		Example: "  rollcall compare --html compare.html before/report.yaml after/report.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return fmt.Errorf("compare needs two reports, A and B, and got %d: %s", len(args), strings.Join(args, " "))
			}
			return nil
		},
	}
	html := cmd.Flags().String("html", "", "write the comparison as a page, too")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			args = []string{os.Getenv("A"), os.Getenv("B")}
		}
		return compare(args[0], args[1], cmp.Or(*html, os.Getenv("HTML")), os.Stdout)
	}
	return cmd
}

// compare says what differs between two reports, behaviour by behaviour, and returns errWorse if b is worse.
func compare(a, b, page string, w io.Writer) error {
	var reports [2]*report.ConformanceReport
	for i, path := range []string{a, b} {
		name := string(rune('A' + i))
		if path == "" {
			return fmt.Errorf("compare needs two reports, and %s is missing: rollcall compare A B, or make compare A=report.yaml B=report.yaml", name)
		}
		r, err := report.Load(path)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		reports[i] = r
	}
	comparison := report.Compare(reports[0], reports[1])
	if err := comparison.Write(w); err != nil {
		return err
	}
	if page != "" {
		if err := report.SaveComparison(page, comparison); err != nil {
			return err
		}
		say("compare: %s", page)
	}
	if comparison.Worse() {
		return errWorse
	}
	return nil
}

// lost is how many specs a report has no verdict of.
func lost(r *report.ConformanceReport) int {
	if r == nil {
		return 0
	}
	return r.Summary.NotRun + r.Summary.Errors
}

// runPublishable says whether REPORT can be handed on: it is whole, agrees with itself, and names who made what was judged.
func runPublishable(_ context.Context, s settings) error {
	path := os.Getenv("REPORT")
	if path == "" {
		path = s.Artifacts
	}
	r, err := report.Load(path)
	if err == nil {
		err = r.Implementation.RequireIdentity()
	}
	if n := lost(r); err == nil && n > 0 {
		err = fmt.Errorf("it is not whole: %d specs were not run, or broke", n)
	}
	if err != nil {
		return fmt.Errorf("REPORT=%s: %w", path, err)
	}
	i := r.Implementation
	say("%s can be published: %s of %s %s by %s", path, r.Summary.Result, i.Project, i.Version, i.Organization)
	return nil
}
