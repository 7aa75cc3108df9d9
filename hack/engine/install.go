package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// packages are what a daemon that can run kind's nodes needs; docker.io brings containerd and runc.
var packages = []string{"docker.io", "iptables"}

// install gets the packages unless dockerd and its client are there. A client that is already on PATH stays the one in use: newer
// clients work with Debian's daemon.
func install(ctx context.Context) error {
	if onPath("dockerd") && onPath("docker") && onPath("runc") && onPath("iptables") {
		return nil
	}
	if !onPath("apt-get") {
		return errors.New("no dockerd on PATH and no apt-get to install it with: install a container engine yourself")
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
