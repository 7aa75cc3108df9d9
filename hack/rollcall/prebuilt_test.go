package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestACheckoutIsNoImage: beside a checkout's program lie an earlier suite and ginkgo, and a run must not take them for its own.
func TestACheckoutIsNoImage(t *testing.T) {
	dir := t.TempDir()
	executable := filepath.Join(dir, "rollcall")
	for _, name := range []string{suiteBinary, ginkgoBinary} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got := prebuiltBeside(executable, nil); got != "" {
		t.Errorf("a checkout's folder is taken for an image's: %s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, kubectlBinary), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := prebuiltBeside(executable, nil); got != dir {
		t.Errorf("got %q for an image's folder, want %q", got, dir)
	}
	if got := prebuiltBeside("", os.ErrNotExist); got != "" {
		t.Errorf("got %q for a program that does not know where it is", got)
	}
}
