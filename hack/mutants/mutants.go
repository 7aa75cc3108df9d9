// Command mutants judges the suite: it breaks Kubernetes' own DaemonSet controller in one way at a time, runs the suite against each, and
// says which specs noticed. A mutant that survives is a missing spec or invariant.
//
//	go run ./hack/mutants build [id …]    builds them
//	go run ./hack/mutants run [id …]      runs the suite against each until its first kill, resuming where an earlier run stopped;
//	                                      AGAIN=1 does not resume, FULL=1 does not stop at a kill, BRIEF=1 runs the expected specs only,
//	                                      FOR=9m leaves the rest to the next run, SEED=n
//	go run ./hack/mutants matrix          writes MATRIX.md from the results
package main

import (
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
}

// load reads the list, all of it or the named ones. An unknown id is an error.
func load(ids []string) ([]mutant, error) {
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
	if len(ids) == 0 {
		return all, nil
	}
	for _, id := range ids {
		if !seen[id] {
			return nil, fmt.Errorf("there is no mutant %s", id)
		}
	}
	return slices.DeleteFunc(all, func(m mutant) bool { return !slices.Contains(ids, m.ID) }), nil
}

// apply makes the changes in the files' texts, by name below pkg/controller/daemon.
func (m mutant) apply(files map[string]string) error {
	for _, c := range append([]change{m.change}, m.Also...) {
		if n := strings.Count(files[c.File], c.Find); n != 1 {
			return fmt.Errorf("mutant %s: its fragment stands %d times in %s, not once: %q", m.ID, n, c.File, c.Find)
		}
		files[c.File] = strings.Replace(files[c.File], c.Find, c.Replace, 1)
	}
	return nil
}
