package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"rollcall.dev/framework/report"
)

// receiver gets a run's results where the folder that they are written to goes away: in a pod.
type receiver interface {
	// expect says that a run begins, so that nobody takes an earlier one's results for its own.
	expect(ctx context.Context) error
	// take gets the folder, and in a few words how the run ended. The folder need not be there, nor all that should be in it.
	take(ctx context.Context, artifacts, outcome string) error
}

// handedOver is run with its results handed on, whatever becomes of it.
func handedOver(run func(context.Context, settings) error) func(context.Context, settings) error {
	return func(ctx context.Context, s settings) (err error) {
		to, release, err := receiverOf(s)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, release()) }()
		return handOver(ctx, to, s.Artifacts, func() error { return run(ctx, s) })
	}
}

func handOver(ctx context.Context, to receiver, artifacts string, run func() error) error {
	if err := to.expect(ctx); err != nil {
		return err
	}
	failed := run()
	var early refused
	if errors.As(failed, &early) {
		artifacts = filepath.Join(artifacts, "none") // what is in the folder itself is an earlier run's, or another's
	}
	outcome := report.Ended
	if failed != nil {
		outcome = failed.Error()
	}
	if err := report.SaveOutcome(filepath.Join(artifacts, report.PartsFolder), outcome); err != nil {
		failed = errors.Join(failed, err)
	}
	// Also when the pod is being deleted: it has a while for its clean-up.
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return errors.Join(failed, to.take(late, artifacts, outcome))
}

// configMapName is the form of RESULTS.
var configMapName = regexp.MustCompile(`^configmap/([a-z0-9-]+)/([a-z0-9.-]+)$`)

// receiverOf is who gets the results, and what to call afterwards.
func receiverOf(s settings) (receiver, func() error, error) {
	done := func() error { return nil }
	if s.Sonobuoy != "" {
		return sonobuoy{dir: s.Sonobuoy}, done, nil
	}
	if match := configMapName.FindStringSubmatch(s.Results); match != nil {
		return openConfigMap(match[1], match[2])
	}
	return nobody{}, done, nil
}

// nobody is the receiver of a run whose folder stays.
type nobody struct{}

func (nobody) expect(context.Context) error               { return nil }
func (nobody) take(context.Context, string, string) error { return nil }

// present lists which of the files are in the folder, and says of the others that they are not.
func present(dir string, files []string) (there []string) {
	var absent []string
	for _, name := range files {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			absent = append(absent, name)
			continue
		}
		there = append(there, name)
	}
	if len(absent) > 0 {
		say("the run has left no %s", strings.Join(absent, ", "))
	}
	return there
}
