package report

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sharded is a run of so many shards with two specs each, whose folders it makes below a common one.
type sharded struct {
	t         *testing.T
	artifacts string
	shares    [][]Spec
	run       string
	began     time.Time
}

func newSharded(t *testing.T, of int) *sharded {
	var specs []Shareable
	for i := range 2 * of {
		specs = append(specs, Shareable{Spec: Spec{Name: fmt.Sprintf("spec %d", i), Behaviours: []string{"C-05"}}})
	}
	return &sharded{t: t, artifacts: t.TempDir(), shares: Shares(specs, of, nil), run: "run", began: began}
}

// leave writes what a shard leaves that ran the first so many of its specs and came to the outcome, "" if it was killed.
func (s *sharded) leave(index, ran int, outcome string) (folder string) {
	s.t.Helper()
	folder = filepath.Join(s.artifacts, fmt.Sprintf("shard-%d", index))
	parts := filepath.Join(folder, PartsFolder)
	report := samplePlan().Report
	report.Date, report.Suite.Seed, report.Reproduce = s.began, int64(index+1), fmt.Sprintf("make e2e SHARD=%d", index)
	plan := &Plan{Report: report, Specs: s.shares[index], Shard: &Shard{Index: index, Of: len(s.shares), Run: s.run}, Shares: s.shares}
	err := plan.Save(parts)
	part, openErr := OpenPart(parts, 1)
	if err != nil || openErr != nil {
		s.t.Fatal(err, openErr)
	}
	defer part.Close()
	for _, spec := range s.shares[index][:ran] {
		spec.History = "histories/" + spec.Name
		if err := part.Append(spec); err != nil {
			s.t.Fatal(err)
		}
	}
	if outcome != "" {
		if err := SaveOutcome(parts, outcome); err != nil {
			s.t.Fatal(err)
		}
	}
	return folder
}

func (s *sharded) folders() (all []string) {
	for i := range s.shares {
		all = append(all, filepath.Join(s.artifacts, fmt.Sprintf("shard-%d", i)))
	}
	return all
}

