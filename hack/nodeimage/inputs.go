package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// recipe is this command itself, without what does not show in the image: a changed recipe makes another image.
//
//go:embed base.go build.go images.go rootfs.go files
var recipe embed.FS

var (
	//go:embed files/prepare.sh
	prepareScript string
	//go:embed files/finish.sh
	finishScript string
)

// kindModule is where kind's node files come from: the version go.mod requires.
type kindModule struct{ Dir, Version string }

func findKind(ctx context.Context) (kindModule, error) {
	var m kindModule
	out, err := output(ctx, "go", "list", "-m", "-json", "sigs.k8s.io/kind")
	if err != nil {
		return m, fmt.Errorf("finding the kind module (run this in the repository): %w", err)
	}
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		return m, fmt.Errorf("reading what go list says of the kind module: %w", err)
	}
	if m.Dir == "" { // required, but nobody has needed its files yet
		if _, err := output(ctx, "go", "mod", "download", "sigs.k8s.io/kind"); err != nil {
			return m, fmt.Errorf("fetching the kind module: %w", err)
		}
		return findKind(ctx)
	}
	return m, nil
}

// buildHelpers compiles this repository's own programs for the node into dir.
func buildHelpers(ctx context.Context, dir string) (map[string]string, error) {
	helpers := map[string]string{}
	for name, source := range map[string]string{
		"pause":        "rollcall.dev/hack/nodeimage/pause",
		"runc-bounded": "rollcall.dev/hack/engine/runc-bounded",
	} {
		path := filepath.Join(dir, name)
		if _, err := output(ctx, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, source); err != nil {
			return nil, fmt.Errorf("building %s (run this in the repository): %w", name, err)
		}
		helpers[name] = path
	}
	return helpers, nil
}

// digest is of everything the image is made from. Debian's packages count by name: the cached root file system is their version.
func (b *builder) digest(ctx context.Context) (string, error) {
	kind, err := findKind(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, b.version, kind.Version, b.rootKey())
	err = fs.WalkDir(recipe, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := recipe.ReadFile(path)
		fmt.Fprintf(sum, "%s %x\n", path, sha256.Sum256(data))
		return err
	})
	paths := slices.Sorted(maps.Values(b.helpers))
	for _, name := range nodeBinaries {
		paths = append(paths, filepath.Join(b.binaries, name))
	}
	for _, image := range b.images {
		paths = append(paths, image.Files[0].Source)
	}
	for _, path := range paths {
		fmt.Fprintln(sum, filepath.Base(path))
		err = errors.Join(err, addFile(sum, path))
	}
	if err != nil {
		return "", fmt.Errorf("reading the inputs: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func addFile(w io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}
