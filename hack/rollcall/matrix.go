package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rollcall.dev/framework/report"
	"rollcall.dev/hack/kubernetes"
)

// runMatrix runs the suite on each Kubernetes version that can be built, or on those that VERSIONS names, and puts the reports
// side by side.
func runMatrix(ctx context.Context, s settings) error {
	if s.Reuse || s.Provider == "existing" {
		return errors.New("make matrix makes a cluster of each version: it takes neither REUSE=1 nor PROVIDER=existing")
	}
	if os.Getenv("KUBERNETES_VERSION") != "" {
		return errors.New("make matrix takes VERSIONS='1.36.3 1.34.4', not KUBERNETES_VERSION")
	}
	if s.Provider == "auto" {
		s.Provider = "simulated"
	}
	versions := kubernetes.Versions()
	if text := os.Getenv("VERSIONS"); text != "" {
		versions = nil
		for _, word := range strings.Fields(text) {
			version := "v" + strings.TrimPrefix(word, "v")
			if !slices.Contains(kubernetes.Versions(), version) {
				return fmt.Errorf("VERSIONS: no cluster of %s can be made; of these it can: %s", word, strings.Join(kubernetes.Versions(), ", "))
			}
			versions = append(versions, version)
		}
		if len(versions) == 0 {
			return errors.New("VERSIONS names no version, such as VERSIONS='1.36.3 1.34.4'")
		}
	}
	if s.Seed == 0 { // the same for all
		s.Seed = 1 + rand.Int64N(1<<31-1)
	}
	return matrix(ctx, s, versions, runE2E)
}

// matrix runs each version and writes the page of all. A version that fails does not keep the next from being tried, and one that comes to
// no report has its column all the same, as have those that an interrupt leaves out; the whole fails with any of them.
func matrix(ctx context.Context, s settings, versions []string, run func(context.Context, settings) error) error {
	folder := s.Artifacts
	var reports []*report.ConformanceReport
	var links []string
	var failed error
	ran := 0
	for i, version := range versions {
		if ctx.Err() == nil {
			say("matrix: %s, %d of %d", version, i+1, len(versions))
		}
		s.Version, s.Artifacts = version, filepath.Join(folder, version)
		r, err := runVersion(ctx, s, run)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", version, err))
		}
		link := version + "/index.html"
		if r == nil {
			why, _, _ := strings.Cut(err.Error(), "\n")
			r, link = report.NotThere("Kubernetes", version, why), ""
		} else {
			ran++
		}
		reports, links = append(reports, r), append(links, link)
	}
	if ran > 0 {
		if err := writeMatrix(filepath.Join(folder, "matrix.html"), reports, links); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return errors.Join(failed, context.Cause(ctx))
	}
	return failed
}

// runVersion returns the report of one version, also with the error of specs that failed, or why there is none.
func runVersion(ctx context.Context, s settings, run func(context.Context, settings) error) (*report.ConformanceReport, error) {
	var err error
	if ctx.Err() == nil {
		err = run(ctx, s)
	}
	if ctx.Err() != nil {
		return nil, errors.Join(err, context.Cause(ctx)) // what is there has not seen its end
	}
	if err != nil && !errors.As(err, &specsFailed{}) {
		return nil, err // it did not come to a report; what may be there is an earlier run's
	}
	r, unreadable := report.Load(filepath.Join(s.Artifacts, "report.yaml"))
	if unreadable != nil {
		return nil, unreadable
	}
	return r, err
}

func writeMatrix(page string, reports []*report.ConformanceReport, links []string) error {
	columns, err := report.SideBySide(reports...)
	if err != nil {
		return err
	}
	columns.Links = links
	if err := columns.Write(os.Stdout); err != nil {
		return err
	}
	if err := report.SaveSideBySide(page, columns); err != nil {
		return err
	}
	say("matrix: %s", page)
	return nil
}
