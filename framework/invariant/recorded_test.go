package invariant

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"rollcall.dev/framework/history"
)

// TestRecordedHistories judges recordings that the suite made, on simulated nodes and on kind's (kind-…), of kube-controller-manager v1.36.3
// and of controllers that were broken on purpose. They are whole, and the verdict is the one that is stored with them.
func TestRecordedHistories(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "histories", "verdicts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var verdicts map[string][]string
	if err := yaml.UnmarshalStrict(text, &verdicts); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("testdata", "histories", "*.jsonl.zst"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded histories: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl.zst")
		want := verdicts[name]
		delete(verdicts, name)
		t.Run(name, func(t *testing.T) {
			h, err := history.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			result := Judge(h)
			if result.Gap != nil {
				t.Errorf("gap: %s", result.Gap.Reason)
			}
			var broken []string
			for _, v := range result.Violations {
				broken = append(broken, v.Invariant)
				if !slices.Contains(want, v.Invariant) {
					t.Error(Explain(h, v))
				}
			}
			slices.Sort(broken)
			if broken = slices.Compact(broken); len(broken) < len(want) {
				t.Errorf("breaks %v, was found to break %v", broken, want)
			}
		})
	}
	for name := range verdicts {
		t.Errorf("verdicts.yaml: there is no recording %s", name)
	}
}

// TestRecordedHistoryWithOneEventMovedIsCaught shows that the recordings do not pass merely because they are real: in one of
// them a successor's creation is put before its predecessor's end.
func TestRecordedHistoryWithOneEventMovedIsCaught(t *testing.T) {
	h, err := history.Load(filepath.Join("testdata", "histories", "apply.jsonl.zst"))
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]int{}
	for i := range h.Entries {
		e := &h.Entries[i]
		if e.Pod == nil || controllerOf(e.Pod) == nil {
			continue
		}
		node := targetNode(e.Pod)
		before, ok := last[node]
		last[node] = i
		if !ok || e.Type != history.Added || h.Entries[before].Type != history.Deleted {
			continue
		}
		// The predecessor's first event with a deletionTimestamp: right after it comes the successor now.
		for k := range h.Entries[:i] {
			p := h.Entries[k].Pod
			if p == nil || p.UID != h.Entries[before].Pod.UID || !terminating(p) {
				continue
			}
			moved := *e
			moved.At = h.Entries[k].At
			copy(h.Entries[k+2:i+1], h.Entries[k+1:i])
			h.Entries[k+1] = moved
			for _, v := range Judge(h).Violations {
				if v.Invariant == "M-01" {
					return
				}
			}
			t.Fatalf("a successor beside its terminating predecessor was not caught: %v", Judge(h).Violations)
		}
	}
	t.Fatal("the recording has no replacement")
}
