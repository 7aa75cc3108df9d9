package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

var began = time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)

// samplePlan plans five specs over four behaviours of a catalog of six.
func samplePlan() *Plan {
	return &Plan{
		Report: ConformanceReport{
			Date:           began.Add(456 * time.Millisecond),
			Suite:          Suite{Version: "v0.1.0", Commit: "abc123", Seed: 42},
			Implementation: Implementation{Project: "kube-controller-manager", Version: "v1.36.3"},
			Cluster:        Cluster{Provider: "simulated", KubernetesVersion: "v1.36.3", Nodes: 12},
			Reproduce:      "make e2e SEED=42 PROVIDER=simulated",
			Configuration:  map[string]string{"PROCS": "2", "NODES": "12", "TIMEOUT_FACTOR": "1"},
			Behaviours: []Behaviour{
				{ID: "C-12", Level: "core", Area: "rollout", Statement: "Percentages round up."},
				{ID: "C-05", Level: "core", Area: "rollout", Statement: "The controller keeps to the budget: no more than maxUnavailable."},
				{ID: "D-01", Level: "core", Area: "surge", Statement: "Surge pods come first."},
				{ID: "D-13", Level: "deviation", Area: "surge", Statement: "Clock skew does not keep an old pod."},
				{ID: "K-02", Level: "extended", Area: "nodes", Statement: "A node that leaves takes its pods along."},
				{ID: "A-100", Level: "core", Area: "api", Statement: "No spec covers this one."},
				{ID: "M-02", Level: "core", Area: "invariant", Statement: "The budget holds at every instant."},
				{ID: "M-14", Level: "core", Area: "invariant", Statement: "The status adds up."},
			},
		},
		Specs: []Spec{
			{Name: "surge starts the new pod first", Behaviours: []string{"D-01"}},
			{Name: "surge removes the old pod under clock skew", Behaviours: []string{"D-13", "D-01"}},
			{Name: "RollingUpdate takes down no more available pods than the budget allows", Behaviours: []string{"C-12", "C-05"}},
			{Name: "RollingUpdate counts in percent", Behaviours: []string{"C-12"}},
			{Name: "Nodes are forgotten when they leave", Behaviours: []string{"K-02"}},
		},
	}
}

func sampleResults() []Line {
	result := func(s Spec) Line { return Line{Result: &s, At: began.Add(90 * time.Second)} }
	return []Line{
		result(Spec{Name: "surge starts the new pod first", Verdict: Passed, Duration: Duration(1234567 * time.Microsecond), History: "histories/surge.jsonl.zst"}),
		result(Spec{Name: "surge removes the old pod under clock skew", Verdict: Deviation, Reason: "known deviation D-13 of kube-controller-manager, every version: https://github.com/kubernetes/kubernetes/issues/77203"}),
		result(Spec{Name: "RollingUpdate counts in percent", Verdict: Passed, Duration: Duration(2 * time.Second), Judged: []string{"M-14", "M-02"}}),
		result(Spec{
			Name: "RollingUpdate takes down no more available pods than the budget allows", Verdict: Failed, Duration: Duration(3 * time.Second),
			Reason: "M-02: pod fluentd-x on node-3 was deleted at 12:00:01.2 while 2 of 5 nodes were already without an available pod; maxUnavailable allows 2",
			Violations: []Violation{
				{Invariant: "M-14", At: began.Add(2 * time.Second), Message: "second"},
				{Invariant: "M-02", At: began.Add(1200 * time.Millisecond), Message: "first", Objects: []string{"pods/rollcall-1/fluentd-x"}, Evidence: []int{3, 17}},
			},
		}),
		result(Spec{Name: "Nodes are forgotten when they leave", Verdict: Skipped, Reason: "this cluster cannot remove a node; PROVIDER=simulated can"}),
	}
}

