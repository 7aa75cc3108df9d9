package report

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"rollcall.dev/framework/history"
)

//go:embed page
var pageFiles embed.FS

// scripts are the page's scripts, in the order in which they stand in it.
var scripts = []string{"model.js", "overview.js", "detail.js", "view.js", "draw.js", "lanes.js", "keys.js"}

const (
	// maxTimeline is how large one timeline may be in the page, in bytes; 5,000 nodes that are rolled twice are about a tenth of it.
	maxTimeline = 4 << 20
	// maxTimelines is how large all of them may be together. Browsers open such a file in about a second.
	maxTimelines = 48 << 20
)

// Histories finds the history of a spec. Nil without an error says that there is none.
type Histories func(Spec) (*history.History, error)

// HistoriesIn loads the histories that the specs' History fields name, from the report's folder, one at a time.
func HistoriesIn(folder string) Histories {
	return func(s Spec) (*history.History, error) {
		if s.History == "" {
			return nil, nil
		}
		h, err := history.Load(filepath.Join(folder, s.History))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is not there", s.History)
		}
		return h, err
	}
}

// HistoriesOf takes histories from a map, by the specs' names.
func HistoriesOf(bySpec map[string]*history.History) Histories {
	return func(s Spec) (*history.History, error) { return bySpec[s.Name], nil }
}

// SavePage writes the page of a report to a file, whole or not at all.
func SavePage(path string, r *ConformanceReport, histories Histories) error {
	var out bytes.Buffer
	if err := Page(&out, r, histories); err != nil {
		return err
	}
	if err := writeWhole(path, out.Bytes()); err != nil {
		return fmt.Errorf("save the page: %w", err)
	}
	return nil
}

// Page writes index.html: one file that needs no network, with everything that the report says and a timeline of every spec
// that has a history. A history that cannot be had or read does not keep the page from being written: the spec says so in its place.
func Page(w io.Writer, r *ConformanceReport, histories Histories) error {
	parts, err := pageParts(r)
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	parts["Timelines"], parts["Notes"], err = timelines(r, histories, maxTimeline, maxTimelines)
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	index, err := template.ParseFS(pageFiles, "page/index.html")
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	if err := index.Execute(w, parts); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// pageParts are the parts that need no history. JSON is written with <, > and & escaped, and so cannot end a script.
func pageParts(r *ConformanceReport) (map[string]any, error) {
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return nil, err
	}
	var script strings.Builder
	for _, name := range scripts {
		text, err := pageFiles.ReadFile("page/" + name)
		if err != nil {
			return nil, err
		}
		script.Write(text)
	}
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	title := fmt.Sprintf("%s · %s %s", r.Summary.Result, cmp.Or(r.Implementation.Project, "unnamed implementation"), r.Implementation.Version)
	return map[string]any{"Title": html.EscapeString(title), "Style": string(style), "Script": script.String(), "Report": string(data)}, nil
}

// encodedTimeline is a timeline as it stands in the page: gzip, then base64.
type encodedTimeline struct {
	Spec int
	Text string
}

// timelines computes and encodes the timelines of all specs, those with the worst verdicts first, so that these are whole if room
// runs out. The notes, JSON, say for a spec's index why its timeline is not there.
func timelines(r *ConformanceReport, histories Histories, largest, together int) ([]encodedTimeline, string, error) {
	order := make([]int, len(r.Specs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(r.Specs[y].Verdict, r.Specs[x].Verdict) })
	var out []encodedTimeline
	notes, used := map[int]string{}, 0
	for _, i := range order {
		h, err := histories(r.Specs[i])
		if err != nil {
			notes[i] = "There is no timeline: " + err.Error() + "."
			continue
		}
		if h == nil || len(h.Entries) == 0 {
			notes[i] = "There is no timeline: this spec recorded no history."
			continue
		}
		t := NewTimeline(h, r.Specs[i].Violations)
		text, err := encode(t)
		if err != nil {
			return nil, "", err
		}
		if room := min(largest, together-used); len(text) > room {
			t.cut(cmp.Or(r.Specs[i].History, "the history"))
			if text, err = encode(t); err != nil {
				return nil, "", err
			}
			if len(text) > room {
				notes[i] = fmt.Sprintf("The timeline is left out, since the page would become too large. The history is in %s.", cmp.Or(r.Specs[i].History, "the artifacts"))
				continue
			}
		}
		used += len(text)
		out = append(out, encodedTimeline{i, text})
	}
	slices.SortFunc(out, func(x, y encodedTimeline) int { return cmp.Compare(x.Spec, y.Spec) })
	text, err := json.Marshal(notes)
	return out, string(text), err
}

// cut leaves out the bars of all pods that no violation is about. Lanes, lines, marks and bands stay.
func (t *Timeline) cut(where string) {
	kept, moved := []Bar{}, map[int]int{-1: -1}
	total := len(t.Bars)
	for _, f := range t.Findings {
		for i, bar := range f.Bars {
			if _, done := moved[bar]; !done {
				moved[bar] = len(kept)
				kept = append(kept, t.Bars[bar])
			}
			f.Bars[i] = moved[bar]
		}
		for i := range f.Events {
			f.Events[i].Bar = moved[f.Events[i].Bar]
		}
	}
	t.Bars = kept
	note := fmt.Sprintf("%d of %d pods are left out, to keep the page small; all are in %s", total-len(kept), total, where)
	t.Note = strings.Trim(t.Note+"; "+note, "; ")
}

func encode(t *Timeline) (string, error) {
	var out bytes.Buffer
	to64 := base64.NewEncoder(base64.StdEncoding, &out)
	zipped, err := gzip.NewWriterLevel(to64, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	err = json.NewEncoder(zipped).Encode(t)
	if err := errors.Join(err, zipped.Close(), to64.Close()); err != nil {
		return "", err
	}
	return out.String(), nil
}

// SaveAll merges the parts in a folder and writes report.yaml and index.html beside it, in artifacts. It returns the report
// even if there is an error, unless there is no plan.
func SaveAll(parts, artifacts string) (*ConformanceReport, error) {
	r, faults := MergeDir(parts)
	if r == nil {
		return nil, faults
	}
	if err := os.MkdirAll(artifacts, 0o755); err != nil {
		return r, errors.Join(faults, err)
	}
	return r, errors.Join(faults,
		r.Save(filepath.Join(artifacts, reportFile)),
		SavePage(filepath.Join(artifacts, "index.html"), r, HistoriesIn(artifacts)))
}