func TestShardsMakeOneReport(t *testing.T) {
	s := newSharded(t, 3)
	for i := range 3 {
		folder := s.leave(i, 2, Ended)
		if err := os.MkdirAll(filepath.Join(folder, "histories"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	kept := s.shares[1][0].Name
	if err := os.WriteFile(filepath.Join(s.artifacts, "shard-1", "histories", kept), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := SaveShards(s.artifacts, s.folders())
	if err != nil {
		t.Fatal(err)
	}
	if r.Summary.Passed != 6 || r.Summary.Planned != 6 || r.Suite.Seed != 0 {
		t.Errorf("got %+v with seed %d", r.Summary, r.Suite.Seed)
	}
	if want := "make e2e SHARD=0; make e2e SHARD=1; make e2e SHARD=2"; r.Reproduce != want {
		t.Errorf("it is repeated by %q, want %q", r.Reproduce, want)
	}
	for _, spec := range r.Specs {
		want := ""
		if spec.Name == kept {
			want = filepath.Join("shard-1", "histories", kept)
		}
		if spec.History != want {
			t.Errorf("the history of %s is at %q, want %q", spec.Name, spec.History, want)
		}
	}
	for _, name := range []string{"report.yaml", "index.html", "junit.xml"} {
		if _, err := os.Stat(filepath.Join(s.artifacts, name)); err != nil {
			t.Error(err)
		}
	}
}

// However a shard is lost, each of its specs is in the report, and the run is no success.
func TestALostShardsSpecsAreNotRun(t *testing.T) {
	for name, test := range map[string]struct {
		lose   func(*sharded)
		notRun int
		reason string // of its specs
		says   string
	}{
		"never started":          {func(*sharded) {}, 2, "shard 1/3 has left no results", "shard 1/3 has left no results: its 2 specs count as not run"},
		"killed at once":         {func(s *sharded) { s.leave(1, 0, "") }, 2, "shard 1/3: the run ended before", "shard 1/3 was cut short: 2 of its 2 specs"},
		"killed amid its specs":  {func(s *sharded) { s.leave(1, 1, "") }, 1, "shard 1/3: the run ended before", "shard 1/3 was cut short: 1 of its 2 specs"},
		"killed after them":      {func(s *sharded) { s.leave(1, 2, "") }, 0, "", "shard 1/3 was cut short: 0 of its 2 specs"},
		"interrupted":            {func(s *sharded) { s.leave(1, 1, "interrupted") }, 1, "shard 1/3: the run ended before", "shard 1/3 ended with: interrupted"},
		"its clean-up failed":    {func(s *sharded) { s.leave(1, 2, "the suite did not pass") }, 0, "", "shard 1/3 ended with: the suite did not pass"},
		"of an earlier run":      {func(s *sharded) { s.earlier(func(p *sharded) { p.run = "yesterday's" }) }, 2, "shard 1/3 has left no results", "another SHARD_RUN"},
		"shared out differently": {func(s *sharded) { s.earlier(func(p *sharded) { slices.Reverse(p.shares) }) }, 2, "shard 1/3 has left no results", "another selection or other DURATIONS"},
		"one of two": {func(s *sharded) { s.earlier(func(p *sharded) { p.shares = p.shares[:2] }) }, 2,
			"shard 1/3 has left no results", "another number of shards"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSharded(t, 3)
			test.lose(s)
			s.leave(0, 2, Ended)
			s.leave(2, 2, Ended)
			r, err := SaveShards(s.artifacts, s.folders())
			if r == nil {
				t.Fatal(err)
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error is %q, want one that says %q", err, test.says)
			}
			if r.Summary.NotRun != test.notRun || r.Summary.Planned != 6 || r.Summary.Passed != 6-test.notRun {
				t.Errorf("got %+v, want 6 specs of which %d were not run", r.Summary, test.notRun)
			}
			if test.notRun > 0 && r.Summary.Result != Failure {
				t.Errorf("the run is a %s", r.Summary.Result)
			}
			for _, spec := range r.Specs {
				if spec.Verdict == NotRun && !strings.HasPrefix(spec.Reason, test.reason) {
					t.Errorf("%s was not run because %q, want %q", spec.Name, spec.Reason, test.reason)
				}
			}
			if err := r.Validate(); err != nil {
				t.Error(err)
			}
			inJUnit(t, s.artifacts, 6, test.notRun)
		})
	}
}

// earlier leaves what shard 1 left in another run, which began earlier.
func (s *sharded) earlier(change func(*sharded)) {
	other := *s
	other.began = s.began.Add(-time.Hour)
	other.shares = slices.Clone(s.shares)
	change(&other)
	other.leave(1, 2, Ended)
}

func inJUnit(t *testing.T, artifacts string, tests, errors int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(artifacts, "junit.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var got junitSuites
	if err := xml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, c := range got.Suites[0].Cases {
		if c.Error != nil {
			lost++
		}
	}
	if s := got.Suites[0]; s.Tests != tests || len(s.Cases) != tests || s.Errors != errors || lost != errors {
		t.Errorf("junit.xml has %d of %d specs, %d of %d errors", len(s.Cases), tests, lost, errors)
	}
}

func TestNothingToMerge(t *testing.T) {
	s := newSharded(t, 2)
	if r, err := SaveShards(s.artifacts, s.folders()); r != nil || err == nil || !strings.Contains(err.Error(), "no shard has left a plan") {
		t.Errorf("got %v, %v", r, err)
	}
	// Nor is a run by itself a shard.
	if err := samplePlan().Save(filepath.Join(s.artifacts, "shard-0", PartsFolder)); err != nil {
		t.Fatal(err)
	}
	if r, err := SaveShards(s.artifacts, s.folders()); r != nil || err == nil || !strings.Contains(err.Error(), "is no shard's") {
		t.Errorf("got %v, %v", r, err)
	}
}
