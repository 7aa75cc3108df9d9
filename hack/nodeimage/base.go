package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// nodeBinaries go into the node itself, not into an image that runs in it.
var nodeBinaries = []string{"kubeadm", "kubelet", "kubectl"}

// importBase streams the root file system, without what a node must not start, and then the node's own files into docker, as one
// layer. It returns the image's id.
func (b *builder) importBase(ctx context.Context, root string) (string, error) {
	kind, err := findKind(ctx)
	if err != nil {
		return "", err
	}
	write := func(w io.Writer) error { return b.writeBase(w, root, kind.Dir) }
	id, err := dockerFed(ctx, write, "import",
		"--change", "ENV container=docker", // how systemd learns where it is (systemd.io/CONTAINER_INTERFACE)
		"--change", "LABEL "+buildLabel+"="+b.tag, "-")
	if err != nil {
		return "", fmt.Errorf("importing the node's files: %w", err)
	}
	return id, nil
}

func (b *builder) writeBase(w io.Writer, root, kindDir string) error {
	files, err := b.nodeFiles(kindDir)
	if err != nil {
		return err
	}
	replaced := map[string]bool{} // docker refuses a layer that has a path twice
	for _, file := range files {
		replaced["./"+file.path] = true
	}
	out := tar.NewWriter(w)
	source, err := os.Open(root)
	if err != nil {
		return err
	}
	defer source.Close()
	for in := tar.NewReader(source); ; {
		header, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("reading the root file system: %w", err)
		}
		if leftOut(header.Name) || replaced[header.Name] {
			continue
		}
		if err := out.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return fmt.Errorf("copying %s: %w", header.Name, err)
		}
	}
	for _, file := range files {
		if err := file.writeTo(out); err != nil {
			return fmt.Errorf("adding %s: %w", file.path, err)
		}
	}
	return out.Close()
}

// leftOut says whether a file of the root file system stays out of the node: services that have no business in a container (kind's
// base image removes the same), devices (docker makes them) and what nobody reads there.
func leftOut(name string) bool {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "."), "/")
	for _, prefix := range []string{"dev/", "usr/share/doc/", "usr/share/man/", "usr/share/locale/", "var/cache/apt/", "var/lib/apt/lists/"} {
		if strings.HasPrefix(name, prefix) && name != prefix {
			return true
		}
	}
	folder, unit := path.Split(strings.TrimSuffix(name, "/"))
	switch target := path.Base(folder); {
	case !strings.HasSuffix(target, ".wants"):
		return false
	case strings.HasPrefix(folder, "etc/systemd/system/"):
		return true
	case target == "multi-user.target.wants", target == "local-fs.target.wants", target == "basic.target.wants":
		return true
	case target == "sockets.target.wants":
		return strings.Contains(unit, "udev") || strings.Contains(unit, "initctl")
	default:
		// systemd-binfmt writes to the kernel's table, which is everybody's; systemd-tmpfiles-setup would undo kind's mounts.
		return unit == "systemd-binfmt.service" || unit == "systemd-tmpfiles-setup.service"
	}
}

// nodeFile is a file of the node: read from source, or data, or a symbolic link.
type nodeFile struct {
	path, source, link string
	data               []byte
	mode               int64
}

// nodeFiles are kind's own, Kubernetes' binaries, and what ties Debian's packages to the places where kind looks.
func (b *builder) nodeFiles(kindDir string) ([]nodeFile, error) {
	files, err := kindFiles(filepath.Join(kindDir, "images", "base", "files"))
	if err != nil {
		return nil, err
	}
	for _, name := range nodeBinaries {
		files = append(files, nodeFile{path: "usr/bin/" + name, source: filepath.Join(b.binaries, name), mode: 0o755})
	}
	for _, file := range []struct{ from, to string }{
		{"cni.conflist.template", "kind/cni.conflist.template"},
		{"default-cni.yaml", "kind/manifests/default-cni.yaml"},
		{"default-storage.yaml", "kind/manifests/default-storage.yaml"},
	} {
		data, err := recipe.ReadFile("files/" + file.from)
		if err != nil {
			return nil, err
		}
		files = append(files, nodeFile{path: file.to, data: data, mode: 0o644})
	}
	files = append(files,
		nodeFile{path: "kind/version", data: []byte(b.version + "\n"), mode: 0o644},
		nodeFile{path: "usr/local/sbin/runc-bounded", source: b.helpers["runc-bounded"], mode: 0o755},
		nodeFile{path: "etc/systemd/journald.conf.d/kind.conf", data: []byte("[Journal]\nReadKMsg=no\n"), mode: 0o644},
		nodeFile{path: "usr/sbin/init", link: "/usr/lib/systemd/systemd"},
		nodeFile{path: "usr/local/bin/containerd", link: "/usr/bin/containerd"},
		nodeFile{path: "opt/cni/bin", link: "/usr/lib/cni"},
		nodeFile{path: "etc/kubernetes/manifests/.keep", mode: 0o644},
		nodeFile{path: "etc/cni/net.d/.keep", mode: 0o644},
	)
	for _, unit := range []string{"kubelet", "containerd", "undo-mount-hacks"} {
		files = append(files, nodeFile{
			path: "etc/systemd/system/multi-user.target.wants/" + unit + ".service",
			link: "/etc/systemd/system/" + unit + ".service",
		})
	}
	return files, nil
}

// kindFiles are the files of kind's base image, with the modes that its Dockerfile gives them.
func kindFiles(dir string) ([]nodeFile, error) {
	var files []nodeFile
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		file := nodeFile{path: filepath.ToSlash(relative), source: name, mode: 0o644}
		if folder := path.Dir(file.path); folder == "usr/local/bin" || folder == "kind/bin" {
			file.mode = 0o755
		}
		if file.path == "etc/containerd/config.toml" {
			config, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if file.data, err = containerdConfig(config); err != nil {
				return err
			}
			file.source = ""
		}
		files = append(files, file)
		return nil
	})
	if err == nil && len(files) == 0 {
		err = errors.New("no files there")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kind module's node files: %w", err)
	}
	return files, nil
}

// containerdConfig adds to kind's configuration: the CNI template, filled in with the node's own pod range, and runc-bounded, so
// that a privileged pod starts on a machine whose root lacks capabilities.
func containerdConfig(config []byte) ([]byte, error) {
	const runcOptions = `[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]`
	text := string(config)
	if strings.Count(text, runcOptions) != 1 || !strings.Contains(text, "sandbox_image = \""+sandboxImage+"\"") {
		return nil, errors.New("kind's containerd configuration is not the one this command knows")
	}
	text = strings.Replace(text, runcOptions, runcOptions+"\n    BinaryName = \"/usr/local/sbin/runc-bounded\"", 1)
	text += "\n[plugins.\"io.containerd.grpc.v1.cri\".cni]\n  conf_template = \"/kind/cni.conflist.template\"\n"
	return []byte(text), nil
}

func (f nodeFile) writeTo(out *tar.Writer) error {
	header := &tar.Header{Name: f.path, Mode: f.mode, Typeflag: tar.TypeReg, Size: int64(len(f.data))}
	switch {
	case f.link != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, f.link, 0o777
		return out.WriteHeader(header)
	case f.source == "":
		if err := out.WriteHeader(header); err != nil {
			return err
		}
		_, err := out.Write(f.data)
		return err
	}
	file, err := os.Open(f.source)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header.Size = info.Size()
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return err
}
