package catalog

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"
)

// Covers ties a spec to the behaviours that it proves, and gives it the labels by which it is selected: the ids, "area:" with the name of
// each area, the level of the spec (see the package documentation), each need, and "nodes:" with the number of nodes if more than one is
// needed. It belongs on an It or an Entry, not on a container: labels are inherited, and a spec has one level.
//
// No id, an unknown one, or one that is named twice is a mistake in the suite: Covers panics with one line that names the place.
func Covers(ids ...string) ginkgo.Labels { return mustLoad().cover(nil, ids) }

// CoversWith is Covers for a spec that needs more of its environment than its behaviours do. An optional need makes it extended, if it
// would be core.
func CoversWith(needs []Need, ids ...string) ginkgo.Labels { return mustLoad().cover(needs, ids) }

// cover is called by Covers and CoversWith directly: the place in its panic is two callers up.
func (c *Catalog) cover(needs []Need, ids []string) ginkgo.Labels {
	labels, err := c.Labels(needs, ids...)
	if err != nil {
		place := "an unknown place"
		if _, file, line, ok := runtime.Caller(2); ok {
			place = fmt.Sprintf("%s:%d", filepath.Base(file), line)
		}
		panic(fmt.Sprintf("catalog.Covers at %s: %v", place, err))
	}
	return labels
}

// Labels returns the labels of a spec that covers the given behaviours and has the given needs beyond theirs: ids, areas, level, needs,
// nodes, in this order. The error names the first id or need that cannot be.
func (c *Catalog) Labels(needs []Need, ids ...string) (ginkgo.Labels, error) {
	if len(ids) == 0 {
		return nil, fmt.Errorf("a spec has to cover a behaviour: none is given")
	}
	var labels, areas ginkgo.Labels
	nodes, all := 1, slices.Clone(needs)
	for _, id := range ids {
		b, ok := c.Get(id)
		if !ok {
			return nil, fmt.Errorf("unknown behaviour %q: %s", id, c.near(id))
		}
		if slices.Contains(labels, id) {
			return nil, fmt.Errorf("behaviour %s is named twice", id)
		}
		labels = append(labels, id)
		if area := areaLabel(b.Area); !slices.Contains(areas, area) {
			areas = append(areas, area)
		}
		nodes = max(nodes, b.Nodes)
		all = append(all, b.Needs...)
	}
	for _, n := range needs {
		if !slices.Contains(Needs(), n) {
			return nil, fmt.Errorf("unknown need %q", n)
		}
	}
	labels = append(labels, areas...)
	labels = append(labels, string(c.level(ids, needs)))
	for _, n := range Needs() { // their order, whatever the order of the ids
		if slices.Contains(all, n) {
			labels = append(labels, string(n))
		}
	}
	if nodes > 1 {
		labels = append(labels, fmt.Sprintf("nodes:%d", nodes))
	}
	return labels, nil
}

// level returns the level of a spec that covers the given, known, behaviours and has the given needs.
func (c *Catalog) level(ids []string, needs []Need) Level {
	least := len(levels) - 1
	if slices.ContainsFunc(needs, Need.Optional) {
		least = slices.Index(levels, Extended)
	}
	for _, id := range ids {
		b, _ := c.Get(id)
		least = min(least, slices.Index(levels, b.Level))
	}
	return levels[least]
}

// near helps with a mistyped id: it says which ones the area has.
func (c *Catalog) near(id string) string {
	first, last := "", ""
	for _, b := range c.behaviours {
		if len(id) > 0 && strings.EqualFold(b.Area.Letter, id[:1]) {
			if first == "" {
				first = b.ID
			}
			last = b.ID
		}
	}
	if first == "" {
		return fmt.Sprintf("the areas are %s to %s", c.areas[0].Letter, c.areas[len(c.areas)-1].Letter)
	}
	return fmt.Sprintf("the area has %s to %s", first, last)
}

func areaLabel(a Area) string { return "area:" + a.Name }
