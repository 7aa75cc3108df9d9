package report

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// PartsFolder is the folder of a run's plan and parts, below its artifacts.
const PartsFolder = "parts"

// Ended is what a run that ended well says of itself by SaveOutcome.
const Ended = "success"

// SaveOutcome notes in a folder of parts how the run ended, in a line or a few: whoever merges it with others cannot tell by the specs
// alone that a run was cut short after the last of them. Without the folder there is nothing to merge, and nothing is noted.
func SaveOutcome(parts, outcome string) error {
	if _, err := os.Stat(parts); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err := writeWhole(filepath.Join(parts, outcomeFile), []byte(outcome+"\n")); err != nil {
		return fmt.Errorf("save the outcome: %w", err)
	}
	return nil
}

// SaveLeftBehind notes in a folder of parts what a run could not remove, for whoever started it: of a failed clean-up at the very end no spec tells.
func SaveLeftBehind(parts string, what error) error {
	return writeWhole(filepath.Join(parts, leftFile), []byte(what.Error()+"\n"))
}

// LeftBehind is what SaveLeftBehind noted, "" where nothing was.
func LeftBehind(parts string) string {
	what, err := os.ReadFile(filepath.Join(parts, leftFile))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(what))
}

// shardOf is what a shard left.
type shardOf struct {
	*Plan
	folder  string // its artifacts
	outcome string // "" if it has not ended
}

// MergeShards makes the one report of what shards left in the folders of their artifacts, which are below or beside artifacts. Every spec that
// any of them planned is in it: one whose shard has left no result is notRun and says so. What is of an earlier run is left out.
//
// The error has a line for each shard that left nothing, did not end well or does not belong here. The report is there even so, unless there
// is no plan at all.
func MergeShards(artifacts string, folders []string) (*ConformanceReport, error) {
	shards, faults := loadShards(folders)
	shards, strangers := sameRun(shards)
	faults = append(faults, strangers...)
	if len(shards) == 0 {
		return nil, errors.Join(append(faults, errors.New("no shard has left a plan, so nobody can say what was to be run"))...)
	}
	var lines []Line
	for _, s := range shards {
		own, err := readParts(filepath.Join(s.folder, PartsFolder))
		if err != nil {
			faults = append(faults, fmt.Errorf("shard %s: %w", s.Shard, err))
		}
		lines = append(lines, relocated(own, artifacts, s.folder)...)
	}
	plan := unite(shards)
	r, err := Merge(plan, lines)
	for index, share := range plan.Shares {
		if fault := r.account(Shard{Index: index, Of: len(plan.Shares)}, share, shards); fault != nil {
			faults = append(faults, fault)
		}
	}
	if err := errors.Join(append(faults, err, r.Validate())...); err != nil {
		return r, err
	}
	return r, nil
}

// loadShards reads the plans. What is wrong with a folder costs its results and not the others'.
func loadShards(folders []string) (shards []shardOf, faults []error) {
	for _, folder := range folders {
		plan, err := LoadPlan(filepath.Join(folder, PartsFolder))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// It was killed before it had a plan: those of the others say which one is missing.
		case err != nil:
			faults = append(faults, err)
		case plan.Shard == nil || plan.Shard.Of != len(plan.Shares) || plan.Shard.Index < 0 || plan.Shard.Index >= plan.Shard.Of:
			faults = append(faults, fmt.Errorf("%s is no shard's: a run by itself needs no merging", folder))
		default:
			outcome, err := os.ReadFile(filepath.Join(folder, PartsFolder, outcomeFile))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				faults = append(faults, err)
			}
			shards = append(shards, shardOf{Plan: plan, folder: folder, outcome: strings.TrimSpace(string(outcome))})
		}
	}
	return shards, faults
}

// sameRun keeps the shards that belong to the run that began last, by their index. The faults name the others.
func sameRun(shards []shardOf) (kept []shardOf, faults []error) {
	if len(shards) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(shards, func(a, b shardOf) int { return b.Report.Date.Compare(a.Report.Date) })
	newest := shards[0]
	for _, s := range shards {
		twice := slices.IndexFunc(kept, func(k shardOf) bool { return k.Shard.Index == s.Shard.Index })
		switch other := differs(newest, s); {
		case other != "":
			faults = append(faults, fmt.Errorf("%s is not of the run that began at %s: it has another %s; it is left out", s.folder, newest.Report.Date.UTC().Format("2006-01-02 15:04:05"), other))
		case twice >= 0:
			faults = append(faults, fmt.Errorf("%s is left out: it is of shard %s, as the newer %s is", s.folder, s.Shard, kept[twice].folder))
		default:
			kept = append(kept, s)
		}
	}
	slices.SortFunc(kept, func(a, b shardOf) int { return cmp.Compare(a.Shard.Index, b.Shard.Index) })
	return kept, faults
}

