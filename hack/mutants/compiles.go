package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// compiler tells quickly whether a mutant compiles, by the types of what Kubernetes' packages export: building each would take seconds.
type compiler struct {
	sources map[string]string // by name below pkg/controller/daemon
	files   *token.FileSet
	imports types.Importer
}

func newCompiler(ctx context.Context, sources map[string]string) (*compiler, error) {
	out, err := output(ctx, module, "go", "list", "-trimpath", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", upstream, upstream+"/util")
	if err != nil {
		return nil, fmt.Errorf("what the controller's package imports: %w", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(out) {
		if name, file, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			exports[name] = file
		}
	}
	c := &compiler{sources: sources, files: token.NewFileSet()}
	c.imports = importer.ForCompiler(c.files, "gc", func(name string) (io.ReadCloser, error) { return os.Open(exports[name]) })
	return c, nil
}

// accepts says whether the package that a mutant changes still compiles.
func (c *compiler) accepts(m mutant) bool {
	folder := path.Dir(m.File)
	var trees []*ast.File
	for name, text := range c.sources {
		if path.Dir(name) != folder {
			continue
		}
		if name == m.File {
			changed, err := m.edit.apply(text)
			if err != nil {
				return false
			}
			text = changed
		}
		tree, err := parser.ParseFile(c.files, name, text, parser.SkipObjectResolution)
		if err != nil {
			return false
		}
		trees = append(trees, tree)
	}
	slices.SortFunc(trees, func(a, b *ast.File) int { return int(a.Pos() - b.Pos()) })
	config := types.Config{Importer: c.imports}
	_, err := config.Check(path.Join(upstream, folder), c.files, trees, nil)
	return err == nil
}
