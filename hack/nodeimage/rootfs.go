package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// packages of the node, as kind's own base image has them (images/base/Dockerfile), with Debian's containerd, runc and CNI plugins
// in place of those it compiles, and without what only storage tests use.
var packages = []string{
	"systemd", "dbus", // services
	"conntrack", "iptables", "nftables", "iproute2", "ethtool", "kmod", "mount", "util-linux", "e2fsprogs", // what kubelet calls
	"containerd", "runc", "containernetworking-plugins", "libseccomp2", "pigz", // the container runtime
	"bash", "ca-certificates", "curl", "jq", "procps", // what kind calls
}

// rootKey names a root file system by what it is made from.
func (b *builder) rootKey() string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{b.suite, b.mirror}, packages...), "\n")))
	return b.suite + "-" + hex.EncodeToString(sum[:6])
}

// rootFileSystem is the path of a tar with the packages installed. It is made once and kept: removing it is how to get newer
// packages.
func (b *builder) rootFileSystem(ctx context.Context) (string, error) {
	path := filepath.Join(b.cache, b.rootKey()+".tar")
	if _, err := os.Stat(path); err == nil {
		b.say("  kept from an earlier build: %s", path)
		return path, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("looking for the root file system: %w", err)
	}
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return "", errors.New("mmdebstrap is not on PATH: apt-get install mmdebstrap")
	}
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	half := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer os.Remove(half)
	args := []string{"--variant=minbase", "--format=tar", "--include=" + strings.Join(packages, ","), b.suite, half}
	if b.mirror != "" {
		args = append(args, b.mirror)
	}
	if _, err := output(ctx, "mmdebstrap", args...); err != nil {
		return "", fmt.Errorf("making the root file system: %w", err)
	}
	if err := os.Rename(half, path); err != nil {
		return "", fmt.Errorf("keeping the root file system: %w", err)
	}
	return path, nil
}