func TestGoldenReport(t *testing.T) {
	r, err := Merge(samplePlan(), sampleResults())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := r.Write(&got); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "report.yaml")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the report differs from %s (go test -update writes it anew):\n%s", golden, got.String())
	}

	loaded, err := Load(golden)
	if err != nil {
		t.Fatal(err)
	}
	if again := render(t, loaded); again != got.String() {
		t.Errorf("what was read is not what was written:\n%s", again)
	}
	if err := loaded.Validate(); err != nil {
		t.Error(err)
	}
}

func TestLoadRefusesWhatIsNoWholeReport(t *testing.T) {
	good, err := os.ReadFile(filepath.Join("testdata", "report.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	edited := func(from, to string) []byte { return bytes.Replace(good, []byte(from), []byte(to), 1) }
	lastSpec := bytes.LastIndex(good, []byte("\n- name: ")) + 1
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"a newer version":          {edited("rollcall.dev/v1alpha1", "rollcall.dev/v9"), "it is of rollcall.dev/v9, and this version of Rollcall reads rollcall.dev/v1alpha1"},
		"an unknown verdict":       {edited("verdict: failed", "verdict: maybe"), "it is damaged: "},
		"another outcome":          {edited("result: failure", "result: success"), "the report contradicts itself: "},
		"a spec is missing":        {good[:lastSpec], "it is cut short: 5 specs were planned, and it ends after 4"},
		"cut in the middle":        {good[:bytes.Index(good, []byte("behaviours: ["))+15], "it is cut short or damaged: "},
		"something of Kubernetes'": {[]byte("apiVersion: v1\nkind: Pod\n"), "it is not a report.yaml: "},
		"prose":                    {[]byte("hello\n"), "it is not a report.yaml: "},
		"nothing":                  {nil, "it is not a report.yaml: "},
	} {
		path := filepath.Join(t.TempDir(), "report.yaml")
		if err := os.WriteFile(path, c.text, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), "load the report "+path+": "+c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error is %v, want %s", name, err, c.want)
		}
	}
}

func TestLoadIgnoresAFieldThatWasAdded(t *testing.T) {
	good, err := os.ReadFile(filepath.Join("testdata", "report.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "report.yaml"), append([]byte("added: 1\n"), good...), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, err := Load(folder); err != nil || len(r.Specs) != 5 {
		t.Errorf("got %v from a folder with a report of a later version", err)
	}
}

func TestOutcomes(t *testing.T) {
	core := []Behaviour{{ID: "C-01", Level: "core"}, {ID: "C-02", Level: "core"}}
	spec := func(v Verdict, ids ...string) Spec {
		return Spec{Name: v.String() + strings.Join(ids, ""), Verdict: v, Behaviours: ids, Reason: "r"}
	}
	for name, c := range map[string]struct {
		specs         []Spec
		summary, core Outcome
		fails         bool
	}{
		"nothing planned":             {nil, Failure, Partial, true},
		"all passed":                  {[]Spec{spec(Passed, "C-01", "C-02")}, Success, Success, false},
		"a deviation beside a pass":   {[]Spec{spec(Passed, "C-01"), spec(Deviation, "C-02")}, Success, Success, false},
		"nothing but deviations":      {[]Spec{spec(Deviation, "C-01", "C-02")}, Partial, Partial, false},
		"all skipped":                 {[]Spec{spec(Skipped, "C-01", "C-02")}, Failure, Partial, true},
		"some skipped":                {[]Spec{spec(Passed, "C-01"), spec(Skipped, "C-02")}, Partial, Partial, false},
		"a core behaviour uncovered":  {[]Spec{spec(Passed, "C-01")}, Partial, Partial, false},
		"passed and skipped together": {[]Spec{spec(Passed, "C-01", "C-02"), spec(Skipped, "C-02")}, Partial, Partial, false},
		"failed":                      {[]Spec{spec(Passed, "C-01"), spec(Failed, "C-02")}, Failure, Failure, true},
		"inconclusive":                {[]Spec{spec(Passed, "C-01"), spec(Inconclusive, "C-02")}, Failure, Failure, true},
		"error":                       {[]Spec{spec(Passed, "C-01"), spec(Error, "C-02")}, Failure, Failure, true},
		"not run":                     {[]Spec{spec(Passed, "C-01"), spec(NotRun, "C-02")}, Failure, Failure, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := ConformanceReport{Date: began, Specs: c.specs, Behaviours: append([]Behaviour(nil), core...)}
			r.Complete()
			if err := r.Validate(); err != nil {
				t.Error(err)
			}
			if r.Summary.Result != c.summary || r.Profiles[0].Result != c.core {
				t.Errorf("summary %s (%s), core %s (%s), want %s and %s", r.Summary.Result, r.Summary.Reason, r.Profiles[0].Result, r.Profiles[0].Reason, c.summary, c.core)
			}
			if err := r.Err(); (err != nil) != c.fails {
				t.Errorf("Err is %v, want an error: %t", err, c.fails)
			}
			if (r.Summary.Result == Success) != (r.Summary.Reason == "") {
				t.Errorf("result %s has the reason %q", r.Summary.Result, r.Summary.Reason)
			}
		})
	}
}

