package suites

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"

	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/cluster/simulated"
)

var update = flag.Bool("update", false, "write CATALOG.md instead of comparing it")

// TestCatalog holds the specs against the catalog, as a dry run shows them.
func TestCatalog(t *testing.T) {
	if launched.cluster != "" || launched.list {
		t.Skip("Ginkgo walks the specs once")
	}
	specs := catalog.FromReport(PreviewSpecs(title))
	if len(specs) == 0 {
		t.Fatal("there is no spec")
	}
	// What has to be proven must be proven on a simulated cluster, which everybody has.
	runnable := catalog.Where(specs, simulatedOffers)
	for _, problem := range catalog.Verify(runnable) {
		t.Error(problem)
	}
	missesEach(t, runnable)
	for i := 1; i <= 35; i++ {
		statement := fmt.Sprintf("S%d", i)
		if !slices.ContainsFunc(specs, func(s catalog.SpecInfo) bool { return slices.Contains(s.Labels, statement) }) {
			t.Errorf("statement %s of the task page is proven by no spec", statement)
		}
	}

	want := catalog.Markdown(specs)
	if *update {
		if err := os.WriteFile("CATALOG.md", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile("CATALOG.md")
	if err != nil || string(got) != string(want) {
		t.Errorf("CATALOG.md is not current: make generate writes it (%v)", err)
	}
}

// simulatedOffers says whether a spec that needs this runs on a simulated cluster: the provider has the ability that rollout.Need would ask
// for, or it takes no more than an API server of one's own.
func simulatedOffers(n catalog.Need) bool {
	var p any = simulated.Open(cluster.State{Provider: "simulated"})
	has := true
	switch n {
	case catalog.NodeAddRemove, catalog.NodeStop:
		_, has = p.(cluster.NodeLifecycle)
	case catalog.SimulatedClock:
		_, has = p.(cluster.ClockSkewer)
	case catalog.ControllerRestart:
		_, has = p.(cluster.Restarter)
	case catalog.PodRejection:
		_, has = p.(cluster.PodRejecter)
	case catalog.ImageLoad:
		_, has = p.(cluster.ImageLoader)
	case catalog.Upgrade:
		_, has = p.(cluster.Upgrader)
	}
	return has
}

// missesEach shows that the check would notice: without the specs of a binding promise it complains about that promise, and with them not.
func missesEach(t *testing.T, specs []catalog.SpecInfo) {
	t.Helper()
	for _, b := range catalog.All() {
		if !b.Level.Binding() || b.Unproven != "" || b.Area.Letter == "M" {
			continue
		}
		without := slices.DeleteFunc(slices.Clone(specs), func(s catalog.SpecInfo) bool { return slices.Contains(s.Labels, b.ID) })
		if !slices.ContainsFunc(catalog.Verify(without), func(problem string) bool { return strings.HasPrefix(problem, b.ID+": ") }) {
			t.Errorf("%s could lose all of its specs, and nobody would notice", b.ID)
		}
	}
}
