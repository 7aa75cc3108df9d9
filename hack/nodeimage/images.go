package main

import (
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"rollcall.dev/fixtures/standin/imagearchive"
)

// sandboxImage is the pause image that the containerd configuration of the kind module names, whatever kubeadm's list says.
const sandboxImage = "registry.k8s.io/pause:3.10"

// component is an image of the control plane: one binary, no distribution.
type component struct{ imagearchive.Image }

// components are the images that kubeadm's static pods run. The tags are kubeadm's own, so that nothing is pulled.
// kube-proxy and CoreDNS are left out: this image is for clusters without them (README.md).
func (b *builder) components(ctx context.Context) ([]component, error) {
	out, err := output(ctx, filepath.Join(b.binaries, "kubeadm"), "config", "images", "list", "--kubernetes-version", b.version)
	if err != nil {
		return nil, fmt.Errorf("asking kubeadm for the images' names: %w", err)
	}
	var components []component
	for _, tag := range strings.Fields(out) {
		name, _, _ := strings.Cut(path.Base(tag), ":")
		switch name {
		case "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd":
			components = append(components, newComponent(name, filepath.Join(b.binaries, name), tag))
		case "pause":
			tags := []string{tag}
			if tag != sandboxImage {
				tags = append(tags, sandboxImage)
			}
			components = append(components, newComponent(name, b.helpers[name], tags...))
		}
	}
	if len(components) != 5 {
		return nil, fmt.Errorf("kubeadm %s lists images this command does not know: %s", b.version, strings.Join(strings.Fields(out), ", "))
	}
	return components, nil
}

func newComponent(name, binary string, tags ...string) component {
	return component{imagearchive.Image{
		Tags:       tags,
		Entrypoint: []string{"/usr/local/bin/" + name},
		Env:        []string{"PATH=/usr/local/bin"},
		Files:      []imagearchive.File{{Path: "/usr/local/bin/" + name, Mode: 0o755, Source: binary}},
	}}
}

// importInto streams the image's archive into the container's containerd. Pinned, so that no kubelet collects it as garbage.
func (c component) importInto(ctx context.Context, container string) error {
	write := func(w io.Writer) error { return imagearchive.Write(w, c.Image) }
	_, err := dockerFed(ctx, write, "exec", "--interactive", container, "ctr", "--namespace=k8s.io", "images", "import",
		"--label=io.cri-containerd.pinned=pinned", "--all-platforms", "--no-unpack", "--digests", "-")
	if err != nil {
		return fmt.Errorf("importing %s: %w", c.Tags[0], err)
	}
	return nil
}
