package report

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAFolderIsEmptiedOfAnEarlierRun(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, reportFile), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a process may prepare its folder anew
		if err := ClaimFolder(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, reportFile)); err != nil {
		t.Errorf("the earlier run's report: %v, should stay until this run begins", err)
	}
	if err := EmptyFolder(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, reportFile)); !os.IsNotExist(err) {
		t.Errorf("the earlier run's report: %v, should be gone", err)
	}
}

func TestAFolderOfSomethingElseIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := ClaimFolder(dir); err == nil || !strings.Contains(err.Error(), "has logs, which no run has left there") {
		t.Errorf("ClaimFolder said %v, should refuse a folder with somebody else's logs", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ours), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := ClaimFolder(dir); err != nil {
		t.Errorf("ClaimFolder said %v of logs that a run has left", err)
	}
}

func TestAnotherRunsFolderIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, reportFile)
	if err := os.WriteFile(kept, []byte("of the run under way"), 0o644); err != nil {
		t.Fatal(err)
	}
	other, err := os.Open(dir) // as another process would
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX); err != nil {
		t.Skip(err)
	}
	if err := ClaimFolder(dir); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("ClaimFolder said %v, should say that another run has the folder", err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Errorf("what the other run left: %v, should still be there", err)
	}
}
