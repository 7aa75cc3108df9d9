package main

import (
	"path/filepath"
	"strconv"
	"strings"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/report"
)

// reproduce is the command that repeats the run on a cluster like this one: what was chosen for the user is said, too.
func reproduce(s settings, state cluster.State, env func(string) string) string {
	words := []string{"make"}
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+quote(value))
		}
	}
	chosen := configuration(s, state)
	switch n := len(s.Path); {
	case s.Soak: // a run's seed says what else was done to the cluster
		words = append(words, "soak")
		add("KUBERNETES_VERSION", chosen["KUBERNETES_VERSION"])
	case n > 0:
		words = append(words, "upgrade")
		add("FROM", s.Path[0])
		add("TO", s.Path[n-1])
	default:
		words = append(words, "e2e")
		for _, name := range []string{"PROVIDER", "KUBERNETES_VERSION"} {
			add(name, chosen[name])
		}
	}
	for _, name := range []string{"NODES", "PROCS", "SEED"} {
		add(name, chosen[name])
	}
	if state.Provider == "existing" {
		words = append(words, `KUBECONFIG="$KUBECONFIG"`)
	}
	for _, name := range []string{"CONTROLLER", "RESTART", "DEVIATIONS", "LABELS", "FOCUS", "REPEAT", "TIMEOUT_FACTOR", "IMAGES", "SHARD", "DURATIONS"} {
		add(name, env(name))
	}
	if s.Soak {
		add("DURATION", "1s") // one run
	}
	return strings.Join(words, " ")
}

// quote is a value of a variable as make's command line needs it: for the shell, and for make itself, which reads $ too.
func quote(value string) string {
	if strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == "" {
		return value
	}
	return "'" + strings.NewReplacer("'", `'\''`, "$", "$$").Replace(value) + "'"
}

// configuration is the run's variables as they took effect, without those that are empty and those that are of this machine only.
func configuration(s settings, state cluster.State) map[string]string {
	all := map[string]string{
		"PROVIDER": state.Provider, "CONTROLLER": s.Controller, "DEVIATIONS": s.Deviations, "IMAGES": s.Images, "LABELS": s.Labels, "FOCUS": s.Focus,
		"PROCS": strconv.Itoa(s.Procs), "REPEAT": strconv.Itoa(s.Repeat), "SEED": strconv.FormatInt(s.Seed, 10),
		"TIMEOUT_FACTOR": strconv.FormatFloat(s.Timeouts, 'g', -1, 64),
	}
	if state.Provider != "existing" { // whose version and nodes nobody chose
		all["KUBERNETES_VERSION"], all["NODES"] = strings.TrimPrefix(state.Version, "v"), strconv.Itoa(state.Nodes)
	}
	if s.Restart.every > 0 {
		all["RESTART"] = s.Restart.String()
	}
	if s.Shard != nil {
		all["SHARD"] = s.Shard.String()
	}
	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}
	return all
}

// addToPlan adds what the suite's own process does not know.
func addToPlan(artifacts string, s settings, state cluster.State) error {
	parts := filepath.Join(artifacts, report.PartsFolder)
	plan, err := report.LoadPlan(parts)
	if err != nil {
		return err
	}
	plan.Report.Configuration = configuration(s, state)
	if s.ClusterUp > 0 {
		plan.Report.Timings = &report.Timings{ClusterUp: report.Duration(s.ClusterUp)}
	}
	return plan.Save(parts)
}
