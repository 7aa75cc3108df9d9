package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"

	"rollcall.dev/fixtures/standin"
)

// LoadImage brings an image that the engine has to every node; the stand-in is built under the tag that is asked for. Arguments are ignored.
func (p *Provider) LoadImage(ctx context.Context, image string, _ ...string) error {
	if strings.HasPrefix(image, "rollcall.dev/standin:") {
		return p.loadStandIns(ctx, image)
	}
	archive, err := os.CreateTemp("", "image-*.tar")
	if err != nil {
		return fmt.Errorf("making room for image %s: %w", image, err)
	}
	archive.Close()
	defer os.Remove(archive.Name())
	if _, err := docker(ctx, "save", "--output", archive.Name(), image); err != nil {
		return fmt.Errorf("saving image %s: %w", image, err)
	}
	return p.LoadImageArchive(ctx, archive.Name())
}

// LoadImageArchive brings the images of an archive (as `docker save` writes it) to every node. Arguments are ignored.
func (p *Provider) LoadImageArchive(ctx context.Context, path string, _ ...string) error {
	members, err := p.kind.ListInternalNodes(p.config.Name)
	if err != nil {
		return fmt.Errorf("listing the nodes of kind cluster %q: %w", p.config.Name, err)
	}
	results := make(chan error, len(members))
	for _, node := range members {
		go func() { results <- load(node, path) }()
	}
	var problems []error
	for range members {
		select {
		case err := <-results:
			problems = append(problems, err)
		case <-ctx.Done():
			return fmt.Errorf("loading %s: %w", path, context.Cause(ctx))
		}
	}
	return errors.Join(problems...)
}

func load(node nodes.Node, path string) error {
	archive, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the image archive: %w", err)
	}
	defer archive.Close()
	if err := nodeutils.LoadImageArchive(node, archive); err != nil {
		return fmt.Errorf("loading %s into %s: %w", path, node, err)
	}
	return nil
}

// loadStandIns brings the stand-in to every node, under the names given.
func (p *Provider) loadStandIns(ctx context.Context, tags ...string) error {
	dir, err := os.MkdirTemp(p.config.Dir, "standin-")
	if err != nil {
		return fmt.Errorf("making room for the stand-in: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	archive := filepath.Join(dir, "image.tar")
	if err := standin.BuildArchive(ctx, archive, tags...); err != nil {
		return err
	}
	return p.LoadImageArchive(ctx, archive)
}
