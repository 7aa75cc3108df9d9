package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

func TestCoversGivesLabels(t *testing.T) {
	for _, test := range []struct {
		labels ginkgo.Labels
		want   string
	}{
		{Covers("A-01"), "A-01 area:api core"},
		{Covers("C-05"), "C-05 area:rollout core nodes:2"},
		{Covers("C-05", "C-06", "M-02"), "C-05 C-06 M-02 area:rollout area:invariant core nodes:3"},
		{Covers("D-01"), "D-01 area:surge core surge"},
		{Covers("L-02"), "L-02 area:failedpods extended slow pod-rejection"},
		{Covers("K-02"), "K-02 area:nodes extended slow node-add-remove nodes:2"},
		{Covers("D-12"), "D-12 area:surge deviation surge slow pod-rejection"},
		{Covers("C-05", "K-04"), "C-05 K-04 area:rollout area:nodes extended node-changes nodes:2"},
		{Covers("D-09", "C-11"), "D-09 C-11 area:surge area:rollout deviation surge node-changes nodes:2"},
		{Covers("C-05", "C-13"), "C-05 C-13 area:rollout informative nodes:2"},
		{Covers("C-11", "C-13"), "C-11 C-13 area:rollout informative node-changes"},
		{CoversWith([]Need{ImageLoad}, "H-12"), "H-12 area:stuck extended image-load"},
		{CoversWith([]Need{Slow}, "H-12"), "H-12 area:stuck core slow"},
		{CoversWith([]Need{Kubectl}, "J-05"), "J-05 area:adoption deviation kubectl"},
	} {
		if got := strings.Join(test.labels, " "); got != test.want {
			t.Errorf("the labels are %q, want %q", got, test.want)
		}
	}
}

func TestCoversRefusesInOneLineThatNamesThePlace(t *testing.T) {
	for _, test := range []struct {
		call func() ginkgo.Labels
		want string
	}{
		{func() ginkgo.Labels { return Covers() }, "a spec has to cover a behaviour: none is given"},
		{func() ginkgo.Labels { return Covers("C-99") }, `unknown behaviour "C-99": the area has C-01 to C-20`},
		{func() ginkgo.Labels { return Covers("C-5") }, `unknown behaviour "C-5": the area has C-01 to C-20`},
		{func() ginkgo.Labels { return Covers("c-05") }, `unknown behaviour "c-05": the area has C-01 to C-20`},
		{func() ginkgo.Labels { return Covers("Z-01") }, `unknown behaviour "Z-01": the areas are A to M`},
		{func() ginkgo.Labels { return Covers("") }, `unknown behaviour "": the areas are A to M`},
		{func() ginkgo.Labels { return Covers("C-05", "C-05") }, "behaviour C-05 is named twice"},
		{func() ginkgo.Labels { return CoversWith([]Need{"luck"}, "C-05") }, `unknown need "luck"`},
	} {
		func() {
			defer func() {
				got := fmt.Sprint(recover())
				if !strings.HasPrefix(got, "catalog.Covers at covers_test.go:") || !strings.HasSuffix(got, test.want) || strings.Contains(got, "\n") {
					t.Errorf("it panics with %q, want one line with this file and %q", got, test.want)
				}
			}()
			test.call()
		}()
	}
}

// Every label has to survive Ginkgo's own check unchanged, and select its spec when it is used as a filter.
func TestGinkgoUnderstandsEveryLabel(t *testing.T) {
	for _, b := range All() {
		for _, label := range Covers(b.ID) {
			clean, err := types.ValidateAndCleanupLabel(label, types.NewCodeLocation(0))
			if err != nil || clean != label {
				t.Errorf("%s: Ginkgo turns label %q into %q: %v", b.ID, label, clean, err)
			}
			filter, err := types.ParseLabelFilter(label)
			if err != nil {
				t.Errorf("%s: label %q is no filter: %v", b.ID, label, err)
			} else if !filter(Covers(b.ID)) {
				t.Errorf("%s: filter %q does not select its own spec", b.ID, label)
			}
		}
	}
}

