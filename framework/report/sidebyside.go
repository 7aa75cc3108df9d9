package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

// Columns are several reports side by side, one row a behaviour: what holds where. The first report that has a behaviour
// gives its words.
type Columns struct {
	// Heads name the reports' implementations, with the cluster's version where that is another.
	Heads []string
	// Links are the reports' pages, as seen from this one, empty for one without; nil if there are none to go to.
	Links []string
	// Results are the outcomes of the runs.
	Results []Outcome
	// Profiles are theirs by level: "core success, extended partial".
	Profiles []string
	// Whys say of a run that is NotThere why.
	Whys []string
	Rows []Row
}

// DidNotRun is the outcome of what has a place beside others' reports, and has none itself. No report has it.
const DidNotRun Outcome = "did not run"

// NotThere takes the place of the report of something that did not run, in SideBySide.
func NotThere(project, version, why string) *ConformanceReport {
	r := &ConformanceReport{Implementation: Implementation{Project: project, Version: version}}
	r.Cluster.KubernetesVersion = version
	r.Summary.Result, r.Summary.Reason = DidNotRun, why
	return r
}

// Row is a behaviour and its verdicts, one a report; NotRun where a report does not have it.
type Row struct {
	ID, Level, Statement string
	Verdicts             []Verdict
	// Differs says whether the reports disagree. One that is not there disagrees with none.
	Differs bool
	// Reasons are those of the verdicts other than passed, where a spec gives one; empty strings elsewhere.
	Reasons []string
}

// Differing are the rows on which the reports disagree.
func (c Columns) Differing() []Row {
	var rows []Row
	for _, r := range c.Rows {
		if r.Differs {
			rows = append(rows, r)
		}
	}
	return rows
}

// Why has a line for each reason of a row's verdicts, with those that give it.
func (c Columns) Why(r Row) []string {
	var reasons []string
	who := map[string][]string{}
	for i, reason := range r.Reasons {
		if reason == "" {
			continue
		}
		if who[reason] == nil {
			reasons = append(reasons, reason)
		}
		who[reason] = append(who[reason], c.Heads[i])
	}
	for i, reason := range reasons {
		reasons[i] = strings.Join(who[reason], ", ") + ": " + reason
	}
	return reasons
}

// SideBySide puts reports next to each other, in the order in which they are given.
func SideBySide(reports ...*ConformanceReport) (Columns, error) {
	if len(reports) == 0 {
		return Columns{}, errors.New("there are no reports to put side by side")
	}
	var c Columns
	index := map[string]int{}
	for i, r := range reports {
		c.Heads, c.Results = append(c.Heads, heading(r)), append(c.Results, r.Summary.Result)
		why := ""
		if r.Summary.Result == DidNotRun {
			why = r.Summary.Reason
		}
		c.Whys = append(c.Whys, why)
		var profiles []string
		for _, p := range r.Profiles {
			profiles = append(profiles, p.Name+" "+string(p.Result))
		}
		c.Profiles = append(c.Profiles, strings.Join(profiles, ", "))
		specs := map[string]Spec{}
		for _, s := range r.Specs {
			specs[s.Name] = s
		}
		for _, b := range r.Behaviours {
			at, known := index[b.ID]
			if !known {
				at, index[b.ID] = len(c.Rows), len(c.Rows)
				verdicts := slices.Repeat([]Verdict{NotRun}, len(reports))
				c.Rows = append(c.Rows, Row{ID: b.ID, Level: b.Level, Statement: b.Statement, Verdicts: verdicts, Reasons: make([]string, len(reports))})
			}
			c.Rows[at].Verdicts[i] = b.Verdict
			for _, name := range b.Specs {
				if s := specs[name]; b.Verdict != Passed && s.Verdict == b.Verdict && s.Reason != "" {
					c.Rows[at].Reasons[i] = name + ": " + s.Reason
					break
				}
			}
		}
	}
	for at, row := range c.Rows {
		seen := map[Verdict]bool{}
		for i, v := range row.Verdicts {
			if c.Results[i] != DidNotRun {
				seen[v] = true
			}
		}
		c.Rows[at].Differs = len(seen) > 1
	}
	slices.SortFunc(c.Rows, func(a, b Row) int { return compareIDs(a.ID, b.ID) })
	return c, nil
}

// heading names a report's implementation, with the cluster's version where that is another.
func heading(r *ConformanceReport) string {
	head := strings.TrimSpace(cmp.Or(r.Implementation.Project, "unnamed implementation") + " " + r.Implementation.Version)
	if r.Implementation.Version != r.Cluster.KubernetesVersion {
		head += " on Kubernetes " + r.Cluster.KubernetesVersion
	}
	return head
}

// Write writes the rows that differ, for a person at a terminal.
func (c Columns) Write(w io.Writer) error {
	var b strings.Builder
	for i, head := range c.Heads {
		fmt.Fprintf(&b, "%c: %s: %s", 'A'+i, head, c.Results[i])
		if c.Whys[i] != "" {
			fmt.Fprintf(&b, ": %s", c.Whys[i])
		}
		fmt.Fprintln(&b)
	}
	same := 0
	for _, row := range c.Rows {
		if !row.Differs {
			same++
			continue
		}
		fmt.Fprintf(&b, "%-5s", row.ID)
		for i, v := range row.Verdicts {
			fmt.Fprintf(&b, " %c %-12s", 'A'+i, v)
		}
		fmt.Fprintf(&b, " %s\n", row.Statement)
	}
	fmt.Fprintf(&b, "%d behaviours have the same verdict everywhere\n", same)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the reports side by side: %w", err)
	}
	return nil
}

// SaveSideBySide writes the page of several reports: one file that needs no network.
func SaveSideBySide(path string, c Columns) error {
	if err := savePage(path, "page/sidebyside.html", map[string]any{"Columns": c}); err != nil {
		return fmt.Errorf("save the reports side by side: %w", err)
	}
	return nil
}

// savePage writes a page of which all is in its template and the style that the pages share.
func savePage(path, name string, data map[string]any) error {
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return err
	}
	tables, err := pageFiles.ReadFile("page/tables.css")
	if err != nil {
		return err
	}
	page, err := template.ParseFS(pageFiles, name)
	if err != nil {
		return err
	}
	data["Style"] = template.CSS(style) + template.CSS(tables)
	var out bytes.Buffer
	if err := page.Execute(&out, data); err != nil {
		return err
	}
	return writeWhole(path, out.Bytes())
}
