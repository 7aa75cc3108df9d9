package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// ours is the file that says that a folder is for reports: what else in it bears our names may be deleted.
const ours = ".rollcall"

// stale are what a run leaves in its folder.
var stale = []string{reportFile, "junit.xml", "index.html", "histories", "logs", PartsFolder}

// ClaimFolder makes the folder that a run's report goes to and proves that it can be written to. An earlier run's report stays until EmptyFolder.
// The folder is this process's until it ends, however it ends: a second run at the same time would take the first one's results away. It is an
// error if something in it has the name of what a run leaves there, and no run has left it.
func ClaimFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("%s cannot be written to: %w", dir, err)
	}
	if err := take(dir); err != nil {
		return err
	}
	if !exists(dir, ours) && !exists(dir, reportFile) && !exists(dir, PartsFolder) {
		for _, name := range stale {
			if exists(dir, name) {
				return fmt.Errorf("%s has %s, which no run has left there and the next would delete; another folder would do", dir, name)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ours), nil, 0o644); err != nil {
		return fmt.Errorf("%s cannot be written to: %w", dir, err)
	}
	return nil
}

// EmptyFolder deletes what an earlier run has left in a claimed folder, and makes the folder for logs.
func EmptyFolder(dir string) error {
	for _, name := range stale {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("%s cannot be written to: %w", dir, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o755); err != nil {
		return fmt.Errorf("%s cannot be written to: %w", dir, err)
	}
	return nil
}

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
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
