package main

import (
	"context"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed equivalent.yaml
var equivalentYAML []byte

// made returns as many mutants that the operators make as are asked for, chosen by the seed among all that compile. Each source file is
// mutated as upstream wrote it.
func made(ctx context.Context, number int, seed int64) ([]mutant, error) {
	sources, err := readSources(ctx)
	if err != nil {
		return nil, err
	}
	all, err := mutateAll(sources)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	c, err := newCompiler(ctx, sources)
	if err != nil {
		return nil, err
	}
	var chosen []mutant
	dropped := 0
	for _, m := range all {
		if len(chosen) == number {
			break
		}
		if c.accepts(m) {
			chosen = append(chosen, m)
		} else {
			dropped++
		}
	}
	fmt.Fprintf(os.Stderr, "of %d changes that the operators make, %d that compile were chosen by seed %d, and %d met on the way do not compile\n", len(all), len(chosen), seed, dropped)
	return chosen, nil
}

// mutateAll makes all mutants of all files, in an order that is always the same, with what is known about those that break no promise.
func mutateAll(sources map[string]string) ([]mutant, error) {
	var known map[string]string
	if err := yaml.UnmarshalStrict(equivalentYAML, &known); err != nil {
		return nil, fmt.Errorf("equivalent.yaml: %w", err)
	}
	var all []mutant
	seen := map[string]bool{}
	for _, name := range sourceNames {
		some, err := mutate(name, sources[name])
		if err != nil {
			return nil, err
		}
		for _, m := range some {
			if seen[m.ID] {
				return nil, fmt.Errorf("two mutants have the name %s", m.ID)
			}
			seen[m.ID] = true
			m.Equivalent = known[m.ID]
			all = append(all, m)
		}
	}
	return all, nil
}

// sample returns some of the listed mutants, chosen by the seed, and before them, for time may end, as many of those that break what was
// touched since the base commit.
func sample(ctx context.Context, listed []mutant, number int, seed int64, base string) ([]mutant, error) {
	judged := slices.DeleteFunc(slices.Clone(listed), func(m mutant) bool { return m.Equivalent != "" })
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	random.Shuffle(len(judged), func(i, j int) { judged[i], judged[j] = judged[j], judged[i] })
	some := judged[:min(number, len(judged))]
	if base == "" {
		return some, nil
	}
	ids, err := touched(ctx, base)
	if err != nil {
		return nil, fmt.Errorf("BASE=%s: what differs from it: %w", base, err)
	}
	return firstOf(judged, ids, number, some), nil
}

// firstOf puts so many mutants that break a touched behaviour before the others.
func firstOf(judged []mutant, touched map[string]bool, number int, others []mutant) (chosen []mutant) {
	breaks := func(m mutant) bool {
		return slices.ContainsFunc(m.Behaviours, func(id string) bool { return touched[id] })
	}
	for _, m := range judged {
		if breaks(m) && len(chosen) < number {
			chosen = append(chosen, m)
		}
	}
	for _, m := range others {
		if !slices.ContainsFunc(chosen, func(c mutant) bool { return c.ID == m.ID }) {
			chosen = append(chosen, m)
		}
	}
	return chosen
}

// touched are the behaviours that spec files cover which differ from the base commit, and the invariants that are judged in files which do. What
// several invariants share, such as who is available, touches none: every mutant would be among those.
func touched(ctx context.Context, base string) (map[string]bool, error) {
	ids := map[string]bool{}
	for pattern, named := range map[string]func(string) []string{"suites/*.go": covered, "framework/invariant/*.go": quoted} {
		out, err := output(ctx, ".", "git", "diff", "--name-only", "--diff-filter=d", base, "--", pattern, ":!*_test.go")
		if err != nil {
			return nil, err
		}
		for _, name := range strings.Fields(out) {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			for _, id := range named(string(text)) {
				ids[id] = true
			}
		}
	}
	return ids, nil
}

var (
	covers    = regexp.MustCompile(`\b(?:catalog\.)?Covers(?:With)?\(([^)]*)\)`)
	behaviour = regexp.MustCompile(`"([A-Z]-\d+)"`)
)

// covered are the behaviours that the specs of a file say they cover.
func covered(source string) (ids []string) {
	for _, call := range covers.FindAllStringSubmatch(source, -1) {
		ids = append(ids, quoted(call[1])...)
	}
	return ids
}

// quoted are the behaviours that a source names, among which are invariants.
func quoted(source string) (ids []string) {
	for _, id := range behaviour.FindAllStringSubmatch(source, -1) {
		ids = append(ids, id[1])
	}
	return ids
}