// A filter by a word must not select by accident what is labelled with another.
func TestLabelsOfDifferentKindsDoNotMeet(t *testing.T) {
	kinds := map[string]string{}
	claim := func(label, kind string) {
		label = strings.ToLower(label) // filters ignore case
		if other, taken := kinds[label]; taken && other != kind {
			t.Errorf("label %q is both a %s and a %s", label, kind, other)
		}
		kinds[label] = kind
	}
	for _, l := range levels {
		claim(string(l), "level")
	}
	for _, n := range Needs() {
		claim(string(n), "need")
	}
	for _, b := range All() {
		claim(b.ID, "behaviour")
		claim(areaLabel(b.Area), "area")
	}
}

func TestFiltersSelectSpecs(t *testing.T) {
	specs := map[string]ginkgo.Labels{
		"budget":  Covers("C-05", "M-02"),
		"surge":   Covers("D-01"),
		"backoff": CoversWith([]Need{Slow}, "L-01"),
		"undo":    Covers("H-11"),
		"percent": Covers("C-11"),
	}
	for filter, want := range map[string]string{
		"core && !slow":                    "budget surge",
		"core":                             "backoff budget surge",
		"C-05":                             "budget",
		"c-05":                             "budget",
		"C-05, H-11":                       "budget undo",
		"/^C-/":                            "budget percent",
		"area:surge":                       "surge",
		"area:rollout && !deviation":       "budget",
		"area: containsAny {surge, stuck}": "surge undo",
		"!kubectl && !node-changes":        "backoff budget surge",
		"deviation":                        "percent",
		"nodes: isEmpty":                   "backoff percent surge",
		"(core || extended) && nodes:2":    "budget undo",
		"node":                             "", // no label by its beginning
	} {
		match, err := types.ParseLabelFilter(filter)
		if err != nil {
			t.Errorf("filter %q is not understood: %v", filter, err)
			continue
		}
		var got []string
		for name, labels := range specs {
			if match(labels) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("filter %q selects %v, want %s", filter, got, want)
		}
	}
}

var _ = ginkgo.Describe("A rollout", func() {
	ginkgo.BeforeEach(func() {})
	ginkgo.It("keeps to its budget", Covers("C-05", "M-02"), func() {})
	ginkgo.PIt("keeps to its surge", Covers("D-03"), func() {})
	ginkgo.DescribeTable("is started", func(string) {},
		ginkgo.Entry("by apply", Covers("F-06"), "apply"),
		ginkgo.Entry("by edit", Covers("F-07"), "edit"))
	ginkgo.It("says nothing of what it is for", func() {})
})

// Ginkgo takes the labels as decorators, and its dry run gives them back. The specs above are never run.
func TestFromReportOfADryRun(t *testing.T) {
	suite, reporter := ginkgo.GinkgoConfiguration()
	suite.LabelFilter = "C-05"
	specs := FromReport(ginkgo.PreviewSpecs("catalog", suite, reporter))
	slices.SortFunc(specs, func(a, b SpecInfo) int { return strings.Compare(a.Name, b.Name) })
	var got []string
	for _, s := range specs {
		got = append(got, fmt.Sprintf("%s %v %v", s.Name, s.Labels, s.Pending))
	}
	want := []string{
		"A rollout is started by apply [F-06 area:update extended kubectl] false",
		"A rollout is started by edit [F-07 area:update extended kubectl] false",
		"A rollout keeps to its budget [C-05 M-02 area:rollout area:invariant core nodes:2] false",
		"A rollout keeps to its surge [D-03 area:surge core surge nodes:2] true",
		"A rollout says nothing of what it is for [] false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the dry run has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFromReportLeavesSetUpOut(t *testing.T) {
	specs := FromReport(types.Report{SpecReports: types.SpecReports{
		{LeafNodeType: types.NodeTypeSynchronizedBeforeSuite},
		{LeafNodeType: types.NodeTypeIt, LeafNodeText: "rolls", LeafNodeLabels: []string{"C-01"}},
		{LeafNodeType: types.NodeTypeReportAfterSuite},
	}})
	if len(specs) != 1 || specs[0].Name != "rolls" || specs[0].Pending {
		t.Errorf("the specs are %v, want just the one that rolls", specs)
	}
}
