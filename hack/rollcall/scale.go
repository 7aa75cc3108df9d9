package main

import (
	"cmp"
	"context"
	"errors"
)

// runScale runs the specs for large clusters, one after another, on so many nodes as no machine has but simulated.
func runScale(ctx context.Context, s settings) error {
	s, err := s.forScale()
	if err != nil {
		return err
	}
	return runE2E(ctx, s)
}

func (s settings) forScale() (settings, error) {
	if s.Provider != "auto" && s.Provider != "simulated" {
		return s, errors.New("make e2e-scale makes a simulated cluster: it takes no other PROVIDER")
	}
	s.Provider = "simulated"
	s.Labels = narrowed("scale", s.Labels)
	s.Nodes, s.Procs = cmp.Or(s.Nodes, 1000), cmp.Or(s.Procs, 1)
	return s, nil
}

// narrowed is the selection of specs with a label, less what LABELS leaves out.
func narrowed(label, labels string) string {
	if labels == "" {
		return label
	}
	return label + " && (" + labels + ")"
}
