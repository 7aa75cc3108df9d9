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
			return fmt.Errorf("%s=%s: %w", name, path, err)
		}
		reports[i] = r
	}
	comparison := report.Compare(reports[0], reports[1])
	if err := comparison.Write(os.Stdout); err != nil {
		return err
	}
	if comparison.Worse() {
		return specsFailed{errors.New("the second report is worse than the first")}
	}
	return nil
}
