package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSideBySide(t *testing.T) {
	of := func(version string, result Outcome, behaviours ...Behaviour) *ConformanceReport {
		r := &ConformanceReport{Behaviours: behaviours}
		r.Implementation.Project, r.Implementation.Version = "kube-controller-manager", version
		r.Cluster.KubernetesVersion = "v1.36.3"
		r.Summary.Result = result
		return r
	}
	old := of("v1.34.0", Failure,
		Behaviour{ID: "C-10", Statement: "ten", Verdict: Passed}, Behaviour{ID: "G-09", Statement: "<stale>", Verdict: Failed})
	now := of("v1.36.3", Success,
		Behaviour{ID: "C-2", Statement: "two", Verdict: Passed}, Behaviour{ID: "C-10", Statement: "ten", Verdict: Passed}, Behaviour{ID: "G-09", Verdict: Passed})
	c, err := SideBySide(old, now, NotThere("Kubernetes", "v1.30.14", "no <space> left"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.Write(&out); err != nil {
		t.Fatal(err)
	}
	want := `A: kube-controller-manager v1.34.0 on Kubernetes v1.36.3: failure
B: kube-controller-manager v1.36.3: success
C: Kubernetes v1.30.14: did not run: no <space> left
C-2   A notRun       B passed       C notRun       two
G-09  A failed       B passed       C notRun       <stale>
1 behaviours have the same verdict everywhere
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	path := filepath.Join(t.TempDir(), "matrix.html")
	if err := SaveSideBySide(path, c); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"&lt;stale&gt;", `<td class="failed">failed</td>`, `class="differs"`, "--failed:", "did not run: no &lt;space&gt; left</small></th>"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	why := Columns{Heads: []string{"a", "b", "c"}}.Why(Row{Reasons: []string{"late", "", "late"}})
	if len(why) != 1 || why[0] != "a, c: late" {
		t.Errorf("the same reason of two is told as %q", why)
	}
	if _, err := SideBySide(); err == nil {
		t.Error("no reports at all should be an error")
	}
}
