package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"rollcall.dev/framework/report"
)

// runCompare prints what differs between two reports, behaviour by behaviour. It is an error if B is worse than A, so that CI can gate on it.
func runCompare(_ context.Context, _ settings) error {
	var reports [2]*report.ConformanceReport
	for i, name := range []string{"A", "B"} {
		path := os.Getenv(name)
		if path == "" {
			return fmt.Errorf("make compare needs A=<report.yaml> and B=<report.yaml>; %s is missing", name)
		}
		r, err := report.Load(path)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		reports[i] = r
	}
	comparison := report.Compare(reports[0], reports[1])
	if err := comparison.Write(os.Stdout); err != nil {
		return err
	}
	if page := os.Getenv("HTML"); page != "" {
		if err := report.SaveComparison(page, comparison); err != nil {
			return err
		}
		say("compare: %s", page)
	}
	if comparison.Worse() {
		return specsFailed{errors.New("the second report is worse than the first")}
	}
	return nil
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
	if err != nil {
		return fmt.Errorf("REPORT=%s: %w", path, err)
	}
	i := r.Implementation
	say("%s can be published: %s of %s %s by %s", path, r.Summary.Result, i.Project, i.Version, i.Organization)
	return nil
}
