package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"rollcall.dev/fixtures/standin/imagearchive"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/report"
	"rollcall.dev/hack/kubernetes"
)

// suiteImage is the image that runs the suite inside a cluster.
const suiteImage = "rollcall.dev/suite:" + report.SuiteVersion

// runImage makes the image as an archive, which needs no engine. With REUSE=1 it goes to the nodes of make cluster-up's cluster, else to
// the engine, if there is one.
func runImage(ctx context.Context, s settings) error {
	dir, err := filepath.Abs(filepath.Join(cacheDir, "image"))
	if err != nil {
		return err
	}
	binaries, err := buildKubernetes(ctx, s.Version, kubernetes.Kubectl)
	if err != nil {
		return err
	}
	if err := buildStatic(ctx, dir); err != nil {
		return err
	}
	archive := filepath.Join(dir, "suite.tar")
	if err := writeArchive(archive, contents(dir, filepath.Join(binaries, kubectlBinary))); err != nil {
		return err
	}
	say("image %s with kubectl %s: %s", suiteImage, s.Version, archive)
	if s.Reuse {
		return loadIntoStaying(ctx, s, archive)
	}
	if _, err := exec.LookPath("docker"); err != nil {
		say("there is no docker to load it into; kind load image-archive and ctr images import read it too")
		return nil
	}
	load := exec.Command("docker", "load", "--input", archive)
	load.Stdout, load.Stderr = os.Stderr, os.Stderr
	if err := runChild(ctx, load, 10*time.Second); err != nil {
		return fmt.Errorf("loading %s into docker: %w", archive, err)
	}
	return nil
}

func loadIntoStaying(ctx context.Context, s settings, archive string) error {
	p, err := openStaying(s)
	if err != nil {
		return err
	}
	loader, ok := p.(cluster.ImageLoader)
	if !ok {
		return fmt.Errorf("REUSE=1: the nodes of a %s cluster run no images", p.State().Provider)
	}
	return loader.LoadImageArchive(ctx, archive)
}

// buildStatic compiles this repository's programs for a file system that has nothing else.
func buildStatic(ctx context.Context, dir string) error {
	const flags = "-ldflags=-s -w" // nobody debugs in there
	for _, args := range [][]string{
		{"build", "-trimpath", "-buildvcs=false", flags + " -X main.builtFrom=" + commit(ctx), "-o", filepath.Join(dir, "rollcall"), "./hack/rollcall"},
		{"build", "-trimpath", "-buildvcs=false", flags, "-o", filepath.Join(dir, "editor"), "./hack/rollcall/editor"},
		{"build", "-trimpath", "-buildvcs=false", flags, "-o", filepath.Join(dir, ginkgoBinary), "github.com/onsi/ginkgo/v2/ginkgo"},
		{"test", "-c", "-trimpath", flags, "-o", filepath.Join(dir, suiteBinary), "./suites"},
	} {
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := runChild(ctx, cmd, 10*time.Second); err != nil {
			return fmt.Errorf("building %s: %w", args[len(args)-1], err)
		}
	}
	return nil
}

// contents is the image. Its user is the pod's to choose; it writes to /tmp and ARTIFACTS only, which are volumes there.
func contents(dir, kubectl string) imagearchive.Image {
	image := imagearchive.Image{
		Tags:       []string{suiteImage},
		Entrypoint: []string{"/bin/rollcall"},
		Env:        []string{"PATH=/bin", "HOME=/tmp", "PROVIDER=existing", "ARTIFACTS=/tmp/artifacts"},
		Files:      []imagearchive.File{{Path: "/bin/" + kubectlBinary, Mode: 0o755, Source: kubectl}},
	}
	for _, name := range []string{"rollcall", suiteBinary, ginkgoBinary} {
		image.Files = append(image.Files, imagearchive.File{Path: "/bin/" + name, Mode: 0o755, Source: filepath.Join(dir, name)})
	}
	for _, name := range []string{"true", "sed"} { // what specs have kubectl edit run
		image.Files = append(image.Files, imagearchive.File{Path: "/bin/" + name, Mode: 0o755, Source: filepath.Join(dir, "editor")})
	}
	return image
}

func writeArchive(path string, image imagearchive.Image) error {
	half := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer os.Remove(half)
	file, err := os.Create(half)
	if err != nil {
		return err
	}
	if err := errors.Join(imagearchive.Write(file, image), file.Close()); err != nil {
		return err
	}
	return os.Rename(half, path)
}