// differs says in what two shards cannot be of the same run, "" if they may be.
func differs(a, b shardOf) string {
	for _, same := range []struct {
		what string
		yes  bool
	}{
		{"SHARD_RUN", a.Shard.Run == b.Shard.Run},
		{"number of shards", a.Shard.Of == b.Shard.Of},
		{"version of the suite", a.Report.Suite.Version == b.Report.Suite.Version && a.Report.Suite.Commit == b.Report.Suite.Commit},
		{"implementation", fmt.Sprint(a.Report.Implementation) == fmt.Sprint(b.Report.Implementation)},
		{"cluster", a.Report.Cluster.Provider == b.Report.Cluster.Provider && a.Report.Cluster.KubernetesVersion == b.Report.Cluster.KubernetesVersion},
		{"selection or other DURATIONS", slices.EqualFunc(a.Shares, b.Shares, sameNames)},
	} {
		if !same.yes {
			return same.what
		}
	}
	return ""
}

func sameNames(a, b []Spec) bool {
	return slices.EqualFunc(a, b, func(x, y Spec) bool { return x.Name == y.Name })
}

// unite is the plan of all shards together.
func unite(shards []shardOf) *Plan {
	plan := &Plan{Report: shards[0].Report, Shares: shards[0].Shares}
	r := &plan.Report
	r.Configuration = maps.Clone(r.Configuration) // what they have in common stays
	var commands []string
	for _, s := range shards {
		if s.Report.Date.Before(r.Date) {
			r.Date = s.Report.Date
		}
		// One that begins while others use nodes alone sees fewer.
		r.Cluster.Nodes = max(r.Cluster.Nodes, s.Report.Cluster.Nodes)
		if s.Report.Suite.Seed != r.Suite.Seed {
			r.Suite.Seed = 0 // each has its own: the commands name them
		}
		for name, value := range r.Configuration {
			if s.Report.Configuration[name] != value {
				delete(r.Configuration, name)
			}
		}
		if s.Report.Reproduce != "" {
			commands = append(commands, s.Report.Reproduce)
		}
	}
	r.Reproduce = strings.Join(commands, "; ")
	for _, share := range plan.Shares {
		plan.Specs = append(plan.Specs, share...)
	}
	return plan
}

// relocated has the histories' paths begin at artifacts. A history that is not there, because only the parts were brought here, has none.
func relocated(lines []Line, artifacts, folder string) []Line {
	for _, l := range lines {
		if l.Result == nil || l.Result.History == "" {
			continue
		}
		path := filepath.Join(folder, l.Result.History)
		l.Result.History = ""
		if _, err := os.Stat(path); err == nil {
			l.Result.History, _ = filepath.Rel(artifacts, path)
		}
	}
	return lines
}

// account says of each spec that a shard has no result of which one that is, and returns an error unless the shard ended well.
func (r *ConformanceReport) account(shard Shard, share []Spec, shards []shardOf) error {
	at := slices.IndexFunc(shards, func(s shardOf) bool { return s.Shard.Index == shard.Index })
	lost := 0
	for i := range r.Specs {
		s := &r.Specs[i]
		if s.Verdict != NotRun || !slices.ContainsFunc(share, func(p Spec) bool { return p.Name == s.Name }) {
			continue
		}
		lost++
		s.Reason = fmt.Sprintf("shard %d/%d: %s", shard.Index, shard.Of, s.Reason)
		if at < 0 {
			s.Reason = fmt.Sprintf("shard %d/%d has left no results", shard.Index, shard.Of)
		}
	}
	switch {
	case len(share) == 0:
		return nil // there was nothing to do for it
	case at < 0:
		return fmt.Errorf("shard %d/%d has left no results: its %d specs count as not run", shard.Index, shard.Of, len(share))
	case shards[at].outcome == "":
		return fmt.Errorf("shard %s was cut short: %d of its %d specs count as not run", shards[at].Shard, lost, len(share))
	case shards[at].outcome != Ended:
		return fmt.Errorf("shard %s ended with: %s", shards[at].Shard, shards[at].outcome)
	}
	return nil
}

// SaveShards is MergeShards, and writes report.yaml, index.html and junit.xml into artifacts.
func SaveShards(artifacts string, folders []string) (*ConformanceReport, error) {
	r, faults := MergeShards(artifacts, folders)
	if r == nil {
		return nil, faults
	}
	if err := os.MkdirAll(artifacts, 0o755); err != nil {
		return r, errors.Join(faults, err)
	}
	return r, errors.Join(faults,
		r.Save(filepath.Join(artifacts, "report.yaml")),
		r.SaveJUnit(filepath.Join(artifacts, "junit.xml")),
		SavePage(filepath.Join(artifacts, "index.html"), r, HistoriesIn(artifacts)))
}
