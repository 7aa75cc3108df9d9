package simulated

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestStagesAreDeterministic: the provider only writes Stages that differ, so equal faults must give equal text.
func TestStagesAreDeterministic(t *testing.T) {
	f := noFaults()
	f.Stopped = map[string]string{"node-1": "stopped", "node-2": "stopped", "node-3": "stopped"}
	first := mustStages(t, f)
	for range 5 {
		for name, spec := range mustStages(t, f) {
			if spec != first[name] {
				t.Fatalf("Stage %s differs from one time to the next", name)
			}
		}
	}
}

// TestFaultsAreInTheStages: each fault reaches those Stages that act on it.
func TestFaultsAreInTheStages(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*faults)
		text   string
		stages []string
	}{
		"a stopped node": {
			func(f *faults) { f.Stopped["node-7"] = "stopped" }, `def stopped: {"node-7":"stopped"};`,
			[]string{"node-ready", "pod-admit", "pod-delete", "pod-reject", "pod-sync", "pod-terminate"},
		},
		"a wrong clock": {
			func(f *faults) { f.Clocks["node-7"] = "-1h0m0s" }, `{\"node-7\":\"-1h0m0s\"}`,
			[]string{"node-ready", "pod-admit", "pod-reject", "pod-sync", "pod-terminate"},
		},
		"a rejecting node": {
			func(f *faults) { f.Rejecting["node-7"] = "OutOfcpu" }, `def rejecting: {"node-7":"OutOfcpu"};`,
			[]string{"node-ready", "pod-admit", "pod-delete", "pod-reject", "pod-sync", "pod-terminate"},
		},
		"a loaded image": {
			func(f *faults) { f.Loaded["a:1"] = "loaded" }, `{\"a:1\":\"loaded\"}`,
			[]string{"node-ready", "pod-admit", "pod-reject", "pod-sync", "pod-terminate"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := noFaults()
			test.change(&f)
			var have []string
			for name, text := range mustStages(t, f) {
				if strings.Contains(text, test.text) {
					have = append(have, name)
				}
			}
			slices.Sort(have)
			if !slices.Equal(have, test.stages) {
				t.Errorf("%s is in %v, want %v", test.text, have, test.stages)
			}
		})
	}
}

// TestStepsExcludeEachOther: every Stage for pods asks the same question and takes one answer, which no other takes, and step.jq
// can give each of them.
func TestStepsExcludeEachOther(t *testing.T) {
	taken := map[string]string{}
	all, err := stages(noFaults())
	if err != nil {
		t.Fatal(err)
	}
	question := ""
	for _, s := range all {
		if kind, _, _ := unstructured.NestedString(s.Object, "spec", "resourceRef", "kind"); kind != "Pod" {
			continue
		}
		match, _, err := unstructured.NestedSlice(s.Object, "spec", "selector", "matchExpressions")
		if err != nil || len(match) != 1 {
			t.Fatalf("Stage %s: %v %v", s.GetName(), match, err)
		}
		one := match[0].(map[string]any)
		if question == "" {
			question = one["key"].(string)
		}
		if one["key"] != question {
			t.Errorf("Stage %s asks another question", s.GetName())
		}
		for _, value := range one["values"].([]any) {
			if other, ok := taken[value.(string)]; ok {
				t.Errorf("Stages %s and %s both take %q", s.GetName(), other, value)
			}
			taken[value.(string)] = s.GetName()
			if !strings.Contains(read("step.jq"), `"`+value.(string)+`"`) {
				t.Errorf("step.jq never answers %q, which Stage %s waits for", value, s.GetName())
			}
		}
	}
}

// TestTemplatesParse finds what would only show in kwok's log: syntax errors, parts that are not defined, functions that do not exist.
func TestTemplatesParse(t *testing.T) {
	stubs := template.FuncMap{}
	// What the files use of sprig's and kwok's functions; all of these exist there.
	for _, name := range strings.Fields(`add add1 append base concat contains default dict empty first float64 fromJson get has hasKey hasPrefix
		hasSuffix int int64 join last list max min mul now quote regexMatch regexReplaceAll set sha256sum sub ternary toDate dateModify toJson
		toString trim trimPrefix NodeIPWith PodIPsWith NodeConditions`) {
		stubs[name] = func(...any) any { return nil }
	}
	all, err := stages(noFaults())
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`\{\{-? *template "([^"]+)"`)
	for _, s := range all {
		patches, _, _ := unstructured.NestedSlice(s.Object, "spec", "next", "patches")
		for _, patch := range patches {
			text := patch.(map[string]any)["template"].(string)
			parsed, err := template.New(s.GetName()).Funcs(stubs).Parse(text)
			if err != nil {
				t.Errorf("Stage %s: %v", s.GetName(), err)
				continue
			}
			for _, m := range call.FindAllStringSubmatch(text, -1) {
				if parsed.Lookup(m[1]) == nil {
					t.Errorf("Stage %s uses part %q, which is nowhere defined", s.GetName(), m[1])
				}
			}
		}
	}
}

func mustStages(t *testing.T, f faults) map[string]string {
	t.Helper()
	all, err := stages(f)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, s := range all {
		var b strings.Builder
		walk(s.Object["spec"], &b)
		texts[s.GetName()] = b.String()
	}
	return texts
}

// walk writes all strings in a value, in a fixed order.
func walk(value any, b *strings.Builder) {
	switch v := value.(type) {
	case string:
		b.WriteString(v + "\n")
	case []any:
		for _, one := range v {
			walk(one, b)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			walk(v[key], b)
		}
	}
}
