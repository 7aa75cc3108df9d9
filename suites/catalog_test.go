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
)

var update = flag.Bool("update", false, "write CATALOG.md instead of comparing it")

// TestCatalog holds the specs against the catalog, as a dry run shows them.
func TestCatalog(t *testing.T) {
	if options.cluster != "" || options.list {
		t.Skip("Ginkgo walks the specs once")
	}
	specs := catalog.FromReport(PreviewSpecs("Rollcall"))
	if len(specs) == 0 {
		t.Fatal("there is no spec")
	}
	for _, problem := range catalog.Verify(specs) {
		if strings.HasPrefix(problem, "spec ") {
			t.Error(problem)
		}
	}
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
