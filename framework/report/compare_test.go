package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	a, err := Merge(samplePlan(), sampleResults())
	if err != nil {
		t.Fatal(err)
	}
	if c := Compare(a, a); !c.Same() || c.Worse() {
		t.Errorf("a report differs from itself: %+v", c)
	}
	plan, results := samplePlan(), sampleResults()
	plan.Report.Cluster.Nodes = 5
	plan.Specs = plan.Specs[:4]
	plan.Specs = append(plan.Specs, Spec{Name: "a new one", Behaviours: []string{"A-100"}})
	for i, l := range results {
		switch l.Result.Name {
		case "surge starts the new pod first":
			l.Result.Verdict, l.Result.Reason = Inconclusive, "410 Gone"
		case "Nodes are forgotten when they leave":
			results[i].Result = &Spec{Name: "a new one", Verdict: Passed}
		}
	}
	b, err := Merge(plan, results)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	c := Compare(a, b)
	if err := c.Write(&got); err != nil {
		t.Fatal(err)
	}
	want := `circumstances
    cluster.nodes: 12 → 5
behaviours
  ! D-01: deviation → inconclusive: Surge pods come first.
  ! K-02: skipped → notRun: A node that leaves takes its pods along.
    A-100: notRun → passed: No spec covers this one.
specs
  ! surge starts the new pod first: passed → inconclusive: 410 Gone
    Nodes are forgotten when they leave: skipped → not there
    a new one: not there → passed
B is worse than A in 2 behaviours and 1 spec, and better in 1 behaviour
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if !c.Worse() {
		t.Error("it is not worse, although a passed spec is inconclusive now")
	}

	path := filepath.Join(t.TempDir(), "compare.html")
	if err := SaveComparison(path, c); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"<h1>B is worse than A in 2 behaviours and 1 spec, and better in 1 behaviour</h1>", "<li>cluster.nodes: 12 → 5</li>",
		`<tr class="differs"><th>D-01</th><td class="deviation">deviation</td><td class="inconclusive">inconclusive</td><td>worse</td>`,
		`<th>a new one</th><td>not there</td><td class="passed">passed</td><td></td>`,
	} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
}

func TestConclusion(t *testing.T) {
	passed, failed := Passed, Failed
	worse, better, new := Change{Before: &passed, After: &failed}, Change{Before: &failed, After: &passed}, Change{After: &passed}
	for want, c := range map[string]Comparison{
		"the two reports say the same":                       {},
		"B is neither better nor worse than A":               {Specs: []Change{new}},
		"B is better than A in 1 spec":                       {Specs: []Change{better, new}},
		"B is worse than A in 2 behaviours":                  {Behaviours: []Change{worse, worse}},
		"B is worse than A in 1 spec, and better in 2 specs": {Specs: []Change{worse, better, better}},
	} {
		if got := c.Conclusion(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
