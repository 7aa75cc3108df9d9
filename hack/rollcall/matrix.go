package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"rollcall.dev/framework/report"
	"rollcall.dev/hack/kubernetes"
)

// runMatrix runs the suite on each Kubernetes version that can be built, or on those that VERSIONS names, and puts the reports
// side by side. A version that fails does not keep the next from being tried; the whole fails with it.
func runMatrix(ctx context.Context, s settings) error {
	if s.Reuse || s.Provider == "existing" {
		return errors.New("make matrix makes a cluster of each version: it takes neither REUSE=1 nor PROVIDER=existing")
	}
	if s.Provider == "auto" {
		s.Provider = "simulated"
	}
	versions := kubernetes.Versions()
	if text := os.Getenv("VERSIONS"); text != "" {
		versions = nil
		for _, word := range strings.Fields(text) {
			version, err := kubernetes.ParseVersion(word)
			if err != nil {
				return fmt.Errorf("VERSIONS: %w", err)
			}
			versions = append(versions, version)
		}
	}
	if s.Seed == 0 { // the same for all
		s.Seed = 1 + rand.Int64N(1<<31-1)
	}
	folder := s.Artifacts
	var reports []*report.ConformanceReport
	var links []string
	var failed error
	for i, version := range versions {
		say("matrix: %s, %d of %d", version, i+1, len(versions))
		s.Version, s.Artifacts = version, filepath.Join(folder, version)
		err := runE2E(ctx, s)
		if ctx.Err() != nil {
			return errors.Join(failed, err, context.Cause(ctx))
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", version, err))
		}
		var specs specsFailed
		if err != nil && !errors.As(err, &specs) {
			continue // it did not come to a report; what may be there is an earlier run's
		}
		r, err := report.Load(filepath.Join(s.Artifacts, "report.yaml"))
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", version, err))
			continue
		}
		reports, links = append(reports, r), append(links, version+"/index.html")
	}
	if len(reports) > 0 {
		columns, err := report.SideBySide(reports...)
		if err != nil {
			return err
		}
		columns.Links = links
		if err := columns.Write(os.Stdout); err != nil {
			return err
		}
		page := filepath.Join(folder, "matrix.html")
		if err := report.SaveSideBySide(page, columns); err != nil {
			return err
		}
		say("matrix: %s", page)
	}
	return failed
}
