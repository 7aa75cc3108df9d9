package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A stand-in for rollcall notes what it is asked for, and keeps a file for each cluster as rollcall does.
const standIn = `#!/bin/sh
echo "$1 ${CLUSTER_OF:-dev} $PROVIDER $CONTROLLER" >>calls
state=.cache/clusters/rollcall-${CLUSTER_OF:-dev}-0.json
case $1 in
up)
  [ -z "$CONTROLLER" ] && without=false || without=true
  [ ! -e "$state" ] && echo '{"provider": "'$PROVIDER'", "kubeconfig": "made", "noDaemonSetController": '$without'}' >"$state" ;;
down) rm -f "$state" ;;
esac
`

func TestOnlyTheRightClusterIsMeasured(t *testing.T) {
	const simulated = `{"provider": "simulated", "kubeconfig": "there"}`
	for _, test := range []struct {
		name       string
		found      string // in our cluster's file
		provider   string
		controller bool
		calls      string
	}{
		{"none but the user's", "", "simulated", true, "up peer simulated \n"},
		{"that of an earlier call", simulated, "simulated", true, ""},
		{"another provider's", simulated, "kind", true, "down peer  \nup peer kind \n"},
		{"a mutant's", `{"provider": "simulated", "kubeconfig": "there", "noDaemonSetController": true}`, "simulated", true, "down peer  \nup peer simulated \n"},
		{"not for a mutant", simulated, "simulated", false, "down peer  \nup peer simulated true\n"},
		{"half made", `{"provider": "simulated"}`, "simulated", true, "down peer  \nup peer simulated \n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			t.Setenv("PROVIDER", "")
			t.Setenv("CONTROLLER", "")
			const users = ".cache/clusters/rollcall-dev-0.json"
			files := map[string]string{rollcall: standIn, users: simulated, "calls": ""}
			if test.found != "" {
				files[".cache/clusters/rollcall-peer-0.json"] = test.found
			}
			for path, text := range files {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			state, err := standing(t.Context(), test.provider, test.controller)
			if err != nil || state.Provider != test.provider || state.NoDaemonSetController == test.controller {
				t.Errorf("what is measured on is %+v (%v)", state, err)
			}
			if calls, err := os.ReadFile("calls"); err != nil || string(calls) != test.calls {
				t.Errorf("rollcall was asked for %q (%v), want %q", calls, err, test.calls)
			}
			if _, err := os.Stat(users); err != nil {
				t.Errorf("the user's cluster is gone: %v", err)
			}
		})
	}
}
