// Package conformance is the whole of what another repository needs to run Rollcall's specs on its own cluster.
package conformance

import (
	"os"
	"testing"

	"rollcall.dev/suites"
)

func TestDaemonSetUpdates(t *testing.T) {
	suites.Run(t, suites.Options{
		Kubeconfig: os.Getenv("KUBECONFIG"),
		Deviations: "kube-controller-manager", // or empty, for a controller that has none
		Artifacts:  os.Getenv("ARTIFACTS"),
	})
}
