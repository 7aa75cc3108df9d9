package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rollcall.dev/framework/history"
	"rollcall.dev/framework/invariant"
	"rollcall.dev/framework/report"
)

const historySuffix = ".jsonl.zst"

// runRejudge judges saved histories again: the files, or all below the folders, that HISTORY names. No cluster is needed. The verdict is that of
// the invariants: what else a spec expected, and which known deviation excuses it, a history does not say.
func runRejudge(_ context.Context, _ settings) error {
	value := os.Getenv("HISTORY")
	if value == "" {
		return errors.New("make rejudge needs HISTORY=<file or folder>, such as HISTORY=_artifacts/histories")
	}
	files, err := histories(value)
	if err != nil {
		return fmt.Errorf("HISTORY=%s: %w", value, err)
	}
	worst := report.Passed
	for _, file := range files {
		verdict, text, err := rejudge(file)
		if err != nil { // which says nothing about the others
			text = err.Error() + "\n"
		}
		worst = report.Worst(worst, verdict)
		fmt.Printf("%-12s %s\n%s", verdict, file, text)
	}
	fmt.Printf("%d histories, worst verdict: %s\n", len(files), worst)
	if worst != report.Passed {
		return specsFailed{errors.New(worst.String())}
	}
	return nil
}

// histories lists the files that a path names, and refuses a path that names none.
func histories(path string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (file == path || strings.HasSuffix(file, historySuffix)) {
			files = append(files, file)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("there is no history in it")
	}
	return files, err
}

// rejudge returns what the invariants alone say of a history: what else its spec expected is not in it.
func rejudge(file string) (report.Verdict, string, error) {
	h, err := history.Load(file)
	if err != nil {
		return report.Error, "", err
	}
	result := invariant.Judge(h)
	if result.Gap != nil {
		return report.Inconclusive, result.Gap.Reason + "\n", nil
	}
	var text strings.Builder
	for _, v := range result.Violations {
		fmt.Fprintln(&text, invariant.Explain(h, v))
	}
	if len(result.Violations) > 0 {
		return report.Failed, text.String(), nil
	}
	return report.Passed, "", nil
}
