package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// inputsLabel holds the digest of everything the image was made from; equal inputs are not built twice.
	inputsLabel = "dev.rollcall.inputs"
	// buildLabel marks containers and images of a build that has not ended, for whoever has to clean up after a SIGKILL.
	buildLabel = "dev.rollcall.build"
	// steps of a build, for the progress lines.
	steps = 6
	// cleanUpWithin bounds the removal of a build's leftovers after an interrupt.
	cleanUpWithin = 30 * time.Second
)

type options struct{ version, binaries, tag, cache, suite, mirror string }

// builder is one build: its options, what it has found out, and the clock for its progress lines.
type builder struct {
	options
	began  time.Time
	images []component
	// helpers are the programs of this repository that go into the image, by name.
	helpers map[string]string
	inputs  string
}

// build makes the image unless it is there. The tag is given by the last step, so an interrupted build leaves no image that looks
// finished.
func build(ctx context.Context, o options) error {
	b := &builder{options: o, began: time.Now()}
	scratch, err := os.MkdirTemp("", "nodeimage-")
	if err != nil {
		return fmt.Errorf("making a scratch folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	if err := b.check(ctx); err != nil {
		return err
	}
	b.step(1, "reading the inputs")
	if b.helpers, err = buildHelpers(ctx, scratch); err != nil {
		return err
	}
	if b.images, err = b.components(ctx); err != nil {
		return err
	}
	if b.inputs, err = b.digest(ctx); err != nil {
		return err
	}
	existing, err := docker(ctx, "image", "ls", "--quiet", "--filter", "label="+inputsLabel+"="+b.inputs, b.tag)
	if err != nil {
		return err
	}
	if existing != "" {
		b.say("%s is there and made from the same inputs: nothing to do", b.tag)
		return nil
	}
	if err := b.make(ctx); err != nil {
		return err
	}
	size, err := docker(ctx, "image", "inspect", "--format", "{{.Size}}", b.tag)
	if err != nil {
		return err
	}
	b.say("built %s (%s bytes)", b.tag, size)
	return nil
}

// make does what check and the comparison of inputs have found to be needed.
func (b *builder) make(ctx context.Context) (err error) {
	b.step(2, "root file system of Debian "+b.suite)
	root, err := b.rootFileSystem(ctx)
	if err != nil {
		return err
	}
	b.step(3, "importing it with kind's files and Kubernetes' binaries")
	base, err := b.importBase(ctx, root)
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed { // afterwards it is the image's own lower layer
			err = errors.Join(err, cleanUp("image", "rm", base))
		}
	}()
	b.step(4, "starting the build container")
	container := fmt.Sprintf("rollcall-node-image-%d", os.Getpid())
	// Registered first: an interrupt may come when the container exists and its id has not arrived.
	defer func() { err = errors.Join(err, cleanUp("rm", "--force", "--volumes", container)) }()
	if _, err := docker(ctx, "run", "--detach", "--name", container, "--label", buildLabel+"="+b.tag, "--network", "none",
		"--stop-signal", "SIGRTMIN+3", // systemd's, kept by the commit
		"--security-opt", "seccomp=unconfined", "--entrypoint", "sleep", base, "infinity"); err != nil {
		return err
	}
	if err := dockerExec(ctx, container, strings.NewReader(prepareScript)); err != nil {
		return fmt.Errorf("preparing the build container: %w", err)
	}
	for i, image := range b.images {
		b.step(5, fmt.Sprintf("image %d of %d: %s", i+1, len(b.images), image.Tags[0]))
		if err := image.importInto(ctx, container); err != nil {
			return err
		}
	}
	if err := dockerExec(ctx, container, strings.NewReader(finishScript)); err != nil {
		return fmt.Errorf("finishing the build container: %w", err)
	}
	b.step(6, "committing "+b.tag)
	if _, err := docker(ctx, "commit",
		"--change", `ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]`, "--change", "CMD []",
		"--change", "LABEL "+inputsLabel+"="+b.inputs, "--change", "LABEL "+buildLabel+"=done", container, b.tag); err != nil {
		return err
	}
	committed = true
	// The image that had the tag before is nobody's now, unless a container still uses it.
	return cleanUp("image", "prune", "--force", "--filter", "label="+inputsLabel)
}

// check meets what would fail late, early.
func (b *builder) check(ctx context.Context) error {
	if b.binaries == "" {
		return errors.New("--binaries is missing: the folder with the Kubernetes binaries")
	}
	if !strings.HasPrefix(b.version, "v1.") {
		return fmt.Errorf("--version %q is not a Kubernetes version such as v1.36.3", b.version)
	}
	if _, err := docker(ctx, "version", "--format", "{{.Server.Version}}"); err != nil {
		return fmt.Errorf("no container engine answers (go run ./hack/engine start): %w", err)
	}
	for _, name := range []string{"kubeadm", "kubelet", "kubectl"} {
		if err := b.checkStamp(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// checkStamp runs a binary to see which version it says it is: an unstamped kubeadm takes the wrong defaults and says nothing.
func (b *builder) checkStamp(ctx context.Context, name string) error {
	arguments := map[string][]string{
		"kubeadm": {"version", "--output=short"},
		"kubectl": {"version", "--client"},
		"kubelet": {"--version"},
	}[name]
	out, err := output(ctx, filepath.Join(b.binaries, name), arguments...)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(out, "\n")
	words := strings.Fields(first)
	if len(words) == 0 || words[len(words)-1] != b.version {
		return fmt.Errorf("%s in %s says it is %q, want %s: build it with its version stamp", name, b.binaries, first, b.version)
	}
	return nil
}

func (b *builder) step(n int, what string) { b.say("step %d of %d: %s", n, steps, what) }

func (b *builder) say(format string, args ...any) {
	fmt.Printf("node image [%4ds] %s\n", int(time.Since(b.began).Seconds()), fmt.Sprintf(format, args...))
}

// cleanUp runs docker although the build's own context may have ended. What is gone already is no error.
func cleanUp(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpWithin)
	defer cancel()
	_, err := docker(ctx, args...)
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "no such") {
		return nil
	}
	return err
}
