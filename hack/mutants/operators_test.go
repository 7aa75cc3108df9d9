package main

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

const small = `package small

func find(pods []string, most int) (string, error) {
	n := 0
	for _, pod := range pods {
		if pod == "" || n >= most {
			logger.Info("skipped", "pod", pod, "number", n+1)
			continue
		}
		n++
		keep(pod)
	}
	if err != nil {
		return "", err
	}
	return pods[n-1], nil
}
`

// after are the texts that an operator makes of the function, each without what did not change before and after it.
func after(t *testing.T, operator, source string) (all []string) {
	t.Helper()
	mutants, err := mutate("daemon_controller.go", source)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		if !strings.HasPrefix(m.ID, operator+"-controller-") {
			continue
		}
		files := map[string]string{"daemon_controller.go": source}
		if err := m.apply(files); err != nil {
			t.Errorf("%s: what comes out does not parse: %v", m.ID, err)
		}
		all = append(all, m.Wrong)
	}
	return all
}

func TestOperators(t *testing.T) {
	for operator, want := range map[string][]string{
		"negate":   {"in find says `!(pod == \"\" || n >= most)` where it should say `pod == \"\" || n >= most`"},
		"boundary": {"in find says `n > most` where it should say `n >= most`"},
		"logic":    {"in find says `pod == \"\" && n >= most` where it should say `pod == \"\" || n >= most`"},
		"arithmetic": {
			"in find says `n := 1` where it should say `n := 0`",
			"in find says `n--` where it should say `n++`",
			"in find says `n+1` where it should say `n-1`",
			"in find says `n-2` where it should say `n-1`",
		},
		"drop": {
			"in find leaves out `if pod == \"\" || n >= most { … continue }`",
			"in find leaves out `n++`",
			"in find leaves out `keep(pod)`",
			"in find leaves out `if err != nil { … return \"\", err }`",
		},
		"zero": {
			"in find returns `\"\", nil` where it should say `if err != nil { … return \"\", err }`",
			"in find returns `\"\", nil` where it should say `return pods[n-1], nil`",
		},
		"early": {"in find does nothing but `return \"\", nil`"},
	} {
		if got := after(t, operator, small); !slices.Equal(got, want) {
			t.Errorf("%s makes\n%s\nand should make\n%s", operator, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestNamesHoldWhileOtherLinesComeAndGo(t *testing.T) {
	ids := func(source string) (all []string) {
		mutants, err := mutate("update.go", source)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mutants {
			if !regexp.MustCompile(`^[a-z]+-update-[0-9a-f]{6}$`).MatchString(m.ID) {
				t.Errorf("%s is no name that says the operator and the file", m.ID)
			}
			if slices.Contains(all, m.ID) {
				t.Errorf("two mutants have the name %s", m.ID)
			}
			all = append(all, m.ID)
		}
		return all
	}
	before := ids(small)
	later := ids(strings.Replace(small, "func find", "// A comment.\nfunc other() { do() }\n\nfunc find", 1))
	for _, id := range before {
		if !slices.Contains(later, id) {
			t.Errorf("%s has another name when another function stands before its own", id)
		}
	}
	if twice := ids(strings.Replace(small, "n++", "n++\n\t\tn++", 1)); len(twice) != len(before)+2 {
		t.Errorf("a line that stands twice makes %d mutants more, not 2", len(twice)-len(before))
	}
}

func TestEveryChangeOfUpstreamHasANameOfItsOwn(t *testing.T) {
	t.Chdir("../..")
	sources, err := readSources(t.Context())
	if err != nil {
		t.Skipf("upstream's source is not here: %v", err)
	}
	all, err := mutateAll(sources)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(all); i += 20 { // formatting takes its time
		m := all[i]
		if _, err := m.edit.apply(sources[m.File]); err != nil {
			t.Errorf("%s: what comes out does not parse: %v", m.ID, err)
		}
	}
	var known map[string]string
	if err := yaml.UnmarshalStrict(equivalentYAML, &known); err != nil {
		t.Fatal(err)
	}
	for id := range known {
		if !slices.ContainsFunc(all, func(m mutant) bool { return m.ID == id }) {
			t.Errorf("equivalent.yaml speaks of %s, which no operator makes", id)
		}
	}
}

func TestSampleIsTheDays(t *testing.T) {
	env := func(values map[string]string) func(string) string {
		return func(name string) string { return values[name] }
	}
	day := time.Date(2026, 3, 14, 1, 2, 3, 0, time.UTC)
	o, err := loadOptions(env(map[string]string{"SAMPLE": "10"}), day)
	if err != nil || o.seed != 20260314 {
		t.Errorf("a sample without SEED has seed %d, not the date (%v)", o.seed, err)
	}
	if _, err := loadOptions(env(map[string]string{"SAMPLE": "10", "OPERATORS": "3"}), day); err == nil {
		t.Error("SAMPLE and OPERATORS are taken together")
	}
	listed, err := load()
	if err != nil {
		t.Fatal(err)
	}
	once, err := sample(t.Context(), listed, 10, o.seed, "")
	if err != nil || len(once) != 10 {
		t.Fatalf("a sample of 10 has %d mutants (%v)", len(once), err)
	}
	for _, m := range once {
		if m.Equivalent != "" {
			t.Errorf("%s is in the sample, though nobody has to notice it", m.ID)
		}
	}
}

func TestCovered(t *testing.T) {
	got := covered(`It("a", catalog.Covers("C-05", "C-12"), f)
		Entry("b", catalog.CoversWith([]catalog.Need{catalog.Surge}, "D-11"), f); say("Z-99")`)
	if want := []string{"C-05", "C-12", "D-11"}; !slices.Equal(got, want) {
		t.Errorf("the specs cover %v, and %v is read", want, got)
	}
}

func TestTouchedMutantsComeFirst(t *testing.T) {
	all := []mutant{{ID: "a", Behaviours: []string{"C-01"}}, {ID: "b", Behaviours: []string{"C-05", "M-02"}}, {ID: "c", Behaviours: []string{"D-01"}}, {ID: "d", Behaviours: []string{"M-02"}}, {ID: "e", Behaviours: []string{"M-02"}}}
	var got []string
	for _, m := range firstOf(all, map[string]bool{"M-02": true}, 2, all[:3]) {
		got = append(got, m.ID)
	}
	if want := []string{"b", "d", "a", "c"}; !slices.Equal(got, want) {
		t.Errorf("the sample is %v, want %v", got, want)
	}
}

func TestTouched(t *testing.T) {
	t.Chdir(t.TempDir())
	git := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "--quiet")
	write("suites/surge/surge.go", `Covers("D-01")`)
	git("add", ".")
	git("commit", "--quiet", "--message=before")
	write("suites/rollout/budget.go", `Covers("C-05", "C-07"); say("Z-99")`)
	write("framework/invariant/budget.go", `ID: "M-02"`)
	write("framework/invariant/budget_test.go", `"M-03"`)
	git("add", ".")
	got, err := touched(t.Context(), "HEAD")
	if want := map[string]bool{"C-05": true, "C-07": true, "M-02": true}; err != nil || !maps.Equal(got, want) {
		t.Errorf("touched are %v (%v), want %v", got, err, want)
	}
	if _, err := touched(t.Context(), "nowhere"); err == nil {
		t.Error("a commit that is not there is compared with")
	}
}

func TestReplacePart(t *testing.T) {
	got, err := replacePart("a\n<!-- x -->\nold\n<!-- end of x -->\nb\n", "x", "new\n")
	if want := "a\n<!-- x -->\nnew\n<!-- end of x -->\nb\n"; err != nil || got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
	if _, err := replacePart("a\n", "x", "new\n"); err == nil {
		t.Error("a page without the part is taken")
	}
}
