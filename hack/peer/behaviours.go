package main

import (
	_ "embed"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed behaviours.yaml
var behavioursYAML []byte

// asserted says which behaviours a spec of upstream's judges.
type asserted struct {
	Asserts []string `json:"asserts"`
	Partly  []string `json:"partly"`
	Why     string   `json:"why"`
}

func (a asserted) all() []string { return append(append([]string{}, a.Asserts...), a.Partly...) }

// known are upstream's specs by the name they have in behaviours.yaml.
type known map[string]asserted

func loadBehaviours() (known, error) {
	var k known
	if err := yaml.UnmarshalStrict(behavioursYAML, &k); err != nil {
		return nil, fmt.Errorf("behaviours.yaml: %w", err)
	}
	return k, nil
}

// bare is a spec's name without the labels that Ginkgo's output has behind it.
func bare(name string) string {
	name, _, _ = strings.Cut(name, " [")
	return name
}
