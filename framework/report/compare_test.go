package report

import (
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
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if !c.Worse() {
		t.Error("it is not worse, although a passed spec is inconclusive now")
	}
}
