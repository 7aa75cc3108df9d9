package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// PrepareFolder makes the folder that a run's report goes to, without what an earlier run has left there, and proves that it can be written to.
// The folder is this process's until it ends, however it ends: a second run at the same time would take the first one's results away.
func PrepareFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("%s cannot be written to: %w", dir, err)
	}
	if err := take(dir); err != nil {
		return err
	}
	for _, stale := range []string{reportFile, "junit.xml", "index.html", "histories", "logs", PartsFolder} {
		if err := os.RemoveAll(filepath.Join(dir, stale)); err != nil {
			return fmt.Errorf("%s cannot be written to: %w", dir, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o755); err != nil {
		return fmt.Errorf("%s cannot be written to: %w", dir, err)
	}
	probe := filepath.Join(dir, ".writable")
	if err := os.WriteFile(probe, nil, 0o644); err != nil {
		return fmt.Errorf("%s cannot be written to: %w", dir, err)
	}
	return os.Remove(probe)
}

// taken are the folders that this process has locked. They stay open until it ends.
var (
	taken   = map[string]*os.File{}
	takenMu sync.Mutex
)

// take locks a folder for this process, unless it has it already. Where a file system knows no locks the folder is everybody's.
func take(dir string) error {
	takenMu.Lock()
	defer takenMu.Unlock()
	if taken[dir] != nil {
		return nil
	}
	folder, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", dir, err)
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		_ = folder.Close()
		return fmt.Errorf("%s is where another run is leaving its report just now", dir)
	}
	taken[dir] = folder
	return nil
}
