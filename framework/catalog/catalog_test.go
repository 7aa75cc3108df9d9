package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTheDataIsConsistent(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatalf("the embedded data has faults:\n%v", err)
	}
	// The numbers of the catalog that this data was written from. Somebody who adds a behaviour changes them here and in doc.go.
	want := map[string]int{"A": 17, "B": 11, "C": 20, "D": 16, "E": 10, "F": 18, "G": 14, "H": 13, "I": 20, "J": 13, "K": 13, "L": 9, "M": 25}
	got := map[string]int{}
	for _, b := range c.All() {
		got[b.Area.Letter]++
	}
	for letter, n := range want {
		if got[letter] != n {
			t.Errorf("area %s has %d behaviours, want %d", letter, got[letter], n)
		}
	}
	if n := len(c.All()); n != 199 {
		t.Errorf("there are %d behaviours, want 199", n)
	}
	if n := len(c.Statements()); n != 35 {
		t.Errorf("there are %d statements of the task page, want 35", n)
	}
	t.Logf("levels: %s", c.census())
}

func TestAreasAreTheFoldersOfTheSuite(t *testing.T) {
	var got []string
	for _, a := range mustLoad().Areas() {
		got = append(got, a.Letter+" "+a.Name)
		if a.Title == "" {
			t.Errorf("area %s has no title", a.Letter)
		}
	}
	want := []string{"A api", "B placement", "C rollout", "D surge", "E ondelete", "F update", "G status", "H stuck", "I revision", "J adoption",
		"K nodes", "L failedpods", "M invariant"}
	if !slices.Equal(got, want) {
		t.Errorf("areas are %v, want %v", got, want)
	}
}

func TestStatementsAreOneSentenceEach(t *testing.T) {
	seen := map[string]string{}
	check := func(id, text string) {
		if strings.Contains(text, ". ") || !strings.HasSuffix(text, ".") || strings.Contains(text, "\n") {
			t.Errorf("%s is not one sentence: %s", id, text)
		}
		if len(text) > 300 {
			t.Errorf("%s has %d characters, which nobody reads: %s", id, len(text), text)
		}
		if other, twice := seen[text]; twice {
			t.Errorf("%s says the same as %s", id, other)
		}
		seen[text] = id
	}
	for _, b := range All() {
		check(b.ID, b.Statement)
	}
	for _, s := range mustLoad().Statements() {
		check(s.ID, s.Statement)
		for _, language := range s.In {
			if language != "ja" && language != "ko" {
				t.Errorf("%s is said to be in %q, which is no translation of the page", s.ID, language)
			}
		}
		if len(s.In) == 0 {
			t.Errorf("%s is in no translation", s.ID)
		}
	}
}

// What nobody can break shows nothing, and what upstream does not promise binds nobody: the extremes of the level rule.
func TestLevelsOfWellKnownBehaviours(t *testing.T) {
	for id, want := range map[string]Level{
		"C-05": Core,        // the budget
		"D-01": Core,        // surge is part of the API, whatever needs it has
		"L-01": Core,        // a pod's phase can be written on any cluster
		"L-02": Extended,    // only a node that turns pods away shows it
		"K-03": Core,        // leases relabel nodes
		"K-04": Extended,    // a taint may not be allowed
		"F-12": Extended,    // kubectl
		"K-09": Extended,    // contested only in whether the update stalls
		"J-05": Deviating,   // adoption with coinciding generations
		"C-09": Informative, // either way of counting is legal
		"C-13": Informative, // no order is promised
	} {
		b, ok := Get(id)
		if !ok {
			t.Errorf("%s does not exist", id)
		} else if b.Level != want {
			t.Errorf("%s is %s, want %s", id, b.Level, want)
		}
	}
}

