package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	cache    = ".cache/mutants"
	module   = "hack/kubernetes/v1.36"
	upstream = "k8s.io/kubernetes/pkg/controller/daemon"
	// scratchModule is the path of the module that the copies are built in: that of the version's own.
	scratchModule = "rollcall.dev/hack/kubernetes/v1.36"
	// original is the id of the controller as it is.
	original = "original"
)

// sourceNames are the files of the controller that are copied, below pkg/controller/daemon.
var sourceNames = []string{"daemon_controller.go", "update.go", "util/daemonset_util.go"}

// readSources reads them as upstream wrote them, by name.
func readSources(ctx context.Context) (map[string]string, error) {
	out, err := output(ctx, module, "go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes")
	if err != nil {
		return nil, err
	}
	from := filepath.Join(strings.TrimSpace(out), "pkg", "controller", "daemon")
	files := map[string]string{}
	for _, name := range sourceNames {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return nil, fmt.Errorf("reading the controller's source: %w", err)
		}
		files[name] = string(text)
	}
	return files, nil
}

// build makes the controller of every mutant, and the unbroken one under the id original. What is built already, from the same sources,
// the go command leaves as it is.
func build(ctx context.Context, mutants []mutant) error {
	files, err := readSources(ctx)
	if err != nil {
		return err
	}
	scratch := filepath.Join(cache, "source")
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := copyFile(filepath.Join(module, name), filepath.Join(scratch, name)); err != nil {
			return err
		}
	}
	all := append([]mutant{{ID: original}}, mutants...)
	packages := []string{}
	for _, m := range all {
		if m.unjudged() {
			continue
		}
		if err := writeOne(scratch, files, m); err != nil {
			return err
		}
		packages = append(packages, "./"+m.ID)
	}
	binaries, err := filepath.Abs(filepath.Join(cache, "bin"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(binaries, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "building %d controllers\n", len(packages))
	// All at once: the go command looks at Kubernetes' packages once, and links as many binaries at a time as there are cores.
	args := append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", binaries + "/"}, packages...)
	if _, err := output(ctx, scratch, "go", args...); err != nil {
		return fmt.Errorf("a mutant does not compile: %w", err)
	}
	return nil
}

// writeOne writes a mutant's source, as a command of the scratch module.
func writeOne(scratch string, files map[string]string, m mutant) error {
	broken := map[string]string{}
	for name, text := range files {
		broken[name] = text
	}
	if m.ID != original {
		if err := m.apply(broken); err != nil {
			return err
		}
	}
	main, err := os.ReadFile(filepath.Join(module, "daemonset-controller", "main.go"))
	if err != nil {
		return err
	}
	own := scratchModule + "/" + m.ID + "/daemon"
	broken["../main.go"] = string(main)
	for name, text := range broken {
		text = strings.ReplaceAll(text, `"`+upstream+`"`, `"`+own+`"`)
		text = strings.ReplaceAll(text, `"`+upstream+`/util"`, `"`+own+`/util"`)
		if err := writeIfChanged(filepath.Join(scratch, m.ID, "daemon", name), text); err != nil {
			return err
		}
	}
	return nil
}

func binaryOf(id string) string { return filepath.Join(cache, "bin", id) }

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeIfChanged(to, string(text))
}

// writeIfChanged leaves a file alone that says the same, so that nothing is built again for it.
func writeIfChanged(path, text string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// output runs a command to its end and returns its standard output; the error has what it complained about.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}
