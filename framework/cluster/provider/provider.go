// Package provider opens a cluster of any provider from its state.
package provider

import (
	"fmt"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/cluster/existing"
	"rollcall.dev/framework/cluster/kind"
	"rollcall.dev/framework/cluster/simulated"
)

// Open returns the provider that the state describes.
func Open(s cluster.State) (cluster.Provider, error) {
	switch s.Provider {
	case "simulated":
		return simulated.Open(s), nil
	case "kind":
		return kind.Open(s), nil
	case "existing":
		return existing.Open(s), nil
	}
	return nil, fmt.Errorf("the cluster %s has the unknown provider %q", s.Name, s.Provider)
}
