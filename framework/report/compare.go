package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Comparison is what differs between two reports. Dates, durations and places do not count.
type Comparison struct {
	// Heads name the two reports' implementations.
	Heads [2]string
	// Circumstances are the differences in what was judged, by what, and where: "cluster.nodes: 5 → 12".
	Circumstances []string
	// Behaviours and Specs have another verdict, or are in one report only.
	Behaviours, Specs []Change
}

// Change is a behaviour or a spec that differs.
type Change struct {
	// Name is a behaviour's id or a spec's name.
	Name string
	// Before and After are its verdicts; nil in the report that does not have it.
	Before, After *Verdict
	// Words is a behaviour's statement, or a spec's reason afterwards.
	Words string
}

// Worse says whether something is worse than before. What only one report has is neither better nor worse.
func (c Change) Worse() bool {
	return c.Before != nil && c.After != nil && *c.After > *c.Before
}

// Better is the opposite.
func (c Change) Better() bool {
	return c.Before != nil && c.After != nil && *c.After < *c.Before
}

// String is one line: "C-05: passed → failed: The controller …".
func (c Change) String() string {
	word := func(v *Verdict) string {
		if v == nil {
			return "not there"
		}
		return v.String()
	}
	return strings.TrimSuffix(fmt.Sprintf("%s: %s → %s: %s", c.Name, word(c.Before), word(c.After), c.Words), ": ")
}

// Compare compares two reports, the earlier or trusted one first.
func Compare(a, b *ConformanceReport) Comparison {
	c := Comparison{Heads: [2]string{heading(a), heading(b)}}
	differ := func(what, before, after string) {
		if before != after {
			c.Circumstances = append(c.Circumstances, fmt.Sprintf("%s: %s → %s", what, cmp.Or(before, `""`), cmp.Or(after, `""`)))
		}
	}
	differ("implementation.organization", a.Implementation.Organization, b.Implementation.Organization)
	differ("implementation.project", a.Implementation.Project, b.Implementation.Project)
	differ("implementation.version", a.Implementation.Version, b.Implementation.Version)
	differ("suite.version", a.Suite.Version, b.Suite.Version)
	differ("suite.commit", a.Suite.Commit, b.Suite.Commit)
	differ("suite.seed", fmt.Sprint(a.Suite.Seed), fmt.Sprint(b.Suite.Seed))
	differ("cluster.provider", a.Cluster.Provider, b.Cluster.Provider)
	differ("cluster.kubernetesVersion", a.Cluster.KubernetesVersion, b.Cluster.KubernetesVersion)
	differ("cluster.nodes", fmt.Sprint(a.Cluster.Nodes), fmt.Sprint(b.Cluster.Nodes))
	differ("summary.result", string(a.Summary.Result), string(b.Summary.Result))

	before, after := map[string]Change{}, map[string]Change{}
	for _, x := range a.Behaviours {
		before[x.ID] = Change{Name: x.ID, Before: &x.Verdict, Words: x.Statement}
	}
	for _, x := range b.Behaviours {
		after[x.ID] = Change{Name: x.ID, After: &x.Verdict, Words: x.Statement}
	}
	c.Behaviours = changes(before, after)
	clear(before)
	clear(after)
	for _, x := range a.Specs {
		before[x.Name] = Change{Name: x.Name, Before: &x.Verdict}
	}
	for _, x := range b.Specs {
		after[x.Name] = Change{Name: x.Name, After: &x.Verdict, Words: x.Reason}
	}
	c.Specs = changes(before, after)
	return c
}

// changes joins the two sides by name and keeps what differs, what became worse first, and of that the worst.
func changes(before, after map[string]Change) []Change {
	var out []Change
	for name, b := range before {
		a := after[name]
		if a.After == nil || *a.After != *b.Before {
			out = append(out, Change{Name: name, Before: b.Before, After: a.After, Words: cmp.Or(a.Words, b.Words)})
		}
	}
	for name, a := range after {
		if before[name].Before == nil {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(x, y Change) int {
		if x.Worse() != y.Worse() {
			if x.Worse() {
				return -1
			}
			return 1
		}
		if x.Worse() && *x.After != *y.After { // a broken promise comes before one that nobody has looked at
			return cmp.Compare(*y.After, *x.After)
		}
		return compareIDs(x.Name, y.Name)
	})
	return out
}

// Same says that nothing differs.
func (c Comparison) Same() bool {
	return len(c.Circumstances)+len(c.Behaviours)+len(c.Specs) == 0
}

// Worse says whether any behaviour or spec is worse than before.
func (c Comparison) Worse() bool {
	return slices.ContainsFunc(c.Behaviours, Change.Worse) || slices.ContainsFunc(c.Specs, Change.Worse)
}

// Conclusion says in one line how the second report stands to the first.
func (c Comparison) Conclusion() string {
	if c.Same() {
		return "the two reports say the same"
	}
	count := func(is func(Change) bool) (words []string) {
		for _, part := range []struct {
			changes   []Change
			one, many string
		}{{c.Behaviours, "behaviour", "behaviours"}, {c.Specs, "spec", "specs"}} {
			n := 0
			for _, change := range part.changes {
				if is(change) {
					n++
				}
			}
			switch {
			case n == 1:
				words = append(words, "1 "+part.one)
			case n > 1:
				words = append(words, fmt.Sprintf("%d %s", n, part.many))
			}
		}
		return words
	}
	worse, better := strings.Join(count(Change.Worse), " and "), strings.Join(count(Change.Better), " and ")
	switch {
	case worse != "" && better != "":
		return fmt.Sprintf("B is worse than A in %s, and better in %s", worse, better)
	case worse != "":
		return "B is worse than A in " + worse
	case better != "":
		return "B is better than A in " + better
	}
	return "B is neither better nor worse than A"
}

// Write writes the comparison for a person: what became worse is marked with an exclamation mark.
func (c Comparison) Write(w io.Writer) error {
	var b strings.Builder
	if len(c.Circumstances) > 0 {
		b.WriteString("circumstances\n")
		for _, line := range c.Circumstances {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	for _, part := range []struct {
		title   string
		changes []Change
	}{{"behaviours", c.Behaviours}, {"specs", c.Specs}} {
		if len(part.changes) > 0 {
			fmt.Fprintln(&b, part.title)
		}
		for _, change := range part.changes {
			mark := " "
			if change.Worse() {
				mark = "!"
			}
			fmt.Fprintf(&b, "  %s %s\n", mark, change)
		}
	}
	fmt.Fprintln(&b, c.Conclusion())
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the comparison: %w", err)
	}
	return nil
}

// SaveComparison writes the comparison's page: one file that needs no network.
func SaveComparison(path string, c Comparison) error {
	if err := savePage(path, "page/compare.html", map[string]any{"Comparison": c}); err != nil {
		return fmt.Errorf("save the comparison: %w", err)
	}
	return nil
}
