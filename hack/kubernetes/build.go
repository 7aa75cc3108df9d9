package kubernetes

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Options of a build.
type Options struct {
	// Version is one of Versions.
	Version string
	Set     Set
	// Source is this package's folder, Cache where binaries are kept between runs.
	Source, Cache string
	// Progress gets a line per binary, and one every few seconds while one is being built.
	Progress io.Writer
}

// Build makes what is missing and returns the folder that holds the binaries. A binary appears under its name only when it
// is whole, so an interrupted build is taken up where it stopped, and of two builds at once the second waits for the first.
func Build(ctx context.Context, o Options) (string, error) {
	if past[o.Version] != "" && o.Set != Controller {
		return "", fmt.Errorf("of Kubernetes %s the DaemonSet controller alone can be built, for CONTROLLER; these can be built whole: %s", o.Version, strings.Join(Versions(), ", "))
	}
	wanted := binaries(o.Version, o.Set)
	dir, err := folder(o)
	if err != nil {
		return "", err
	}
	if len(missing(dir, wanted)) == 0 {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the folder for Kubernetes' binaries: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(dir, ".lock"), o.Progress)
	if err != nil {
		return "", err
	}
	defer unlock()

	todo := missing(dir, wanted) // somebody else may have built them while we waited
	began := time.Now()
	for i, b := range todo {
		title := fmt.Sprintf("[%d/%d] %s %s", i+1, len(todo), b.name, o.Version)
		if b.module == "etcd" || b.module == "kwok" {
			title = fmt.Sprintf("[%d/%d] %s", i+1, len(todo), b.name)
		}
		if err := build(ctx, o, dir, b, title); err != nil {
			return "", err
		}
	}
	if len(todo) > 0 {
		fmt.Fprintf(o.Progress, "built %d programs from source in %s\n", len(todo), time.Since(began).Round(time.Second))
	}
	return dir, nil
}

// folder is keyed by all that a binary is made from, so that what it holds is never stale.
func folder(o Options) (string, error) {
	digest := sha256.New()
	fmt.Fprintln(digest, runtime.Version(), runtime.GOARCH, stamp(o.Version))
	for _, module := range []string{module(o.Version), "etcd", "kwok"} {
		for _, name := range []string{"go.mod", "go.sum", "daemonset-controller/main.go"} {
			data, err := os.ReadFile(filepath.Join(o.Source, module, name))
			if err != nil && (name != "daemonset-controller/main.go" || !errors.Is(err, os.ErrNotExist)) {
				return "", fmt.Errorf("reading the module of Kubernetes %s: %w", o.Version, err)
			}
			digest.Write(data)
		}
	}
	return filepath.Abs(filepath.Join(o.Cache, "kubernetes", fmt.Sprintf("%s-%.4x", o.Version, digest.Sum(nil))))
}

func missing(dir string, wanted []binary) []binary {
	var todo []binary
	for _, b := range wanted {
		if _, err := os.Stat(filepath.Join(dir, b.name)); err != nil {
			todo = append(todo, b)
		}
	}
	return todo
}

func build(ctx context.Context, o Options, dir string, b binary, title string) error {
	partial := filepath.Join(dir, fmt.Sprintf(".%s.%d", b.name, os.Getpid()))
	defer os.Remove(partial)

	// -v prints a package when it has been compiled: the only progress that the go command shows.
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-trimpath", "-ldflags", b.flags, "-o", partial, b.pkg)
	cmd.Dir = filepath.Join(o.Source, b.module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	// The go command starts compilers: a group of their own, so that an interrupt ends all of them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the go command: %w", err)
	}
	complaint := follow(stderr, title, o.Progress)
	switch err := cmd.Wait(); {
	case ctx.Err() != nil:
		return fmt.Errorf("building %s: %w", b.name, context.Cause(ctx))
	case err != nil && strings.Contains(complaint, "no space left on device"):
		return fmt.Errorf("building %s: no space left on device; Kubernetes needs about 6 GB in Go's caches (go env GOCACHE GOMODCACHE) and 1 GB in %s", b.name, o.Cache)
	case err != nil:
		return fmt.Errorf("building %s: %w\n%s", b.name, err, complaint)
	}
	return os.Rename(partial, filepath.Join(dir, b.name))
}

// follow counts compiled packages and tells how it goes, until the stream ends. It returns what was not a package's name:
// downloads are left out, so this is what the compiler complained about.
func follow(stream io.Reader, title string, progress io.Writer) string {
	began := time.Now()
	told := began
	packages := 0
	var complaint bytes.Buffer
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "go: downloading"):
		case !strings.ContainsAny(line, " \t:"):
			packages++
		default:
			fmt.Fprintln(&complaint, line)
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			fmt.Fprintf(progress, "%s: %d packages compiled, %s\n", title, packages, time.Since(began).Round(time.Second))
		}
	}
	_, _ = io.Copy(io.Discard, stream) // a line too long for the scanner must not block the build
	fmt.Fprintf(progress, "%s: %d packages compiled and linked in %s\n", title, packages, time.Since(began).Round(time.Second))
	return complaint.String()
}

// lock holds the file until the returned function is called. The kernel drops it when the process dies, however it does.
func lock(ctx context.Context, path string, progress io.Writer) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the build: %w", err)
	}
	fd := int(file.Fd())
	if syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		return func() { file.Close() }, nil
	}
	fmt.Fprintln(progress, "another build of the same version is under way; waiting for it")
	got := make(chan error, 1)
	go func() { got <- syscall.Flock(fd, syscall.LOCK_EX) }()
	select {
	case err := <-got:
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("waiting for the other build: %w", err)
		}
		return func() { file.Close() }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the other build: %w", context.Cause(ctx))
	}
}
