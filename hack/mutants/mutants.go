// Command mutants judges the suite: it breaks Kubernetes' own DaemonSet controller in one way at a time, runs the suite against each, and
// says which specs noticed. A mutant that survives is a missing spec or invariant.
//
//	go run ./hack/mutants list [id …]     says what is wrong with each
//	go run ./hack/mutants build [id …]    builds them
//	go run ./hack/mutants run [id …]      runs the suite against each until its first kill, resuming where an earlier run stopped;
//	                                      AGAIN=1 does not resume, FULL=1 does not stop at a kill, nor is content where an earlier run did,
//	                                      BRIEF=1 runs the expected specs only, SEED=n,
//	                                      FOR=9m leaves the rest to the next run (of a sample, for good)
//	                                      OPERATORS=20 takes so many that standard operators make (operators.go), chosen by SEED, and
//	                                      leaves out those that equivalent.yaml speaks of; FIRST='C-05 || C-07' tries these specs first
//	                                      SAMPLE=10 tries so many of the list, chosen by SEED or the date, by their expected specs;
//	                                      BASE=commit tries first as many of those that break what was touched since
//	                                      LABELS and FOCUS try only these specs of what would be tried, and keep no result
//	go run ./hack/mutants matrix          writes MATRIX.md from the results, with OPERATORS its part about those, and matrix.csv, mutant by spec
//	go run ./hack/mutants benign [id …]   builds the controllers of benign.yaml, which are correct, and prints where they are
package main

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed mutants.yaml
var mutantsYAML []byte

// mutant is one broken controller.
type mutant struct {
	// ID names it, in lower case with hyphens.
	ID string `json:"id"`
	// Wrong finishes the sentence "a controller that …", in a user's words.
	Wrong string `json:"wrong"`
	// Behaviours are the promises that it breaks; their specs are tried first.
	Behaviours []string `json:"behaviours"`
	change
	// Also are further changes that the one needs.
	Also []change `json:"also,omitempty"`
	// Equivalent says why no promise is broken after all, so that nobody has to notice.
	Equivalent string `json:"equivalent,omitempty"`
}

// change replaces a fragment that stands exactly once in a file of pkg/controller/daemon.
type change struct {
	File    string `json:"file"`
	Find    string `json:"find"`
	Replace string `json:"replace"`
	// edit is the change instead, where an operator made it.
	edit *edit
}

// unjudged says whether the suite is not even tried on a mutant: a change of an operator's that is known to break no promise.
func (m mutant) unjudged() bool { return m.edit != nil && m.Equivalent != "" }

// load reads the list.
func load() ([]mutant, error) {
	var all []mutant
	if err := yaml.UnmarshalStrict(mutantsYAML, &all); err != nil {
		return nil, fmt.Errorf("mutants.yaml: %w", err)
	}
	seen := map[string]bool{}
	for _, m := range all {
		if seen[m.ID] || m.Wrong == "" || len(m.Behaviours) == 0 {
			return nil, fmt.Errorf("mutants.yaml: %q is named twice, or does not say what is wrong and which behaviours that breaks", m.ID)
		}
		seen[m.ID] = true
	}
	return all, nil
}

// choose returns the mutants that are meant: the named ones, listed or made by an operator, or a sample, or the whole list.
func choose(ctx context.Context, ids []string, o options) ([]mutant, error) {
	listed, err := load()
	switch {
	case err != nil:
		return nil, err
	case len(ids) > 0:
		return named(ctx, listed, ids)
	case o.operators > 0:
		return made(ctx, o.operators, o.seed)
	case o.sample > 0:
		return sample(ctx, listed, o.sample, o.seed, o.base)
	}
	return listed, nil
}

// named returns the mutants with these ids. An unknown id is an error.
func named(ctx context.Context, listed []mutant, ids []string) (chosen []mutant, err error) {
	all := listed
	for _, id := range ids {
		is := func(m mutant) bool { return m.ID == id }
		if !slices.ContainsFunc(all, is) && len(all) == len(listed) {
			sources, err := readSources(ctx)
			if err != nil {
				return nil, err
			}
			operated, err := mutateAll(sources)
			if err != nil {
				return nil, err
			}
			all = append(all, operated...)
		}
		i := slices.IndexFunc(all, is)
		if i < 0 {
			return nil, fmt.Errorf("there is no mutant %s", id)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// apply makes the changes in the files' texts, by name below pkg/controller/daemon.
func (m mutant) apply(files map[string]string) error {
	for _, c := range append([]change{m.change}, m.Also...) {
		if c.edit != nil {
			text, err := c.edit.apply(files[c.File])
			if err != nil {
				return fmt.Errorf("mutant %s: %w", m.ID, err)
			}
			files[c.File] = text
			continue
		}
		if n := strings.Count(files[c.File], c.Find); n != 1 {
			return fmt.Errorf("mutant %s: its fragment stands %d times in %s, not once: %q", m.ID, n, c.File, c.Find)
		}
		files[c.File] = strings.Replace(files[c.File], c.Find, c.Replace, 1)
	}
	return nil
}
