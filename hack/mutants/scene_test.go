package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A stand-in for rollcall notes what it is asked for, and keeps a file for each cluster as rollcall does.
const standIn = `#!/bin/sh
echo "$1 ${CLUSTER_OF:-dev}" >>calls
state=.cache/clusters/rollcall-${CLUSTER_OF:-dev}-0.json
case $1 in
up) [ ! -e "$state" ] && echo '{"provider": "simulated"}' >"$state" ;;
down) rm -f "$state" ;;
esac
`

func TestTheUsersClusterIsLeftAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	const users, ours = ".cache/clusters/rollcall-dev-0.json", ".cache/clusters/rollcall-mutants-0.json"
	for path, text := range map[string]string{rollcall: standIn, users: "{}", ours: "{}"} { // ours is that of a run that was killed
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var s scene
	if err := s.up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.state.Provider != "simulated" || s.state.PID != os.Getpid() {
		t.Errorf("the mutants are judged on %+v", s.state)
	}
	s.down()
	calls, err := os.ReadFile("calls")
	if want := "down mutants\nup mutants\ndown mutants\n"; err != nil || string(calls) != want {
		t.Errorf("rollcall was asked for %q (%v), want %q", calls, err, want)
	}
	if left, err := filepath.Glob(".cache/clusters/*"); err != nil || strings.Join(left, " ") != users {
		t.Errorf("what is left is %v (%v), want the user's alone", left, err)
	}
}
