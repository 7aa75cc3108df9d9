package main

import (
	"os"
	"testing"
)

func TestLacks(t *testing.T) {
	for bounds, want := range map[string]bool{
		"000001ffffffffff": false,
		"000001fffeffffff": true,
		"0000000000000000": true,
	} {
		got, err := lacks("40\n", "Name:\tx\nCapBnd:\t"+bounds+"\n")
		if err != nil || got != want {
			t.Errorf("bounding set %s: %v, %v, want %v", bounds, got, err, want)
		}
	}
	if _, err := lacks("40", "Name:\tx\n"); err == nil {
		t.Error("a status without a bounding set was accepted")
	}
}

func TestStopTouchesNoOtherProcess(t *testing.T) {
	e := engine{dir: t.TempDir()}
	if err := e.stop(t.Context()); err != nil {
		t.Errorf("stop with nothing started: %v", err)
	}
	// A pid file left by a crash may name a process that is somebody else's by now: this test's own parent, say.
	if err := os.WriteFile(e.pidFile(), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if pid, err := e.pid(); err != nil || pid != 0 {
		t.Errorf("took process %d for our daemon (%v)", pid, err)
	}
	if err := os.WriteFile(e.pidFile(), []byte("dockerd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := e.pid(); err == nil {
		t.Error("a pid file without a pid was accepted")
	}
}

func TestRunRefusesAnUnknownCommand(t *testing.T) {
	if err := run(t.Context(), "restart", t.TempDir()); err == nil {
		t.Error("restart was accepted")
	}
}