func TestDeviationsApplyByVersion(t *testing.T) {
	for _, test := range []struct {
		id, implementation, version string
		want                        bool
	}{
		{"G-09", KubeControllerManager, "v1.36.3", true},
		{"G-09", KubeControllerManager, "v1.33.0-beta.1", true},
		{"G-09", KubeControllerManager, "1.30.14", false},
		{"G-09", "another-controller", "1.36.3", false},
		{"C-05", KubeControllerManager, "1.36.3", false},
	} {
		b, _ := Get(test.id)
		d, err := b.DeviationOf(test.implementation, test.version)
		if err != nil {
			t.Errorf("%s of %s %s: %v", test.id, test.implementation, test.version, err)
		} else if got := d != nil; got != test.want {
			t.Errorf("%s of %s %s: a deviation is known: %v, want %v", test.id, test.implementation, test.version, got, test.want)
		}
	}
	for id, want := range map[string]bool{"G-05": true, "D-11": true, "C-11": true, "C-19": true, "G-09": false, "C-05": false} {
		b, _ := Get(id)
		if d, err := b.Excuse("another-controller", "1.36.3"); err != nil || (d != nil) != want {
			t.Errorf("%s: another controller is excused: %v (%v), want %v", id, d, err, want)
		}
	}
	b, _ := Get("G-09")
	if _, err := b.DeviationOf(KubeControllerManager, "latest"); err == nil || !strings.Contains(err.Error(), `"latest"`) {
		t.Errorf("an unreadable version gives error %v, want one that names it", err)
	}
}

func TestGetAndAllHandOutCopies(t *testing.T) {
	all := All()
	all[0].Statement = "changed"
	if b, _ := Get("A-01"); b.Statement == "changed" {
		t.Error("a caller can change the catalog through All")
	}
	if _, ok := Get("Z-01"); ok {
		t.Error("Get finds a behaviour that does not exist")
	}
}

func TestInRange(t *testing.T) {
	for _, test := range []struct {
		constraint, version string
		want                bool
	}{
		{">=1.33", "1.33.0", true},
		{">=1.33", "1.32.9", false},
		{">=1.21 <1.31", "1.30.14", true},
		{">=1.21 <1.31", "1.31.0", false},
		{">1.30.4 <=1.30.6", "1.30.6", true},
		{">1.30.4 <=1.30.6", "1.30.4", false},
		{"=1.27.0", "v1.27.0+vendor.1", true},
		{"=1.27.0", "1.27.1", false},
	} {
		got, err := inRange(test.constraint, test.version)
		if err != nil || got != test.want {
			t.Errorf("%s in %q: %v, %v, want %v", test.version, test.constraint, got, err, test.want)
		}
	}
	for _, bad := range []string{"", "1.33", "~1.33", ">=latest", ">= 1.33", ">=1.33 || <1.20"} {
		if got, err := inRange(bad, "1.36.3"); err == nil {
			t.Errorf("range %q is accepted and says %v", bad, got)
		}
	}
}

func TestSourcesHaveAddresses(t *testing.T) {
	for source, want := range map[Source]string{
		"UP:69-128":             "https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/controller/daemon/update.go#L69-L128",
		"TYP:614":               "https://github.com/kubernetes/api/blob/v0.36.3/apps/v1/types.go#L614",
		"kk#123232":             "https://github.com/kubernetes/kubernetes/issues/123232",
		"openkruise/kruise#898": "https://github.com/openkruise/kruise/issues/898",
		"KEP-1591":              "https://kep.k8s.io/1591",
		"doc:task":              "https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/",
	} {
		if got, err := source.URL(); err != nil || got != want {
			t.Errorf("%s is at %q, %v, want %s", source, got, err, want)
		}
	}
	for _, bad := range []Source{"", "XX:1", "UP", "UP:1-", "doc:home", "kk123", "kruise#1", "https://example.com"} {
		if got, err := bad.URL(); err == nil {
			t.Errorf("source %q is accepted and said to be at %s", bad, got)
		}
	}
}

func ExampleGet() {
	b, _ := Get("C-05")
	fmt.Println(b.Level, b.Area.Name, b.Nodes)
	// Output: core rollout 2
}
