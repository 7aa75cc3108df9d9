package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSedReplacesTheFirstInEachLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "buffer.yaml")
	if err := os.WriteFile(path, []byte("image: a:v1 # a:v1\nother\nimage: a:v1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := call("sed", []string{"-i", "s/a:v1/b:v2/", path}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if want := "image: b:v2 # a:v1\nother\nimage: b:v2"; err != nil || string(got) != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "buffer.yaml")
	if err := os.WriteFile(path, []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-i", "s/a/b/g", path}, {"-i", "s/a*/b/", path}, {"-i", "s/a/&&/", path}, {"-i", "y/a/b/", path}, {"s/a/b/", path}} {
		if err := call("sed", args); err == nil {
			t.Errorf("sed %v was accepted", args)
		}
	}
	if err := call("vi", []string{path}); err == nil {
		t.Error("vi was accepted")
	}
	if got, _ := os.ReadFile(path); string(got) != "a" {
		t.Errorf("a refused command changed the file to %q", got)
	}
}
