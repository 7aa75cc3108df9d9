package report

import (
	"fmt"
	"os"
	"path/filepath"
)

// PrepareFolder makes the folder that a run's report goes to, without what an earlier run has left there, and proves that it can be written to.
func PrepareFolder(dir string) error {
	for _, stale := range []string{reportFile, "junit.xml", "index.html", "histories", "logs", PartsFolder} {
		if err := os.RemoveAll(filepath.Join(dir, stale)); err != nil {
			return fmt.Errorf("%s cannot be written to: %w", dir, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		return fmt.Errorf("%s cannot be written to: %w", dir, err)
	}
	probe := filepath.Join(dir, ".writable")
	if err := os.WriteFile(probe, nil, 0o644); err != nil {
		return fmt.Errorf("%s cannot be written to: %w", dir, err)
	}
	return os.Remove(probe)
}
