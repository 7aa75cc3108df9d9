package main

import (
	"context"
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"

	"sigs.k8s.io/yaml"
)

//go:embed benign.yaml
var benignYAML []byte

// variation is a controller that differs from Kubernetes' own where that is free to everybody.
type variation struct {
	// ID names it, in lower case with hyphens.
	ID string `json:"id"`
	// Does finishes the sentence "a controller that …", in a user's words.
	Does string `json:"does"`
	// Allowed says what leaves that free.
	Allowed string `json:"allowed"`
	change
	// Also are further changes that the one needs.
	Also []change `json:"also,omitempty"`
}

// benign builds the variations that are meant, or all, and prints the name and the binary of each.
func benign(ctx context.Context, ids []string) error {
	all, err := loadBenign()
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		all = slices.DeleteFunc(all, func(m mutant) bool { return !slices.Contains(ids, m.ID) })
		if len(all) != len(ids) {
			return fmt.Errorf("of %q only %d are in benign.yaml", ids, len(all))
		}
	}
	if err := build(ctx, all); err != nil {
		return err
	}
	for _, m := range all {
		binary, err := filepath.Abs(binaryOf(m.ID))
		if err != nil {
			return err
		}
		fmt.Println(m.ID, binary)
	}
	return nil
}

// loadBenign reads the list, as changes that break nothing.
func loadBenign() (all []mutant, err error) {
	var listed []variation
	if err := yaml.UnmarshalStrict(benignYAML, &listed); err != nil {
		return nil, fmt.Errorf("benign.yaml: %w", err)
	}
	for _, v := range listed {
		if v.Does == "" || v.Allowed == "" || slices.ContainsFunc(all, func(m mutant) bool { return m.ID == v.ID }) {
			return nil, fmt.Errorf("benign.yaml: %q is named twice, or does not say what it does and why that is allowed", v.ID)
		}
		all = append(all, mutant{ID: v.ID, Wrong: v.Does, Equivalent: v.Allowed, change: v.change, Also: v.Also})
	}
	return all, nil
}
