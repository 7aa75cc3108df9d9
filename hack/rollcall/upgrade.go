package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"rollcall.dev/hack/kubernetes"
)

// runUpgrade makes a cluster of the version FROM and has the specs of an upgrade take its control plane to TO, one minor version at a time.
func runUpgrade(ctx context.Context, s settings) error {
	if s.Reuse || s.Controller != "" || s.Provider != "auto" && s.Provider != "simulated" {
		return errors.New("make upgrade replaces the control plane of a simulated cluster of its own: it takes no REUSE, CONTROLLER or other PROVIDER")
	}
	if os.Getenv("KUBERNETES_VERSION") != "" {
		return errors.New("make upgrade takes FROM and TO, not KUBERNETES_VERSION")
	}
	from, err := kubernetes.ParseVersion(cmp.Or(os.Getenv("FROM"), "1.34.4"))
	if err != nil {
		return fmt.Errorf("FROM=%w", err)
	}
	to, err := kubernetes.ParseVersion(cmp.Or(os.Getenv("TO"), kubernetes.DefaultVersion))
	if err != nil {
		return fmt.Errorf("TO=%w", err)
	}
	if s.Path, err = kubernetes.Path(from, to); err != nil {
		return err
	}
	s.Provider, s.Version = "simulated", from
	s.Labels = narrowed("upgrade", s.Labels)
	s.Nodes, s.Procs = cmp.Or(s.Nodes, 6), cmp.Or(s.Procs, 1)
	return runE2E(ctx, s)
}
