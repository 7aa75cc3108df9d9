package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sonobuoy is the receiver that Sonobuoy's protocol describes: its worker, a container of the same pod, waits for the file "done" in this
// folder, reads from it the path of a file, and sends that on.
type sonobuoy struct{ dir string }

func (s sonobuoy) expect(context.Context) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("SONOBUOY_RESULTS_DIR=%s cannot be written to: %w", s.dir, err)
	}
	return nil
}

func (s sonobuoy) take(_ context.Context, artifacts, outcome string) error {
	archive := filepath.Join(s.dir, "rollcall.tar.gz")
	if err := archived(archive, artifacts, outcome); err != nil {
		return fmt.Errorf("packing the results for Sonobuoy: %w", err)
	}
	// Under another name first: the worker reads the file as soon as it is there, and then must find the whole path, without a line's end.
	done := filepath.Join(s.dir, "done")
	if err := errors.Join(os.WriteFile(done+".part", []byte(archive), 0o644), os.Rename(done+".part", done)); err != nil {
		return fmt.Errorf("telling Sonobuoy that the results are there: %w", err)
	}
	say("results: handed to Sonobuoy as %s", archive)
	return nil
}

// archived packs a folder, and a file that says how the run ended: without a report it is all there is.
func archived(path, folder, outcome string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	compressing := gzip.NewWriter(file)
	out := tar.NewWriter(compressing)
	said := strings.TrimSpace(outcome) + "\n"
	err = out.WriteHeader(&tar.Header{Name: "outcome.txt", Mode: 0o644, Size: int64(len(said))})
	if err == nil {
		_, err = out.Write([]byte(said))
	}
	if _, missing := os.Stat(folder); err == nil && missing == nil {
		err = out.AddFS(os.DirFS(folder))
	}
	return errors.Join(err, out.Close(), compressing.Close(), file.Close())
}
