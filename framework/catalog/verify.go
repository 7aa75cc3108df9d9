package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2/types"
)

// SpecInfo is what a dry run tells of a spec.
type SpecInfo struct {
	// Name is the spec's full text, with its containers'.
	Name string
	// Labels are its own and its containers'.
	Labels []string
	// Pending is a spec that does not run, so it proves nothing.
	Pending bool
}

// FromReport returns the specs of a Ginkgo report, such as the one of a dry run, in its order. Set-up nodes are left out.
func FromReport(report types.Report) []SpecInfo {
	var specs []SpecInfo
	for _, r := range report.SpecReports {
		if r.LeafNodeType == types.NodeTypeIt {
			specs = append(specs, SpecInfo{Name: r.FullText(), Labels: r.Labels(), Pending: r.State == types.SpecStatePending})
		}
	}
	return specs
}

// Where returns the specs as they are on clusters that offer some needs and lack others: one that would be skipped there is pending.
func Where(specs []SpecInfo, offers func(Need) bool) []SpecInfo {
	specs = slices.Clone(specs)
	for i := range specs {
		specs[i].Pending = specs[i].Pending || slices.ContainsFunc(specs[i].needs(), func(n Need) bool { return !offers(n) })
	}
	return specs
}

// idLabel also matches what looks like an id and is none, so that a mistyped label is found.
var idLabel = regexp.MustCompile(`^(?i:[a-z])-\d+$`)

// Behaviours returns the labels of a spec that are, or look like, ids, each once and in their order.
func (s SpecInfo) Behaviours() []string {
	var ids []string
	for _, l := range s.Labels {
		if idLabel.MatchString(l) && !slices.Contains(ids, l) {
			ids = append(ids, l)
		}
	}
	return ids
}

// levels returns the level labels of a spec; one that was labelled by Covers has exactly one.
func (s SpecInfo) levels() []Level {
	var found []Level
	for _, l := range levels {
		if slices.Contains(s.Labels, string(l)) {
			found = append(found, l)
		}
	}
	return found
}

// needs returns the needs among a spec's labels.
func (s SpecInfo) needs() []Need {
	return slices.DeleteFunc(Needs(), func(n Need) bool { return !slices.Contains(s.Labels, string(n)) })
}

// Verify returns where the project's catalog and a suite disagree; see Catalog.Verify.
func Verify(specs []SpecInfo) []string { return mustLoad().Verify(specs) }

// Verify returns where the catalog and a suite disagree, a line each, in the order of the specs and then of the ids; none if they agree:
// specs that cover nothing, or an id that does not exist, or whose labels are not those that Covers gives; two specs of one name; and
// binding behaviours of areas A to L that no spec of their own level proves, unless the data says why. Area M is judged on every history
// and needs no specs of its own. Pending specs prove nothing.
func (c *Catalog) Verify(specs []SpecInfo) []string {
	var problems []string
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	provedAt := map[string][]Level{}
	seen := map[string]bool{}
	for _, s := range specs {
		if seen[s.Name] {
			problem("spec %q: another spec has the same name", s.Name)
		}
		seen[s.Name] = true
		ids := s.Behaviours()
		if len(ids) == 0 {
			problem("spec %q: it covers no behaviour", s.Name)
			continue
		}
		known := true
		for _, id := range ids {
			if _, ok := c.Get(id); !ok {
				problem("spec %q: unknown behaviour %q: %s", s.Name, id, c.near(id))
				known = false
			}
		}
		if !known {
			continue
		}
		level := c.level(ids, s.needs())
		if got := s.levels(); !slices.Equal(got, []Level{level}) {
			problem("spec %q: its level labels are %v, but what it covers and needs makes it %s: Covers belongs on the spec, once", s.Name, got, level)
		}
		if s.Pending {
			continue
		}
		for _, id := range ids {
			provedAt[id] = append(provedAt[id], level)
		}
	}
	for _, b := range c.behaviours {
		at := provedAt[b.ID]
		switch {
		case b.Unproven != "" && len(at) > 0:
			problem("%s: a spec covers it, but the catalog says that none can: %s", b.ID, b.Unproven)
		case b.Unproven != "" || !b.Level.Binding() || b.Area.Letter == invariants:
		case len(at) == 0:
			problem("%s: it is %s and no spec covers it: %s", b.ID, b.Level, b.Statement)
		case !slices.Contains(at, b.Level):
			problem("%s: it is %s, but the specs that cover it are only %s", b.ID, b.Level, join(at))
		}
	}
	return problems
}

// invariants is the letter of the area that is judged on every history.
const invariants = "M"

// join returns the levels without repetition, the least binding first.
func join(found []Level) string {
	var names []string
	for _, l := range levels {
		if slices.Contains(found, l) {
			names = append(names, string(l))
		}
	}
	return strings.Join(names, ", ")
}
