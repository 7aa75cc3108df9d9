package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// result is what became of a mutant.
type result struct {
	ID      string  `json:"id"`
	Killed  bool    `json:"killed"`
	Seconds float64 `json:"seconds"`
	Seed    int64   `json:"seed"`
	// Patience is the TIMEOUT_FACTOR.
	Patience string `json:"patience"`
	// Stage is "expected" where the specs of its behaviours killed it, "all" where the whole suite was needed.
	Stage string `json:"stage"`
	// Full says that all specs were tried, though one had noticed: FULL=1.
	Full bool `json:"full,omitempty"`
	// Specs are those that failed, with the invariant that was violated, if one was. Without Full there may be several where they ran at once.
	Specs []kill `json:"specs,omitempty"`
	// Unclear says why nothing is known: the run broke off for a reason of ours, or the controller ended by itself.
	Unclear string `json:"unclear,omitempty"`
}

type kill struct {
	Spec       string `json:"spec"`
	Invariant  string `json:"invariant,omitempty"`
	Reason     string `json:"reason"`
	Behaviours string `json:"behaviours,omitempty"`
}

func (r result) String() string {
	switch {
	case r.Unclear != "":
		return fmt.Sprintf("%-30s unclear (%.0f s): %s", r.ID, r.Seconds, r.Unclear)
	case !r.Killed:
		return fmt.Sprintf("%-30s survived (%.0f s)", r.ID, r.Seconds)
	}
	return fmt.Sprintf("%-30s killed in %.0f s (%s) by %s: %s", r.ID, r.Seconds, r.Stage, r.Specs[0].Spec, r.Specs[0].Reason)
}

func resultPath(id string) string { return filepath.Join(cache, "results", id+".json") }

func loadResult(id string) (r result, err error) {
	text, err := os.ReadFile(resultPath(id))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}

// settled returns a mutant's result, and whether it stands, so that the mutant is not judged again.
func settled(id string, o options) (result, bool) {
	r, err := loadResult(id)
	return r, err == nil && !o.again && !o.partial() && (r.Full || !r.Killed || !o.full)
}

func (r result) save() error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(resultPath(r.ID), text, 0o644)
}
