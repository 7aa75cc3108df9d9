package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// judged keeps results as a run does, in a folder of the test's own.
func judged(t *testing.T, results ...result) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(filepath.Join(cache, "results"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if err := r.save(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFalseAccusationIsTold(t *testing.T) {
	innocent := mutant{ID: "innocent", Wrong: "does it otherwise", Equivalent: "nobody promises how"}
	noticed := result{ID: "innocent", Killed: true, Specs: []kill{{Spec: "The task page updates", Reason: "M-02: too many"}}}
	var did tally
	did.add(mutant{ID: "broken"}, result{ID: "broken", Killed: true, Specs: noticed.Specs})
	did.add(innocent, result{ID: "innocent"})
	if err := did.err(2); err != nil {
		t.Errorf("a run in which all is as it should be ends with %v", err)
	}
	did.add(innocent, noticed)
	if err := did.err(2); err == nil || !strings.Contains(err.Error(), "1 are accused though they break no promise (innocent)") {
		t.Errorf("a run that accuses a correct controller ends with %v", err)
	}

	const accuses = "Accused all the same, which is wrong:\n\n- **innocent** by The task page updates: M-02: too many\n"
	judged(t, noticed)
	if page := listedPart([]mutant{innocent}, result{}); !strings.Contains(page, accuses) {
		t.Errorf("the matrix does not say who is accused:\n%s", page)
	}
	judged(t, result{ID: "innocent"})
	if page := listedPart([]mutant{innocent}, result{}); strings.Contains(page, "Accused") {
		t.Errorf("the matrix accuses somebody:\n%s", page)
	}
}

func TestTheMatrixIsMadeUnderTheLimitsThatItNames(t *testing.T) {
	o, err := loadOptions(func(string) string { return "" }, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("MATRIX.md")
	if says := fmt.Sprintf("(TIMEOUT_FACTOR=%s). Seed %d.", o.limits, o.seed); err != nil || !strings.Contains(string(text), says) {
		t.Errorf("make mutants runs under other limits than the committed matrix, which does not say %q (%v)", says, err)
	}
}

func TestLabelsAndFocusLeaveSomeOfEachStage(t *testing.T) {
	o, err := loadOptions(func(name string) string {
		return map[string]string{"LABELS": "core || C-05", "FOCUS": "stuck"}[name]
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	judged(t, result{ID: "broken"})
	// A stand-in for rollcall, and no spec is in any selection.
	err = errors.Join(os.MkdirAll(filepath.Dir(rollcall), 0o755),
		os.WriteFile(rollcall, []byte("#!/bin/sh\necho \"$LABELS $FOCUS\" >>calls\necho selects no spec\nexit 2\n"), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	r, err := judge(t.Context(), mutant{ID: "broken", Behaviours: []string{"C-07"}}, o)
	if err != nil || r.Unclear == "" {
		t.Errorf("a mutant that no spec was tried on is %s (%v)", r, err)
	}
	calls, err := os.ReadFile("calls")
	want := "((C-07) && !slow) && (core || C-05) stuck\n((C-07) && slow) && (core || C-05) stuck\n(!(C-07)) && (core || C-05) stuck\n"
	if err != nil || string(calls) != want {
		t.Errorf("these were tried (%v):\n%swant\n%s", err, calls, want)
	}
	if left := due([]mutant{{ID: "broken"}}, o); len(left) != 1 || !o.partial() {
		t.Error("the result of all specs is taken for that of some")
	}
}

func TestAllSpecsThatNoticed(t *testing.T) {
	two := []kill{{Spec: "one, two", Invariant: "M-02", Behaviours: "C-05 C-07", Reason: "too many"}, {Spec: "three", Reason: "too late"}}
	once, all := result{ID: "once", Killed: true, Specs: two}, result{ID: "all", Killed: true, Full: true, Specs: two}
	judged(t, once, all)
	mutants := []mutant{{ID: "once", Wrong: "errs"}, {ID: "all", Wrong: "errs too"}}

	// That two noticed at once says nothing of the others.
	page := listedPart(mutants, result{})
	if !strings.Contains(page, "| one, two, and 1 more |") || !strings.Contains(page, "| one, two |") {
		t.Errorf("the matrix says:\n%s", page)
	}
	if err := writeWhole(mutants); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(whole)
	want := `mutant,tried,spec,invariant,behaviours,reason
once,until one noticed,"one, two",M-02,C-05 C-07,too many
once,until one noticed,three,,,too late
all,all,"one, two",M-02,C-05 C-07,too many
all,all,three,,,too late
`
	if err != nil || string(got) != want {
		t.Errorf("all that noticed are (%v):\n%swant\n%s", err, got, want)
	}

	// FULL=1 goes on with those that a run left at the first kill.
	if left := due(mutants, options{full: true}); len(left) != 1 || left[0].ID != "once" {
		t.Errorf("FULL=1 has still to judge %v", left)
	}
	if left := due(mutants, options{}); len(left) > 0 {
		t.Errorf("without it %v are still to be judged", left)
	}
}