// A promise that nothing can show is missing from no run: without it the profile is complete.
func TestWhatNothingCanShowIsNotMissing(t *testing.T) {
	r := ConformanceReport{
		Date:       began,
		Specs:      []Spec{{Name: "a", Verdict: Passed, Behaviours: []string{"C-01"}}},
		Behaviours: []Behaviour{{ID: "C-01", Level: "core"}, {ID: "C-10", Level: "core", Unproven: "validation refuses it"}},
	}
	r.Complete()
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
	if p := r.Profiles[0]; r.Summary.Result != Success || p.Result != Success || p.Uncovered != 0 || p.Statistics.Planned != 1 {
		t.Errorf("summary %s (%s), core %+v, want success without C-10", r.Summary.Result, r.Summary.Reason, p)
	}
	r.Behaviours[1].Unproven = ""
	r.Complete()
	if p := r.Profiles[0]; r.Summary.Result != Partial || p.Uncovered != 1 {
		t.Errorf("without the reason: summary %s, core %+v, want partial for the lack of C-10", r.Summary.Result, p)
	}
}

// An invariant is judged on every history, without a spec that names it.
func TestInvariantsAreBehaviours(t *testing.T) {
	r := ConformanceReport{Date: began, Behaviours: []Behaviour{{ID: "M-01", Level: "core"}, {ID: "M-02", Level: "core"}, {ID: "M-03", Level: "core"}, {ID: "M-04", Level: "core"}}, Specs: []Spec{
		{Name: "a", Verdict: Passed, Judged: []string{"M-02", "M-01"}},
		{Name: "b", Verdict: Failed, Reason: "r", Judged: []string{"M-01", "M-02"}, Violations: []Violation{{Invariant: "M-02"}, {Invariant: "M-02"}}},
		{Name: "c", Verdict: Deviation, Reason: "r", Judged: []string{"M-03"}, Violations: []Violation{{Invariant: "M-03"}}},
	}}
	r.Complete()
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
	want := []Behaviour{
		{ID: "M-01", Level: "core", Verdict: Passed, Specs: []string{}, Histories: 2},
		{ID: "M-02", Level: "core", Verdict: Failed, Specs: []string{"b"}, Histories: 2},
		{ID: "M-03", Level: "core", Verdict: Deviation, Specs: []string{"c"}, Histories: 1},
		{ID: "M-04", Level: "core", Verdict: NotRun, Specs: []string{}},
	}
	if !reflect.DeepEqual(r.Behaviours, want) {
		t.Errorf("got %+v", r.Behaviours)
	}
	if p := r.Profiles[0]; p.Uncovered != 1 || p.Statistics.Planned != 3 {
		t.Errorf("core %+v", p)
	}
}

