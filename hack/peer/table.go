package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

const (
	page = "hack/peer/BENCHMARK.md"
	// What was aimed at.
	timesTheRate = 10
	shareOfCost  = 1.0 / 3
)

// row is a line of the table: a figure of both suites.
type row struct {
	what           string
	upstream, ours string
	aim            string
}

// table prints what has been measured and writes it as a page.
func table(_ context.Context, _ options) error {
	var sections []string
	for _, provider := range []string{"simulated", "kind"} {
		var m measurements
		switch err := load(options{provider: provider}.roundsPath(), &m); {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return err
		}
		if m.Rounds = m.complete(); len(m.Rounds) == 0 {
			continue
		}
		rows := compare(m)
		var k kills
		if err := load(mutantsPath, &k); err == nil && k.Judged && provider == "simulated" {
			rows = append(rows, killed(k))
		}
		if err := write(os.Stdout, rows); err != nil {
			return err
		}
		sections = append(sections, section(provider, m, rows))
	}
	if len(sections) == 0 {
		return errors.New("nothing has been measured yet")
	}
	sections = append(sections, mutantSection())
	return splice(page, strings.Join(sections, "\n"))
}

// compare takes each figure's median over the rounds.
func compare(m measurements) []row {
	pair := func(what, format string, of func(measurement) float64) row {
		up, ours := medians(m, of)
		return row{what: what, upstream: fmt.Sprintf(format, up), ours: fmt.Sprintf(format, ours)}
	}
	count := func(ids []string) float64 { return float64(len(ids)) }
	// aimed is a row of which more, or less, was hoped for.
	aimed := func(what, format string, of func(measurement) float64, wanted string, met func(times float64) bool) row {
		r, word := pair(what, format, of), "MISSED"
		up, ours := medians(m, of)
		if met(ours / up) {
			word = "met"
		}
		r.aim = fmt.Sprintf("%.2f times; aim: %s: %s", ours/up, wanted, word)
		return r
	}
	fast, cheap := fmt.Sprintf("at least %d", timesTheRate), fmt.Sprintf("at most %.2f", shareOfCost)
	isFast, isCheap := func(times float64) bool { return times >= timesTheRate }, func(times float64) bool { return times <= shareOfCost }
	rows := []row{
		pair("wall time, s", "%.0f", func(r measurement) float64 { return r.Seconds }),
		pair("specs", "%.0f", func(r measurement) float64 { return float64(r.Specs) }),
		pair("specs that failed", "%.0f", func(r measurement) float64 { return float64(len(r.Failed)) }),
		pair("behaviours judged, wholly or in part", "%.0f", func(r measurement) float64 { return count(r.Behaviours) }),
		aimed("these per second", "%.2f", func(r measurement) float64 { return count(r.Behaviours) / r.Seconds }, fast, isFast),
		aimed("API requests for each of these", "%.0f", func(r measurement) float64 { return r.API.requests() / count(r.Behaviours) }, cheap, isCheap),
		pair("behaviours judged wholly", "%.0f", func(r measurement) float64 { return count(r.Whole) }),
		aimed("these per second", "%.2f", func(r measurement) float64 { return count(r.Whole) / r.Seconds }, fast, isFast),
		aimed("API requests for each of these", "%.0f", func(r measurement) float64 { return r.API.requests() / count(r.Whole) }, cheap, isCheap),
		pair("API requests", "%.0f", func(r measurement) float64 { return r.API.requests() }),
		pair("for each spec", "%.0f", func(r measurement) float64 { return r.API.requests() / float64(r.Specs) }),
		pair("for deleting namespaces", "%.0f", func(r measurement) float64 { return r.API.namespaces() }),
		pair("for heartbeats and leaders", "%.0f", func(r measurement) float64 { return r.API.leases() }),
		pair("API server CPU, s", "%.1f", func(r measurement) float64 { return r.API.CPU }),
		pair("the suite's own CPU, s", "%.1f", func(r measurement) float64 { return r.Suite }),
		pair("load of the machine meanwhile", "%.1f", func(r measurement) float64 { return (r.Load[0] + r.Load[1]) / 2 }),
	}
	for _, verb := range verbs(m) {
		rows = append(rows, pair("requests: "+verb, "%.0f", func(r measurement) float64 { return r.API.Verbs[verb] }))
	}
	return rows
}

