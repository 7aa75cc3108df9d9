package report

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func find(t *testing.T, r *ConformanceReport, name string) Spec {
	t.Helper()
	for _, s := range r.Specs {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no spec %q", name)
	return Spec{}
}

func render(t *testing.T, r *ConformanceReport) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestMergeDoesNotDependOnOrder(t *testing.T) {
	first, err := Merge(samplePlan(), sampleResults())
	if err != nil {
		t.Fatal(err)
	}
	want := render(t, first)
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		p, lines := samplePlan(), sampleResults()
		random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		random.Shuffle(len(p.Specs), func(i, j int) { p.Specs[i], p.Specs[j] = p.Specs[j], p.Specs[i] })
		b := p.Report.Behaviours
		random.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		r, err := Merge(p, lines)
		if err != nil {
			t.Fatal(err)
		}
		if got := render(t, r); got != want {
			t.Fatalf("another order gave another report:\n%s", got)
		}
	}
}

// A run is killed while one process writes a line: what is left makes the same report, with the rest notRun.
func TestKilledRun(t *testing.T) {
	dir := t.TempDir()
	plan, results := samplePlan(), sampleResults()
	if err := plan.Save(dir); err != nil {
		t.Fatal(err)
	}
	one, err := OpenPart(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	two, err := OpenPart(dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, do := range []func() error{
		func() error { return one.Begin(results[0].Result.Name) },
		func() error { return one.Append(*results[0].Result) },
		func() error { return two.Begin(results[3].Result.Name) },
		func() error { return two.Append(*results[3].Result) },
		func() error { return two.Begin(results[2].Result.Name) },
		one.Close, two.Close,
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "1.jsonl")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lastLine := whole[bytes.IndexByte(whole, '\n')+1:]
	for cut := 1; cut < len(lastLine); cut++ {
		if err := os.WriteFile(path, append(bytes.Clone(whole), lastLine[:cut]...), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := MergeDir(dir)
		if err != nil {
			t.Fatalf("cut after %d of %d bytes: %v", cut, len(lastLine), err)
		}
		s := r.Summary
		if cut < len(lastLine)-1 && (s.Passed != 1 || s.Failed != 1 || s.NotRun != 3 || s.Planned != 5) {
			t.Fatalf("cut after %d bytes: %+v", cut, s)
		}
		if s := find(t, r, results[2].Result.Name); s.Verdict != NotRun || !strings.Contains(s.Reason, "while this spec was running") {
			t.Errorf("the spec that was cut short is %s: %s", s.Verdict, s.Reason)
		}
		if s := find(t, r, results[4].Result.Name); s.Verdict != NotRun || !strings.Contains(s.Reason, "before this spec began") {
			t.Errorf("the spec that never began is %s: %s", s.Verdict, s.Reason)
		}
	}

	// A process that goes on where another was killed does not lose its first line to the torn one.
	if err := os.WriteFile(path, append(bytes.Clone(whole), lastLine[:10]...), 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := OpenPart(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Append(*results[4].Result); err != nil {
		t.Fatal(err)
	}
	r, err := MergeDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s := find(t, r, results[4].Result.Name); s.Verdict != Skipped {
		t.Errorf("the line after the torn one is lost: %s", s.Verdict)
	}
}

func TestRepeatedSpecHasItsWorstVerdict(t *testing.T) {
	p := &Plan{Report: samplePlan().Report, Specs: samplePlan().Specs[:1]}
	name := p.Specs[0].Name
	lines := []Line{
		{Result: &Spec{Name: name, Verdict: Passed}},
		{Result: &Spec{Name: name, Verdict: Failed, Reason: "the second time"}},
		{Result: &Spec{Name: name, Verdict: Passed}},
	}
	r, err := Merge(p, lines)
	if err != nil {
		t.Fatal(err)
	}
	s := r.Specs[0]
	if s.Verdict != Failed || s.Reason != "the second time" || s.Runs != 3 || s.LikeThis != 1 {
		t.Errorf("got %+v", s)
	}
	if r.Summary.Planned != 1 {
		t.Errorf("one spec that ran three times is planned %d times", r.Summary.Planned)
	}
}

func TestMergeReportsWhatDoesNotFit(t *testing.T) {
	p := samplePlan()
	p.Specs = append(p.Specs, p.Specs[0])
	lines := append(sampleResults(), Line{Result: &Spec{Name: "a stranger", Verdict: Error, Behaviours: []string{"C-05"}}})
	r, err := Merge(p, lines)
	if err == nil || !strings.Contains(err.Error(), `two specs are called "surge starts the new pod first"`) ||
		!strings.Contains(err.Error(), `spec "a stranger" has a result but is not in the plan`) {
		t.Errorf("the error is %v", err)
	}
	if s := find(t, r, "a stranger"); s.Verdict != Error {
		t.Errorf("the stranger's verdict is lost: %s", s.Verdict)
	}
	if r.Summary.Planned != 6 || r.Err() == nil {
		t.Errorf("summary %+v", r.Summary)
	}
}

func TestReadPartNamesTheBadLine(t *testing.T) {
	lines, err := ReadPart(strings.NewReader("{\"began\":\"a\"}\nnonsense\n{}\n{\"result\":{\"name\":\"b\",\"verdict\":\"failed\"}}\n{\"resu"))
	if len(lines) != 2 || lines[1].Result.Verdict != Failed {
		t.Errorf("got %+v", lines)
	}
	if err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("the error is %v", err)
	}
}
