package catalog

import (
	"slices"
	"strings"
	"testing"
)

// proving returns specs that cover all that the small catalog wants to be covered.
func proving(t *testing.T, c *Catalog) []SpecInfo {
	t.Helper()
	var specs []SpecInfo
	for _, id := range []string{"A-01", "A-02", "A-03", "A-04"} {
		specs = append(specs, spec(t, c, "proves "+id, nil, id))
	}
	return specs
}

func spec(t *testing.T, c *Catalog, name string, needs []Need, ids ...string) SpecInfo {
	t.Helper()
	labels, err := c.Labels(needs, ids...)
	if err != nil {
		t.Fatalf("label spec %q: %v", name, err)
	}
	return SpecInfo{Name: name, Labels: labels}
}

func TestVerify(t *testing.T) {
	c := smallCatalog(t)
	for _, test := range []struct {
		name   string
		change func([]SpecInfo) []SpecInfo
		want   []string
	}{
		{"nothing to say when all agree", func(s []SpecInfo) []SpecInfo { return s }, nil},
		{"informative behaviours and invariants may have specs", func(s []SpecInfo) []SpecInfo {
			return append(s, spec(t, c, "tells", nil, "A-05"), spec(t, c, "restarts", nil, "M-01", "M-02"))
		}, nil},
		{"labels of a suite's own are nobody's business", func(s []SpecInfo) []SpecInfo {
			s[0].Labels = append(s[0].Labels, "flaky-before-2026", "owner:me")
			return s
		}, nil},
		{"a container's area, repeated, does no harm", func(s []SpecInfo) []SpecInfo {
			s[0].Labels = append(s[0].Labels, "area:api", "A-01")
			return s
		}, nil},
		{"no specs at all", func([]SpecInfo) []SpecInfo { return nil }, []string{
			"A-01: it is core and no spec covers it: It defaults.",
			"A-02: it is core and no spec covers it: It surges.",
			"A-03: it is extended and no spec covers it: It prints.",
			"A-04: it is deviation and no spec covers it: It counts.",
		}},
		{"a pending spec proves nothing", func(s []SpecInfo) []SpecInfo { s[1].Pending = true; return s }, []string{
			"A-02: it is core and no spec covers it: It surges.",
		}},
		{"a spec that no cluster at hand can run", func(s []SpecInfo) []SpecInfo { return Where(s, func(n Need) bool { return n != Kubectl }) }, []string{
			"A-03: it is extended and no spec covers it: It prints.",
		}},
		{"needs that are all met", func(s []SpecInfo) []SpecInfo { return Where(s, func(Need) bool { return true }) }, nil},
		{"a core promise shown only with kubectl", func(s []SpecInfo) []SpecInfo {
			return append(s[1:], spec(t, c, "proves A-01 with kubectl", []Need{Kubectl}, "A-01"), spec(t, c, "proves A-01 and more", nil, "A-01", "A-04"))
		}, []string{
			"A-01: it is core, but the specs that cover it are only deviation, extended",
		}},
		{"a spec that covers nothing", func(s []SpecInfo) []SpecInfo { return append(s, SpecInfo{Name: "idle", Labels: []string{"core"}}) }, []string{
			`spec "idle": it covers no behaviour`,
		}},
		{"an unknown id", func(s []SpecInfo) []SpecInfo {
			return append(s, SpecInfo{Name: "lost", Labels: []string{"A-01", "A-77", "core"}})
		}, []string{
			`spec "lost": unknown behaviour "A-77": the area has A-01 to A-06`,
		}},
		{"an id that was typed by hand", func(s []SpecInfo) []SpecInfo {
			return append(s, SpecInfo{Name: "lost", Labels: []string{"a-1", "core"}})
		}, []string{
			`spec "lost": unknown behaviour "a-1": the area has A-01 to A-06`,
		}},
		{"ids without Covers", func(s []SpecInfo) []SpecInfo { return append(s, SpecInfo{Name: "bare", Labels: []string{"A-01"}}) }, []string{
			`spec "bare": its level labels are [], but what it covers and needs makes it core: Covers belongs on the spec, once`,
		}},
		{"Covers on a container and on its spec", func(s []SpecInfo) []SpecInfo {
			s[3].Labels = append(s[0].Labels, s[3].Labels...)
			return s
		}, []string{
			`spec "proves A-04": its level labels are [deviation core], but what it covers and needs makes it deviation: Covers belongs on the spec, once`,
		}},
		{"a need that was added without CoversWith", func(s []SpecInfo) []SpecInfo {
			s[0].Labels = append(s[0].Labels, "kubectl")
			return s
		}, []string{
			`spec "proves A-01": its level labels are [core], but what it covers and needs makes it extended: Covers belongs on the spec, once`,
			"A-01: it is core, but the specs that cover it are only extended",
		}},
		{"two specs of one name", func(s []SpecInfo) []SpecInfo { return append(s, s[0]) }, []string{
			`spec "proves A-01": another spec has the same name`,
		}},
		{"a spec for what none can prove", func(s []SpecInfo) []SpecInfo { return append(s, spec(t, c, "zero", nil, "A-06")) }, []string{
			"A-06: a spec covers it, but the catalog says that none can: nobody can make it so",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := c.Verify(test.change(proving(t, c))); !slices.Equal(got, test.want) {
				t.Errorf("it says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// The project's own catalog wants a spec for each binding behaviour of areas A to L but the unproven ones, and for nothing else.
func TestVerifyOfTheProjectsCatalog(t *testing.T) {
	want := 0
	var specs []SpecInfo
	for _, b := range All() {
		if b.Area.Letter != "M" && b.Level.Binding() && b.Unproven == "" {
			want++
			specs = append(specs, SpecInfo{Name: b.ID, Labels: Covers(b.ID)})
		}
	}
	if got := Verify(nil); len(got) != want {
		t.Errorf("without specs %d behaviours are missing, want %d", len(got), want)
	}
	if got := Verify(specs); len(got) != 0 {
		t.Errorf("with a spec for each it says\n%s", strings.Join(got, "\n"))
	}
	t.Logf("%d behaviours want a spec", want)
}