func TestValidateFindsEachFault(t *testing.T) {
	for want, spoil := range map[string]func(*ConformanceReport){
		"5 specs were planned, but the verdicts add up to 6": func(r *ConformanceReport) { r.Summary.Passed++ },
		"summary: it says":             func(r *ConformanceReport) { r.Summary.Passed++; r.Summary.Planned++ },
		"6 behaviours were planned":    func(r *ConformanceReport) { r.Profiles[0].Statistics.Planned = 6 },
		"profiles: they say":           func(r *ConformanceReport) { r.Profiles[0].Result = Success },
		"without a reason":             func(r *ConformanceReport) { r.Specs[0].Reason = "" },
		"there twice":                  func(r *ConformanceReport) { r.Specs[1].Name = r.Specs[0].Name },
		"passed with 1 violations":     func(r *ConformanceReport) { r.Specs[1].Violations = []Violation{{}} },
		"behaviour C-05: it is not":    func(r *ConformanceReport) { r.Behaviours[1].Verdict = Passed },
		"the catalog does not have it": func(r *ConformanceReport) { r.Behaviours[1].Level = "" },
		"has no date":                  func(r *ConformanceReport) { r.Date = time.Time{} },
		"it is a v1 Pod":               func(r *ConformanceReport) { r.APIVersion, r.Kind = "v1", "Pod" },
		"is not in its place":          func(r *ConformanceReport) { r.Specs[0], r.Specs[1] = r.Specs[1], r.Specs[0] },
	} {
		r, err := Merge(samplePlan(), sampleResults())
		if err != nil {
			t.Fatal(err)
		}
		spoil(r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in the error, which is: %v", want, err)
		}
	}
}

func TestVerdictsRoundTripInOrder(t *testing.T) {
	all := Verdicts()
	for i, v := range all {
		parsed, err := ParseVerdict(v.String())
		if err != nil || parsed != v || int(v) != i {
			t.Errorf("%s: parsed %v, %v, at %d", v, parsed, err, i)
		}
		for _, milder := range all[:i] {
			if Worst(v, milder) != v || Worst(milder, v) != v {
				t.Errorf("%s does not win over %s", v, milder)
			}
		}
	}
	if len(all) != len(verdictNames) {
		t.Errorf("%d verdicts, %d names", len(all), len(verdictNames))
	}
	if v := Worst(); v != NotRun {
		t.Errorf("the worst of nothing is %s: what nobody examined would count", v)
	}
	if _, err := ParseVerdict("Passed"); err == nil {
		t.Error("a verdict with a capital letter was accepted")
	}
	if _, err := Verdict(99).MarshalText(); err == nil {
		t.Error("verdict 99 was written")
	}
}

func TestIdentity(t *testing.T) {
	env := map[string]string{"IMPLEMENTATION_PROJECT": "kruise", "IMPLEMENTATION_VERSION": "v1", "IMPLEMENTATION_CONTACT": "a@example.org, @b ,"}
	i := IdentityFrom(func(name string) string { return env[name] })
	if i.Version != "v1" || i.Project != "kruise" || !reflect.DeepEqual(i.Contact, []string{"a@example.org", "@b"}) {
		t.Errorf("got %+v", i)
	}
	want := "a report to be published names its implementation: set IMPLEMENTATION_ORGANIZATION, IMPLEMENTATION_URL"
	if err := i.RequireIdentity(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	i.Organization, i.URL = "o", "u"
	if err := i.RequireIdentity(); err != nil {
		t.Error(err)
	}
}

// TestDigestNamesFewOfManyThatDidNotRun: after an interrupt they are hundreds, and a failure among them has to be found.
func TestDigestNamesFewOfManyThatDidNotRun(t *testing.T) {
	r := &ConformanceReport{Specs: []Spec{{Name: "a", Verdict: Failed, Reason: "M-02"}, {Name: "b", Verdict: Skipped, Reason: "one node"}}}
	for i := range 40 {
		r.Specs = append(r.Specs, Spec{Name: fmt.Sprint("c", i), Verdict: NotRun, Reason: "the run ended"})
	}
	got := strings.Join(r.Digest()[1:], "\n")
	want := "failed: a: M-02\nnotRun: c0: the run ended\nnotRun: c1: the run ended\nnotRun: c2: the run ended\nnotRun: and 37 more"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
