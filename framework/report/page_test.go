package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.dev/framework/history"
)

var pages = flag.String("pages", "", "a folder to write sample pages into, for a person or a browser to look at")

// sampleRun is a run with every verdict, and with histories.
func sampleRun(t testing.TB, nodes int) (*ConformanceReport, Histories) {
	p, lines := samplePlan(), sampleResults()
	for area, title := range map[string]string{"C": "rollout", "D": "surge", "H": "stuck", "K": "nodes"} {
		for i := 14; i < 32; i++ {
			p.Report.Behaviours = append(p.Report.Behaviours, Behaviour{ID: fmt.Sprintf("%s-%02d", area, i), Level: "core", Area: title, Statement: "A promise that a sample makes, in one sentence."})
		}
	}
	broken, violations := rollout(nodes, max(2, nodes/50), nodes/2, 1)
	legal, _ := rollout(min(nodes, 12), 3, -1, 2)
	histories := map[string]*history.History{"surge starts the new pod first": surgeRollout(6), "RollingUpdate counts in percent": legal}
	for i := range lines {
		if len(lines[i].Result.Violations) > 0 {
			lines[i].Result.Violations = violations
			lines[i].Result.Reason = violations[0].Invariant + ": " + violations[0].Message
			lines[i].Result.Failure = lines[i].Result.Reason + "\n  evidence follows"
			histories[lines[i].Result.Name] = broken
		}
	}
	for _, v := range Verdicts() {
		for i := range 3 {
			s := Spec{Name: fmt.Sprintf("A further spec number %d that is %s", i, v), Behaviours: []string{fmt.Sprintf("C-%d", 14+2*int(v)+i), fmt.Sprintf("H-%d", 15+int(v))}}
			p.Specs = append(p.Specs, s)
			s.Verdict, s.Reason, s.Duration = v, "a reason <b>in words</b> & more </script>", Duration(time.Second)
			if v != NotRun {
				lines = append(lines, Line{Result: &s, At: began.Add(time.Minute)})
			}
		}
	}
	r, err := Merge(p, lines)
	if err != nil {
		t.Fatal(err)
	}
	return r, HistoriesOf(histories)
}

func TestPageNeedsNothingElse(t *testing.T) {
	r, histories := sampleRun(t, 12)
	var out bytes.Buffer
	if err := Page(&out, r, histories); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	// Whatever would be fetched: an address in an attribute, an import, a url().
	if found := regexp.MustCompile(`(?i)(src|href)\s*=\s*["']?(https?:)?//|@import|url\(|\bfetch\(|XMLHttpRequest`).FindString(page); found != "" {
		t.Errorf("the page refers to something outside it: %s", found)
	}
	if strings.Contains(page, "more </script>") {
		t.Error("text from a report ends a script of the page")
	}
	if n := strings.Count(page, `id="timeline-`); n != 3 {
		t.Errorf("%d timelines are in the page, want 3", n)
	}
}

func TestHistoryThatCannotBeRead(t *testing.T) {
	r, _ := sampleRun(t, 4)
	var out bytes.Buffer
	err := Page(&out, r, func(s Spec) (*history.History, error) { return nil, errors.New("the disk is gone") })
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "There is no timeline: the disk is gone.") {
		t.Error("the page does not say why there is no timeline")
	}
}

func TestTooLargeTimelineIsCutAndSaysSo(t *testing.T) {
	r, histories := sampleRun(t, 600)
	whole, _, err := timelines(r, histories, maxTimeline, maxTimelines)
	if err != nil {
		t.Fatal(err)
	}
	largest := 0
	for _, tl := range whole {
		largest = max(largest, len(tl.Text))
	}
	cut, _, err := timelines(r, histories, largest-1, maxTimelines)
	if err != nil {
		t.Fatal(err)
	}
	if len(cut) != len(whole) {
		t.Errorf("%d timelines of %d are left", len(cut), len(whole))
	}
	h, violations := rollout(600, 12, 300, 1)
	tl := NewTimeline(h, violations)
	tl.cut("histories/x.jsonl.zst")
	if want := "1187 of 1200 pods are left out, to keep the page small; all are in histories/x.jsonl.zst"; tl.Note != want {
		t.Errorf("the note is %q, want %q", tl.Note, want)
	}
	for _, bar := range tl.Findings[0].Bars {
		if bar < 0 || bar >= len(tl.Bars) {
			t.Errorf("a finding points to bar %d of %d", bar, len(tl.Bars))
		}
	}
	if pod := tl.Bars[tl.Findings[0].Bars[0]].Pod; pod != "fluentd-00300" {
		t.Errorf("the finding's first pod is now %s", pod)
	}
	none, notes, err := timelines(r, histories, 10, maxTimelines)
	if err != nil || len(none) != 0 || !strings.Contains(notes, "would become too large") {
		t.Errorf("%d timelines, notes %s, %v", len(none), notes, err)
	}
}

// A page of 5,000 nodes has to stay something that one can mail, and be made in seconds.
func TestPageOf5000Nodes(t *testing.T) {
	h, violations := rollout(5000, 100, 2500, 3)
	start := time.Now()
	text, err := encode(NewTimeline(h, violations))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d entries: %d KiB in %s", len(h.Entries), len(text)>>10, time.Since(start).Round(time.Millisecond))
	if len(text) > 1<<20 {
		t.Errorf("the timeline of 5,000 nodes has %d KiB, more than a megabyte", len(text)>>10)
	}
}

func TestWriteSamplePages(t *testing.T) {
	if *pages == "" {
		t.Skip("give -pages=DIR to have sample pages written")
	}
	for name, nodes := range map[string]int{"small": 12, "large": 5000} {
		r, histories := sampleRun(t, nodes)
		if err := SavePage(filepath.Join(*pages, name+".html"), r, histories); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(*pages, name+".html"))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d KiB", name, info.Size()>>10)
	}
	a, b := sampleOf(t, 1), sampleOf(t, 3)
	columns, err := SideBySide(a, b, a, b, a)
	if err != nil {
		t.Fatal(err)
	}
	if err := SaveSideBySide(filepath.Join(*pages, "matrix.html"), columns); err != nil {
		t.Fatal(err)
	}
	if err := SaveComparison(filepath.Join(*pages, "compare.html"), Compare(a, b)); err != nil {
		t.Fatal(err)
	}
}

// sampleOf is the sample without its first specs.
func sampleOf(t testing.TB, first int) *ConformanceReport {
	plan, results := samplePlan(), sampleResults()
	plan.Report.Implementation.Version = fmt.Sprintf("v1.%d.0", 36-first)
	plan.Specs = plan.Specs[first:]
	var left []Line
	for _, l := range results {
		if slices.ContainsFunc(plan.Specs, func(s Spec) bool { return s.Name == l.Result.Name }) {
			left = append(left, l)
		}
	}
	r, err := Merge(plan, left)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
