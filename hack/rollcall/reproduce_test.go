package main

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"rollcall.dev/framework/cluster"
)

func TestReproduce(t *testing.T) {
	simulated := cluster.State{Provider: "simulated", Version: "v1.36.3", Nodes: 12}
	s := settings{Seed: 7, Procs: 14, Repeat: 1, Timeouts: 1, Deviations: "none", Restart: restart{signal: syscall.SIGTERM, every: 5 * time.Second}}
	env := map[string]string{"CONTROLLER": "./mine --kubeconfig={kubeconfig}", "RESTART": "TERM:5s", "FOCUS": "the user's$"}
	got := reproduce(s, simulated, func(name string) string { return env[name] })
	want := `make e2e PROVIDER=simulated KUBERNETES_VERSION=1.36.3 NODES=12 PROCS=14 SEED=7 CONTROLLER='./mine --kubeconfig={kubeconfig}' RESTART='TERM:5s' FOCUS='the user'\''s$$'`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if value := configuration(s, simulated)["RESTART"]; value != env["RESTART"] {
		t.Errorf("RESTART is %q", value)
	}

	soaked := s
	soaked.Soak, soaked.Controller = true, "a controller that the soak has chosen"
	got = reproduce(soaked, simulated, func(name string) string {
		return map[string]string{"LABELS": "core && !slow", "TIMEOUT_FACTOR": "3"}[name]
	})
	want = `make soak KUBERNETES_VERSION=1.36.3 NODES=12 PROCS=14 SEED=7 LABELS='core && !slow' TIMEOUT_FACTOR=3 DURATION=1s`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	none := func(string) string { return "" }
	existing := cluster.State{Provider: "existing", Version: "v1.35.1", Nodes: 3}
	if got, want := reproduce(s, existing, none), `make e2e PROVIDER=existing PROCS=14 SEED=7 KUBECONFIG="$KUBECONFIG"`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.Path = []string{"v1.34.4", "v1.35.4"}
	if got, want := reproduce(s, simulated, none), "make upgrade FROM=v1.34.4 TO=v1.35.4 NODES=12 PROCS=14 SEED=7"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestQuoteSurvivesShellAndMake: what the command line says reaches the programs as it was.
func TestQuoteSurvivesShellAndMake(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make")
	}
	for _, value := range []string{"plain-1.2", "two words", "it's", "^end$", "$(HOME) $HOME", `a "b" \d #c`} {
		cmd := exec.Command("sh", "-c", "make -s -f - V="+quote(value))
		cmd.Stdin = strings.NewReader("export V\nall:\n\t@printf '%s' \"$$V\"\n")
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != value {
			t.Errorf("%q became %q (%v)", value, out, err)
		}
	}
}
