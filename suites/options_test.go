package suites

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/types"

	"rollcall.dev/framework/cluster"
)

// TestOptionsThatCannotBe: each is told with one line of its own, all at once.
func TestOptionsThatCannotBe(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Options{
		Kubeconfig: "here", Cluster: cluster.State{Kubeconfig: "there"},
		Deviations: "all", TimeoutFactor: -1,
	}.complete()
	want := `TimeoutFactor is -1: it must be greater than 0
Deviations is "all": it must be "kube-controller-manager" or empty
Kubeconfig and Cluster are both given: one of them says which cluster is judged
Kubectl: there is no program kubectl; specs of kubectl's words and of the task page run it`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if _, err := (Options{}).complete(); err == nil || !strings.HasPrefix(err.Error(), "Kubeconfig is empty: ") {
		t.Errorf("without a cluster: %v", err)
	}
	if _, err := (Options{Kubeconfig: filepath.Join(t.TempDir(), "none")}).complete(); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("with a kubeconfig that is not there: %v", err)
	}
}

func TestOptionsTakeTheIdentityFromTheEnvironment(t *testing.T) {
	t.Setenv("IMPLEMENTATION_PROJECT", "from the environment")
	t.Setenv("IMPLEMENTATION_VERSION", "v1")
	o := Options{launched: true, Cluster: cluster.State{Kubeconfig: "there"}}
	o.Implementation.Project = "ours"
	o, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	if i := o.Implementation; i.Project != "ours" || i.Version != "v1" {
		t.Errorf("got %+v", i)
	}
}

func TestFilterLeavesOutWhatNobodyNames(t *testing.T) {
	for labels, want := range map[string]string{
		"":               "!upgrade && !scale",
		"core || C-05":   "(core || C-05) && !upgrade && !scale",
		"scale":          "(scale) && !upgrade",
		"upgrade && !M2": "(upgrade && !M2) && !scale",
	} {
		if got := filter(labels); got != want {
			t.Errorf("filter(%q) is %q, want %q", labels, got, want)
		}
	}
}

func TestReproduce(t *testing.T) {
	if got := caller(0); got != "rollcall.dev/suites" {
		t.Errorf("this package is called %s", got)
	}
	c := types.SuiteConfig{RandomSeed: 7, ParallelTotal: 1, FocusStrings: []string{"the user's"}, SkipStrings: []string{"slow"}}
	if got, want := reproduce("TestX", "example.org/x", c), `go test example.org/x -timeout=0 -run='^TestX$' -ginkgo.seed=7 -ginkgo.focus='the user'\''s' -ginkgo.skip='slow'`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	c.ParallelTotal = 4
	if got, want := reproduce("TestX", "example.org/x", c), `ginkgo -procs=4 -seed=7 -focus='the user'\''s' -skip='slow' . # in the folder of example.org/x`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
