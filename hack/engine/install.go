package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// What a daemon that can run kind's nodes needs, of which docker.io brings containerd and runc, and what make node-image does.
var (
	daemon  = []string{"docker.io", "iptables"}
	builder = []string{"mmdebstrap"}
)

// install gets the packages of what is not there. A client that is already on PATH stays the one in use: newer clients work with Debian's
// daemon. Where there is a daemon and no apt-get, make node-image says for itself what it lacks.
func install(ctx context.Context) error {
	var packages []string
	if !onPath("dockerd") || !onPath("docker") || !onPath("runc") || !onPath("iptables") {
		packages = append(packages, daemon...)
	}
	if !onPath("mmdebstrap") {
		packages = append(packages, builder...)
	}
	if !onPath("apt-get") {
		if slices.Contains(packages, daemon[0]) {
			return errors.New("no dockerd on PATH and no apt-get to install it with: install a container engine yourself")
		}
		return nil
	}
	if len(packages) == 0 {
		return nil
	}
	say("installing %s from Debian's packages", strings.Join(packages, ", "))
	for _, args := range [][]string{
		{"update", "-q"},
		append([]string{"install", "-q", "-y", "--no-install-recommends"}, packages...),
	} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// buildWrapper compiles runc-bounded into the engine's folder and returns its path. The go command does not link twice what has
// not changed.
func (e engine) buildWrapper(ctx context.Context) (string, error) {
	path := filepath.Join(e.dir, "runc-bounded")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "rollcall.dev/hack/engine/runc-bounded")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the runtime wrapper (run this in the repository): %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return path, nil
}

// lacksCapabilities says whether the kernel knows a capability that this process can never have.
func lacksCapabilities() (bool, error) {
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return false, fmt.Errorf("reading which capabilities the kernel knows: %w", err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false, fmt.Errorf("reading this process's capabilities: %w", err)
	}
	return lacks(string(last), string(status))
}

func lacks(last, status string) (bool, error) {
	number, err := strconv.Atoi(strings.TrimSpace(last))
	if err != nil {
		return false, fmt.Errorf("reading the number of the last capability: %w", err)
	}
	all := uint64(1)<<(number+1) - 1
	for line := range strings.Lines(status) {
		if value, found := strings.CutPrefix(line, "CapBnd:"); found {
			bounds, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				return false, fmt.Errorf("reading the capability bounding set: %w", err)
			}
			return bounds&all != all, nil
		}
	}
	return false, errors.New("no CapBnd line in this process's status")
}

func onPath(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}
