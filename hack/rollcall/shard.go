package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"rollcall.dev/framework/report"
)

// loadShard reads SHARD and what goes with it. Each shard has a place of its own for what it leaves, so that all of them, and make merge, may
// be given the same ARTIFACTS and RESULTS.
func (s *settings) loadShard(env func(string) string) (problems []error) {
	for _, name := range []string{"SHARD_RUN", "DURATIONS"} {
		if value := env(name); value != "" && env("SHARD") == "" {
			problems = append(problems, fmt.Errorf("%s=%s: is for a SHARD, and none is given", name, value))
		}
	}
	text := env("SHARD")
	if text == "" {
		return problems
	}
	shard, err := report.ParseShard(text)
	if err != nil {
		return append(problems, fmt.Errorf("SHARD=%s: %w", text, err))
	}
	shard.Run = env("SHARD_RUN")
	s.Shard = &shard
	s.Artifacts = shardFolder(s.Artifacts, shard.Index)
	if s.Results != "" {
		s.Results += "-" + strconv.Itoa(shard.Index)
	}
	if path := env("DURATIONS"); path != "" {
		info, _ := os.Stat(path)
		switch _, err := report.Load(path); {
		case err == nil:
			s.Durations, _ = filepath.Abs(path)
		case info != nil && info.IsDir() && errors.Is(err, fs.ErrNotExist): // as before the first run: its report is going to be there
		default:
			problems = append(problems, fmt.Errorf("DURATIONS=%s: %w", path, err))
		}
	}
	if s.Controller != "" && (s.Provider == "existing" || s.Reuse) {
		problems = append(problems, fmt.Errorf("SHARD=%s: shards that share a cluster would run a CONTROLLER each; start it yourself and leave CONTROLLER out", text))
	}
	return problems
}

func shardFolder(artifacts string, index int) string {
	return filepath.Join(artifacts, "shard-"+strconv.Itoa(index))
}

// shardFlags tell the suite.
func (s settings) shardFlags() []string {
	if s.Shard == nil {
		return nil
	}
	return []string{"-rollcall.shard=" + s.Shard.String(), "-rollcall.shard-run=" + s.Shard.Run, "-rollcall.durations=" + s.Durations}
}

// checkShare returns an error where the plan leaves this shard nothing to do.
func (s settings) checkShare(artifacts string) error {
	if s.Shard == nil {
		return nil
	}
	plan, err := report.LoadPlan(filepath.Join(artifacts, report.PartsFolder))
	if err != nil {
		return err
	}
	all := 0
	for _, share := range plan.Shares {
		all += len(share)
	}
	if len(plan.Specs) == 0 {
		return fmt.Errorf("SHARD=%s: there are more shards than the %d specs can be dealt out to, and none is left for this one", s.Shard, all)
	}
	say("shard %s: %d of %d specs, dealt out by %s", s.Shard, len(plan.Specs), all, cmp.Or(s.Durations, "number"))
	return nil
}

// onlySkipped says whether a shard has had nothing to do on this cluster, which is nothing that it could do better: only all shards
// together can have examined too little.
func (s settings) onlySkipped(r *report.ConformanceReport) bool {
	return s.Shard != nil && r.Summary.Planned > 0 && r.Summary.Skipped == r.Summary.Planned
}

// notFor refuses SHARD for a command that runs no share.
func (s settings) notFor(command string) error {
	if s.Shard == nil || command == "e2e" {
		return nil
	}
	return errors.New("SHARD is for make e2e, and not for " + command)
}

// shardFolders are those that shards have left below artifacts, without any that left no parts.
func shardFolders(artifacts string) ([]string, error) {
	folders, err := filepath.Glob(filepath.Join(artifacts, "shard-*"))
	if err == nil && len(folders) == 0 {
		err = fmt.Errorf("ARTIFACTS=%s: no shard has left anything there", artifacts)
	}
	if _, missing := os.Stat(artifacts); missing != nil {
		err = fmt.Errorf("ARTIFACTS=%s: %w", artifacts, missing)
	}
	return folders, err
}
