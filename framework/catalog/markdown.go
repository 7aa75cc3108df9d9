package catalog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Markdown returns the page of the project's catalog; see Catalog.Markdown.
func Markdown(specs []SpecInfo) []byte { return mustLoad().Markdown(specs) }

// Markdown returns a page that shows each behaviour with its level and the specs that cover it, the known deviations, and what proves the
// task page's statements. The same catalog and specs give the same bytes, whatever the order of the specs. Pending specs are left out.
func (c *Catalog) Markdown(specs []SpecInfo) []byte {
	covering := map[string][]string{}
	for _, s := range specs {
		if s.Pending {
			continue
		}
		for _, id := range s.Behaviours() {
			covering[id] = append(covering[id], s.Name)
		}
	}
	for _, names := range covering {
		slices.Sort(names)
	}

	var page bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&page, format+"\n", args...) }
	line("<!-- Generated from framework/catalog/data and the labels of the specs. Do not edit. -->")
	line("# Catalog")
	line("")
	line("%d behaviours: %s.", len(c.behaviours), c.census())
	line("")
	line("*core*: every implementation has to keep it, and every cluster can show it. *extended*: as binding, but showing it needs what is named with it. " +
		"*deviation*: as binding, and upstream is known to break it. *informative*: not required. Area M is judged on the history of every spec.")
	line("")
	line("*Eligible*: a node that the template and its tolerations allow. *Desired*: how many are. *Dead*: a pod that is terminating and in a terminal phase; " +
		"*active*: neither. *Available*: not terminating and Ready for minReadySeconds. *New*: of the current template; *old*: any other. " +
		"*Undisturbed*: all pods were available before, and only the controller acts.")
	for _, a := range c.areas {
		line("")
		line("## %s. %s", a.Letter, a.Title)
		line("")
		line("| id | promise | level | since | specs | sources |")
		line("|---|---|---|---|---|---|")
		for _, b := range c.behaviours {
			if b.Area == a {
				line("| %s | %s | %s | %s | %s | %s |", b.ID, remarked(b.Statement, b.remark()), cell(b.terms()), b.Since, b.proof(covering[b.ID]), links(b.Sources))
			}
		}
	}
	c.deviationTable(line)
	c.statementTable(line)
	return page.Bytes()
}

// census counts the behaviours of each level.
func (c *Catalog) census() string {
	var counts []string
	for _, l := range slices.Backward(levels) {
		n := 0
		for _, b := range c.behaviours {
			if b.Level == l {
				n++
			}
		}
		counts = append(counts, fmt.Sprintf("%d %s", n, l))
	}
	return strings.Join(counts, ", ")
}

// remarked is a statement with its note, as a cell.
func remarked(statement, note string) string {
	if note == "" {
		return cell(statement)
	}
	return cell(statement) + "<br>*" + cell(note) + "*"
}

// terms is the level with what a proof needs.
func (b Behaviour) terms() string {
	terms := []string{string(b.Level)}
	for _, n := range b.Needs {
		terms = append(terms, string(n))
	}
	if b.Nodes > 1 {
		terms = append(terms, fmt.Sprintf("%d nodes", b.Nodes))
	}
	return strings.Join(terms, "\n")
}

// proof is the specs that cover a behaviour, or why there is none, as a cell.
func (b Behaviour) proof(specs []string) string {
	switch {
	case len(specs) > 0:
		return cell(strings.Join(specs, "\n"))
	case b.Unproven != "":
		return cell("none: " + b.Unproven)
	case b.Area.Letter == invariants && !b.optional():
		return "every spec's history"
	case !b.Level.Binding():
		return ""
	}
	return "**none**"
}

// remark is the note, behind the reason why the promise binds nobody, if there is one.
func (b Behaviour) remark() string {
	if b.Free == "" {
		return b.Note
	}
	return strings.TrimSpace("Shown, and held against nobody: " + b.Free + " " + b.Note)
}

func (c *Catalog) deviationTable(line func(string, ...any)) {
	line("")
	line("## Known deviations")
	line("")
	line("| id | implementation | versions | what happens instead | evidence |")
	line("|---|---|---|---|---|")
	for _, b := range c.behaviours {
		for _, d := range b.Deviations {
			evidence := links(d.Links)
			if d.Reproduced != "" {
				evidence = strings.TrimPrefix(evidence+"; own reproduction: "+cell(d.Reproduced), "; ")
			}
			line("| %s | %s | %s | %s | %s |", b.ID, d.Implementation, cell(d.Versions), cell(d.Summary), evidence)
		}
	}
}

func (c *Catalog) statementTable(line func(string, ...any)) {
	line("")
	line("## The task page's statements")
	line("")
	line("| id | statement | proved by |")
	line("|---|---|---|")
	for _, s := range c.statements {
		line("| %s | %s | %s |", s.ID, remarked(s.Statement, s.Note), strings.Join(s.Behaviours, ", "))
	}
}

// links returns the sources as Markdown links; Read has checked that each has an address.
func links(sources []Source) string {
	var out []string
	for _, s := range sources {
		if url, err := s.URL(); err == nil {
			out = append(out, fmt.Sprintf("[%s](%s)", s, url))
		}
	}
	return strings.Join(out, ", ")
}

// literal keeps the characters that would end a table's cell or begin HTML or emphasis of their own.
var literal = strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", ">", "&gt;", "\n", "<br>")

func cell(text string) string { return literal.Replace(text) }