func medians(m measurements, of func(measurement) float64) (upstream, ours float64) {
	var a, b []float64
	for _, r := range m.Rounds {
		a, b = append(a, of(*r.Upstream)), append(b, of(*r.Rollcall))
	}
	return median(a), median(b)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// verbs are those of which either suite makes some, the most frequent first.
func verbs(m measurements) []string {
	sum := map[string]float64{}
	for _, r := range m.Rounds {
		for _, of := range []*measurement{r.Upstream, r.Rollcall} {
			for verb, n := range of.API.Verbs {
				sum[verb] += n
			}
		}
	}
	maps.DeleteFunc(sum, func(_ string, n float64) bool { return n == 0 })
	return slices.SortedFunc(maps.Keys(sum), func(a, b string) int {
		return cmp.Or(cmp.Compare(sum[b], sum[a]), cmp.Compare(a, b))
	})
}

func killed(k kills) row {
	var up, ours, done int
	for _, v := range k.Verdicts {
		if !v.Tried {
			continue
		}
		done++
		if v.Upstream != "" {
			up++
		}
		if v.Rollcall != "" {
			ours++
		}
	}
	return row{what: fmt.Sprintf("mutants noticed, of %d", done), upstream: fmt.Sprint(up), ours: fmt.Sprint(ours)}
}

// write prints the table as text.
func write(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tupstream\tRollcall\t")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.what, r.upstream, r.ours, r.aim)
	}
	return t.Flush()
}

// section is the table of a provider as Markdown.
func section(provider string, m measurements, rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", provider)
	fmt.Fprintf(&b, "Kubernetes %s, %d nodes, of which upstream's specs had %d. %s, %d cores, %d GiB, Go %s; Rollcall at %s. %s.\n\n",
		m.Version, m.Nodes, min(m.Nodes, peerNodes), m.Machine.Processor, m.Machine.Cores, m.Machine.MemoryGiB, m.Machine.Go, m.Machine.Commit, howOften(len(m.Rounds)))
	b.WriteString("| | upstream | Rollcall | |\n|---|---:|---:|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.what, r.upstream, r.ours, r.aim)
	}
	fmt.Fprintf(&b, "\nLeft alone, this cluster's API server answers %.1f requests in a second and uses %.2f s of CPU; they are in the figures.\n", m.Idle.requests(), m.Idle.CPU)
	fmt.Fprintf(&b, "\nMost requests, over all rounds:\n\n| upstream | | Rollcall | |\n|---|---:|---|---:|\n")
	up, ours := frequent(m, func(r round) *measurement { return r.Upstream }), frequent(m, func(r round) *measurement { return r.Rollcall })
	for i := range min(len(up), len(ours), 12) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", up[i].kind, up[i].share, ours[i].kind, ours[i].share)
	}
	for _, r := range m.Rounds {
		for _, f := range append(slices.Clone(r.Upstream.Failed), r.Rollcall.Failed...) {
			fmt.Fprintf(&b, "\nFailed: %s: %s\n", f.Name, firstSentence(f.Failure))
		}
	}
	return b.String()
}

func howOften(rounds int) string {
	if rounds == 1 {
		return "One round"
	}
	return fmt.Sprintf("Medians of %d rounds, who goes first changing", rounds)
}

type share struct{ kind, share string }

// frequent are the kinds of requests that a suite causes, and their share of all.
func frequent(m measurements, of func(round) *measurement) []share {
	sum, all := map[string]float64{}, 0.0
	for _, r := range m.Rounds {
		for kind, n := range of(r).API.Kinds {
			sum[kind] += n
			all += n
		}
	}
	var shares []share
	for _, kind := range slices.SortedFunc(maps.Keys(sum), func(a, b string) int { return cmp.Or(cmp.Compare(sum[b], sum[a]), cmp.Compare(a, b)) }) {
		shares = append(shares, share{kind, fmt.Sprintf("%.1f %%", 100*sum[kind]/all)})
	}
	return shares
}

// mutantSection says what became of each mutant.
func mutantSection() string {
	var k kills
	if err := load(mutantsPath, &k); err != nil || !k.Judged {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## Mutants\n\n%d of hack/mutants' listed ones, chosen by seed %d. A spec of upstream's had a minute for each, or twice what it takes with the unbroken controller, and has noticed what it fails on twice.\n\n",
		len(k.Verdicts), k.Seed)
	b.WriteString("| a controller that | upstream | Rollcall |\n|---|---|---|\n")
	for _, v := range k.Verdicts {
		up := "not tried"
		if v.Tried {
			up = cmp.Or(firstSentence(v.Upstream), "**not noticed**")
		}
		if len(v.Flaked) > 0 {
			up += "; failed once and not twice: " + strings.Join(v.Flaked, ", ")
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", v.Wrong, up, cmp.Or(firstSentence(v.Rollcall), "**not noticed**"))
	}
	for _, name := range slices.Sorted(maps.Keys(k.Unfit)) {
		fmt.Fprintf(&b, "\nNot used, for the unbroken controller fails it: %s: %s\n", name, firstSentence(k.Unfit[name]))
	}
	return b.String()
}

// splice replaces what is generated of the page; the words around it are somebody's.
func splice(path, text string) error {
	const begin, end = "<!-- generated by make bench-peer -->\n", "<!-- end -->\n"
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(old), begin)
	_, behind, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s has lost the marks of what is generated", path)
	}
	return os.WriteFile(path, []byte(before+begin+text+end+behind), 0o644)
}
