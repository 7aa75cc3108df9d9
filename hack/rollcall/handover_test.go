package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// leave writes what a run leaves.
func leave(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestConfigMapHasTheReports(t *testing.T) {
	to := configMap{client: fake.NewClientset(), namespace: "rollcall", name: "results", most: mostInConfigMap}
	data := func() (map[string]string, map[string][]byte) {
		m, err := to.client.CoreV1().ConfigMaps("rollcall").Get(t.Context(), "results", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return m.Data, m.BinaryData
	}
	artifacts := leave(t, map[string]string{"report.yaml": "a report", "junit.xml": "<testsuites/>", "cluster.json": "{}"})
	for range 2 { // the second run finds the first one's ConfigMap
		err := handOver(t.Context(), to, artifacts, func() error {
			if during, files := data(); during["outcome"] != "the run has not ended" || len(files) > 0 {
				t.Errorf("during the run there is %v, and %d files", during, len(files))
			}
			return specsFailed{errors.New("1 of 3 specs failed")}
		})
		if !errors.As(err, &specsFailed{}) {
			t.Errorf("got %v, want what the run said", err)
		}
	}
	said, files := data()
	if !reflect.DeepEqual(said, map[string]string{"outcome": "1 of 3 specs failed"}) {
		t.Errorf("got %v", said)
	}
	if len(files) != 2 {
		t.Errorf("%d files are there, want report.yaml.gz and junit.xml.gz", len(files))
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(files["report.yaml.gz"]))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(unpacked); err != nil || string(got) != "a report" {
		t.Errorf("the report reads %q, %v", got, err)
	}
}

func TestConfigMapLeavesOutWhatIsTooLarge(t *testing.T) {
	noise := make([]byte, 2000)
	for i := range noise {
		noise[i] = byte(rand.IntN(256))
	}
	to := configMap{client: fake.NewClientset(), namespace: "rollcall", name: "results", most: 2000}
	artifacts := leave(t, map[string]string{"report.yaml": "a report", "junit.xml": string(noise), "index.html": "<html>"})
	if err := to.take(t.Context(), artifacts, "success"); err != nil {
		t.Fatal(err)
	}
	m, err := to.client.CoreV1().ConfigMaps("rollcall").Get(t.Context(), "results", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Data["left-out"] != "junit.xml" || len(m.BinaryData) != 2 {
		t.Errorf("left out: %q, files: %d; want junit.xml, and the other two", m.Data["left-out"], len(m.BinaryData))
	}
}

func TestAReceiverThatRefusesEndsTheRunBeforeItBegins(t *testing.T) {
	to := sonobuoy{dir: filepath.Join(leave(t, map[string]string{"file": ""}), "file", "below")}
	err := handOver(t.Context(), to, t.TempDir(), func() error {
		t.Error("the run began")
		return nil
	})
	if err == nil {
		t.Error("nothing was said")
	}
}

// TestSonobuoysWorkerFindsEverythingAtOnce has a stand-in for Sonobuoy's worker, which reads the path from "done" as soon as that is there
// and sends what is at the path: it must not see half of either.
func TestSonobuoysWorkerFindsEverythingAtOnce(t *testing.T) {
	for _, outcome := range []error{nil, specsFailed{errors.New("1 of 3 specs failed")}, errInterrupted} {
		dir := t.TempDir()
		sent := make(chan []string)
		go func() { sent <- worker(t, filepath.Join(dir, "done")) }()

		ctx, interrupt := context.WithCancelCause(t.Context())
		interrupt(outcome) // the pod is going away
		artifacts := leave(t, map[string]string{"report.yaml": "a report", "junit.xml": "<testsuites/>"})
		if err := handOver(ctx, sonobuoy{dir: dir}, artifacts, func() error { return outcome }); !errors.Is(err, outcome) {
			t.Errorf("got %v, want %v", err, outcome)
		}
		if got, want := <-sent, []string{"junit.xml", "outcome.txt", "report.yaml"}; !slices.Equal(got, want) {
			t.Errorf("after %v the worker sends %v, want %v", outcome, got, want)
		}
	}
}

// worker waits for done and returns the names of the files in the archive that it names at that moment.
func worker(t *testing.T, done string) (names []string) {
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	var path []byte
	for path == nil {
		select {
		case <-tick.C:
			path, _ = os.ReadFile(done)
		case <-t.Context().Done():
			return nil
		}
	}
	file, err := os.Open(string(path))
	if err != nil {
		t.Error(err)
		return nil
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Error(err)
		return nil
	}
	for archive := tar.NewReader(unpacked); ; {
		header, err := archive.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			slices.Sort(names)
			return names
		}
		if header.Typeflag == tar.TypeReg {
			names = append(names, header.Name)
		}
	}
}
