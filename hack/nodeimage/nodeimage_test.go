package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// script writes a shell script that stands for a program.
func script(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestCheckStampRefusesAnUnstampedBinary(t *testing.T) {
	dir := t.TempDir()
	script(t, dir, "kubeadm", `echo v1.36.3`)
	script(t, dir, "kubelet", `echo Kubernetes v0.0.0-master+\$Format:%H\$`)
	b := &builder{options: options{version: "v1.36.3", binaries: dir}}
	if err := b.checkStamp(t.Context(), "kubeadm"); err != nil {
		t.Errorf("a stamped kubeadm: %v", err)
	}
	if err := b.checkStamp(t.Context(), "kubelet"); err == nil || !strings.Contains(err.Error(), "version stamp") {
		t.Errorf("an unstamped kubelet: %v", err)
	}
	if err := b.checkStamp(t.Context(), "kubectl"); err == nil {
		t.Error("a missing kubectl was accepted")
	}
}

func TestCheckMeetsBadOptionsFirst(t *testing.T) {
	for want, o := range map[string]options{
		"--binaries is missing":    {version: "v1.36.3"},
		"not a Kubernetes version": {version: "1.36", binaries: "/nowhere"},
	} {
		if err := (&builder{options: o}).check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestComponentsHaveKubeadmsTags(t *testing.T) {
	dir := t.TempDir()
	const list = `registry.k8s.io/kube-apiserver:v1.36.3 registry.k8s.io/kube-controller-manager:v1.36.3 registry.k8s.io/kube-scheduler:v1.36.3
registry.k8s.io/kube-proxy:v1.36.3 registry.k8s.io/coredns/coredns:v1.14.2 registry.k8s.io/pause:3.10.2 registry.k8s.io/etcd:3.6.8-0`
	script(t, dir, "kubeadm", "echo '"+list+"'")
	b := &builder{options: options{version: "v1.36.3", binaries: dir}, helpers: map[string]string{"pause": "/pause"}}
	components, err := b.components(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, c := range components {
		tags = append(tags, c.Tags...)
	}
	want := []string{"registry.k8s.io/kube-apiserver:v1.36.3", "registry.k8s.io/kube-controller-manager:v1.36.3", "registry.k8s.io/kube-scheduler:v1.36.3",
		"registry.k8s.io/pause:3.10.2", sandboxImage, "registry.k8s.io/etcd:3.6.8-0"}
	if !slices.Equal(tags, want) {
		t.Errorf("tags %v\nwant %v", tags, want)
	}
	script(t, dir, "kubeadm", "echo registry.k8s.io/kube-apiserver:v1.36.3")
	if _, err := b.components(t.Context()); err == nil {
		t.Error("a list without the other components was accepted")
	}
}

func TestLeftOut(t *testing.T) {
	for name, want := range map[string]bool{
		"./etc/systemd/system/timers.target.wants/fstrim.timer":                            true,
		"./etc/systemd/system/multi-user.target.wants/":                                    false,
		"./usr/lib/systemd/system/multi-user.target.wants/getty.target":                    true,
		"./usr/lib/systemd/system/sysinit.target.wants/systemd-binfmt.service":             true,
		"./usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service":     true,
		"./usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup-dev.service": false,
		"./usr/lib/systemd/system/sysinit.target.wants/systemd-journald.service":           false,
		"./usr/lib/systemd/system/sockets.target.wants/dbus.socket":                        false,
		"./usr/lib/systemd/system/sockets.target.wants/systemd-initctl.socket":             true,
		"./dev/null":           true,
		"./dev/":               false,
		"./usr/bin/containerd": false,
	} {
		if got := leftOut(name); got != want {
			t.Errorf("%s left out: %v, want %v", name, got, want)
		}
	}
}

// TestKindModuleIsTheOneWeKnow fails when a newer kind module has changed what base.go relies on.
func TestKindModuleIsTheOneWeKnow(t *testing.T) {
	kind, err := findKind(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := kindFiles(filepath.Join(kind.Dir, "images", "base", "files"))
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]int64{}
	for _, file := range files {
		modes[file.path] = file.mode
		if file.path == "etc/containerd/config.toml" && (!bytes.Contains(file.data, []byte("runc-bounded")) || !bytes.Contains(file.data, []byte("conf_template"))) {
			t.Errorf("containerd's configuration is unchanged:\n%s", file.data)
		}
	}
	for path, mode := range map[string]int64{
		"usr/local/bin/entrypoint": 0o755, "kind/bin/mount-product-files.sh": 0o755,
		"etc/containerd/config.toml": 0o644, "etc/systemd/system/kubelet.service": 0o644,
	} {
		if modes[path] != mode {
			t.Errorf("%s has mode %o, want %o", path, modes[path], mode)
		}
	}
}

func TestContainerdConfigRefusesWhatItDoesNotKnow(t *testing.T) {
	if _, err := containerdConfig([]byte("version = 3\n")); err == nil {
		t.Error("an unknown configuration was accepted")
	}
}

// TestWriteBaseHasEveryPathOnce: docker refuses a layer with the same path twice, and ours has to win.
func TestWriteBaseHasEveryPathOnce(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "root.tar")
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, name := range []string{"./etc/containerd/config.toml", "./usr/bin/jq", "./dev/null"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root, buffer.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &builder{options: options{version: "v1.36.3", binaries: dir}, helpers: map[string]string{"runc-bounded": filepath.Join(dir, "kubectl")}}
	for _, name := range nodeBinaries {
		script(t, dir, name, "true")
	}
	kind, err := findKind(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var base bytes.Buffer
	if err := b.writeBase(&base, root, kind.Dir); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for reader := tar.NewReader(&base); ; {
		header, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen[strings.TrimPrefix(header.Name, "./")]++
	}
	for path, times := range seen {
		if times > 1 {
			t.Errorf("%s is there %d times", path, times)
		}
	}
	for path, want := range map[string]int{"etc/containerd/config.toml": 1, "usr/bin/jq": 1, "usr/bin/kubelet": 1, "kind/version": 1, "dev/null": 0} {
		if seen[path] != want {
			t.Errorf("%s is there %d times, want %d", path, seen[path], want)
		}
	}
}

func TestDockerFedReportsTheReasonOnce(t *testing.T) {
	dir := t.TempDir()
	script(t, dir, "docker", "echo 'no space left' >&2; exit 1")
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	endless := func(w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return err
			}
		}
	}
	_, err := dockerFed(t.Context(), endless, "import", "-")
	if err == nil || !strings.Contains(err.Error(), "no space left") || strings.Contains(err.Error(), "closed pipe") {
		t.Errorf("got %v, want docker's own reason and nothing about the pipe", err)
	}
}
