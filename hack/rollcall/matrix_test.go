package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall.dev/framework/report"
)

// TestMatrixHasAColumnForEachVersion has runs of every kind: one that passes, one whose specs fail, one that comes to no report where an
// earlier run has left one, and one that is interrupted.
func TestMatrixHasAColumnForEachVersion(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "v3"), 0o755); err != nil {
		t.Fatal(err)
	}
	saveReport(t, filepath.Join(folder, "v3", "report.yaml"), report.Passed)
	for _, test := range []struct {
		name     string
		versions []string
		failed   bool // as specs that fail, or otherwise
		says     []string
	}{
		{"all is well", []string{"v1"}, false, []string{"v1/index.html"}},
		{"one fails, one does not run", []string{"v1", "v2", "v3"}, true, []string{"v1/index.html", "v2/index.html", "Kubernetes v3: <span class=\"did not run\">did not run: no space left</span>"}},
		{"interrupted", []string{"v1", "v4", "v5"}, false, []string{"v1/index.html", "Kubernetes v4: <span class=\"did not run\">did not run: interrupted", "Kubernetes v5: <span class=\"did not run\">did not run: interrupted"}},
	} {
		ctx, interrupt := context.WithCancelCause(t.Context())
		var ran []string
		err := matrix(ctx, settings{Artifacts: folder}, test.versions, func(_ context.Context, s settings) error {
			ran = append(ran, s.Version)
			verdict := report.Passed
			switch s.Version {
			case "v2":
				verdict = report.Failed
			case "v3":
				return errors.New("no space left\non the disk")
			case "v4":
				interrupt(errInterrupted)
			}
			if err := os.MkdirAll(s.Artifacts, 0o755); err != nil {
				t.Fatal(err)
			}
			saveReport(t, filepath.Join(s.Artifacts, "report.yaml"), verdict)
			if verdict != report.Passed {
				return specsFailed{errors.New("1 of 1 specs failed")}
			}
			return nil
		})
		interrupted := slices.Contains(test.versions, "v4")
		if errors.As(err, &specsFailed{}) != test.failed || errors.Is(err, errInterrupted) != interrupted || !test.failed && !interrupted && err != nil {
			t.Errorf("%s: got %v", test.name, err)
		}
		if slices.Contains(ran, "v5") {
			t.Errorf("%s: goes on with %v", test.name, ran)
		}
		page, err := os.ReadFile(filepath.Join(folder, "matrix.html"))
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range test.says {
			if !strings.Contains(string(page), words) {
				t.Errorf("%s: the page does not say %s", test.name, words)
			}
		}
	}
}

func TestMatrixWithoutAnyReportKeepsAnEarlierPage(t *testing.T) {
	folder := leave(t, map[string]string{"matrix.html": "of yesterday"})
	ctx, interrupt := context.WithCancelCause(t.Context())
	interrupt(errInterrupted)
	if err := matrix(ctx, settings{Artifacts: folder}, []string{"v1"}, nil); !errors.Is(err, errInterrupted) {
		t.Errorf("got %v, want the interrupt", err)
	}
	if page, err := os.ReadFile(filepath.Join(folder, "matrix.html")); err != nil || string(page) != "of yesterday" {
		t.Errorf("the page is now %q, %v", page, err)
	}
}

func TestMatrixTakesVersions(t *testing.T) {
	t.Setenv("KUBERNETES_VERSION", "1.36.3")
	if err := runMatrix(t.Context(), settings{}); err == nil || !strings.Contains(err.Error(), "VERSIONS") {
		t.Errorf("got %v", err)
	}
}
