package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rollcall.dev/framework/report"
)

const rollcall = ".cache/bin/rollcall"

// impatience shortens the suite's time limits: a controller that does nothing would cost minutes a spec. The unbroken controller has to
// pass under the same limits, or a kill would prove nothing.
const impatience = "0.4"

// result is what became of a mutant.
type result struct {
	ID      string  `json:"id"`
	Killed  bool    `json:"killed"`
	Seconds float64 `json:"seconds"`
	// Stage is "expected" where the specs of its behaviours killed it, "all" where the whole suite was needed.
	Stage string `json:"stage"`
	// Specs are those that failed, with the invariant that was violated, if one was.
	Specs []kill `json:"specs,omitempty"`
}

type kill struct {
	Spec       string `json:"spec"`
	Invariant  string `json:"invariant,omitempty"`
	Reason     string `json:"reason"`
	Behaviours string `json:"behaviours,omitempty"`
}

// run judges each mutant that has no result yet, on one cluster that is kept for all.
func run(ctx context.Context, mutants []mutant, again bool) error {
	if err := os.MkdirAll(filepath.Join(cache, "results"), 0o755); err != nil {
		return err
	}
	if err := clusterUp(ctx); err != nil {
		return err
	}
	defer func() {
		_ = exec.Command(rollcall, "down").Run()
	}()
	survivors := 0
	for i, m := range append([]mutant{{ID: "original", Wrong: "is not broken"}}, mutants...) {
		r, err := loadResult(m.ID)
		if err != nil || again {
			if r, err = judge(ctx, m); err != nil {
				return fmt.Errorf("mutant %s: %w", m.ID, err)
			}
			if err := r.save(); err != nil {
				return err
			}
		}
		fmt.Printf("[%d/%d] %s\n", i, len(mutants), r)
		if m.ID == "original" && r.Killed {
			return errors.New("the unbroken controller does not pass: nothing that follows would prove anything")
		}
		if m.ID != "original" && !r.Killed {
			survivors++
		}
	}
	if survivors > 0 {
		return fmt.Errorf("%d of %d mutants survived", survivors, len(mutants))
	}
	return nil
}

func clusterUp(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, rollcall, "up")
	cmd.Env = append(os.Environ(), "PROVIDER=simulated", "NODES=12", "CONTROLLER=true")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("making a cluster without a DaemonSet controller: %w", err)
	}
	return nil
}

// judge runs the specs of the mutant's behaviours, and the whole suite where they notice nothing.
func judge(ctx context.Context, m mutant) (result, error) {
	began := time.Now()
	r := result{ID: m.ID}
	stages := []struct{ name, labels string }{{"expected", strings.Join(m.Behaviours, " || ")}, {"all", "!slow"}}
	if m.ID == "original" {
		stages = stages[1:]
	}
	for _, stage := range stages {
		kills, err := suite(ctx, m.ID, stage.labels)
		if err != nil {
			return r, err
		}
		r.Stage, r.Specs = stage.name, kills
		if r.Killed = len(kills) > 0; r.Killed {
			break
		}
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// suite runs specs against a controller until the first failure and returns what failed.
func suite(ctx context.Context, id, labels string) ([]kill, error) {
	binary, err := filepath.Abs(binaryOf(id))
	if err != nil {
		return nil, err
	}
	artifacts := filepath.Join(cache, "artifacts", id)
	cmd := exec.CommandContext(ctx, rollcall, "e2e")
	cmd.Env = append(os.Environ(), "REUSE=1", "CONTROLLER="+binary+" --kubeconfig={kubeconfig}", "DEVIATIONS=kube-controller-manager",
		"LABELS="+labels, "FAIL_FAST=1", "TIMEOUT_FACTOR="+impatience, "ARTIFACTS="+artifacts, "PROVIDER=", "FOCUS=")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, runErr := cmd.CombinedOutput()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if strings.Contains(string(out), "selects no spec") {
		return nil, nil
	}
	r, err := report.Load(filepath.Join(artifacts, "report.yaml"))
	if err != nil {
		if strings.Contains(string(out), "ended by itself") {
			return []kill{{Spec: "(the controller)", Reason: "ended by itself"}}, nil
		}
		return nil, fmt.Errorf("%w; %w\n%s", err, runErr, out)
	}
	var kills []kill
	for _, s := range r.Specs {
		if s.Verdict != report.Failed {
			continue
		}
		k := kill{Spec: s.Name, Reason: s.Reason, Behaviours: strings.Join(s.Behaviours, " ")}
		if len(s.Violations) > 0 {
			k.Invariant = s.Violations[0].Invariant
		}
		kills = append(kills, k)
	}
	return kills, nil
}

func (r result) String() string {
	if !r.Killed {
		return fmt.Sprintf("%-28s survived (%.0f s)", r.ID, r.Seconds)
	}
	by := r.Specs[0].Spec
	if i := r.Specs[0].Invariant; i != "" {
		by = i + " in " + by
	}
	return fmt.Sprintf("%-28s killed in %.0f s by %s", r.ID, r.Seconds, by)
}

func resultPath(id string) string { return filepath.Join(cache, "results", id+".json") }

func loadResult(id string) (r result, err error) {
	text, err := os.ReadFile(resultPath(id))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}

func (r result) save() error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(resultPath(r.ID), text, 0o644)
}

// matrix writes what is known of each mutant as a page.
func matrix(mutants []mutant) error {
	var b strings.Builder
	killed, known := 0, 0
	rows := []string{}
	for _, m := range mutants {
		r, err := loadResult(m.ID)
		if err != nil {
			continue
		}
		known++
		by := "**survived**"
		if r.Killed {
			killed++
			by = r.Specs[0].Spec
			if i := r.Specs[0].Invariant; i != "" {
				by = i + ": " + by
			}
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %.0f |", m.ID, m.Wrong, strings.Join(m.Behaviours, " "), strings.ReplaceAll(by, "|", "\\|"), r.Seconds))
	}
	fmt.Fprintf(&b, "<!-- Generated by make mutants. Do not edit. -->\n# Mutants\n\nKubernetes' DaemonSet controller v1.36.3, broken on purpose in one way at a time: a controller that …\n\n")
	fmt.Fprintf(&b, "%d of %d killed; the unbroken controller passes under the same limits.\n\n| mutant | what is wrong | breaks | first killed by | seconds |\n|---|---|---|---|---|\n", killed, known)
	slices.Sort(rows)
	b.WriteString(strings.Join(rows, "\n") + "\n")
	return os.WriteFile("hack/mutants/MATRIX.md", []byte(b.String()), 0o644)
}
