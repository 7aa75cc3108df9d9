package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"rollcall.dev/fixtures/standin/imagearchive"
	"rollcall.dev/framework/cluster/kind"
)

// shell is Debian's busybox, compiled so that it needs nothing else: upstream's surge spec has its pods' checks run a shell.
const shell = "busybox"

// tools are what these checks call.
var tools = []string{"sh", "cat", "sleep", "touch"}

// loadPeerImages brings to kind's nodes an image that stands in for those that upstream's DaemonSets name. Simulated nodes need none.
func (s *scene) loadPeerImages(ctx context.Context) error {
	program, err := staticShell()
	if err != nil {
		return err
	}
	binary, err := peerBinary()
	if err != nil {
		return err
	}
	names, err := exec.CommandContext(ctx, binary, "--list-images").Output()
	if err != nil {
		return fmt.Errorf("asking upstream's suite for its images: %w", err)
	}
	archive, err := os.CreateTemp("", "rollcall-peer-*.tar")
	if err != nil {
		return fmt.Errorf("making room for an image: %w", err)
	}
	defer func() { archive.Close(); os.Remove(archive.Name()) }()
	if err := imagearchive.Write(archive, peerImage(program, strings.Fields(string(names)))); err != nil {
		return err
	}
	return kind.Open(s.state).LoadImageArchive(ctx, archive.Name())
}

// peerImage runs until it is asked to end, as upstream's does, and has a folder for what its checks write.
func peerImage(program string, tags []string) imagearchive.Image {
	image := imagearchive.Image{
		Tags: tags, Env: []string{"PATH=/bin"},
		Entrypoint: []string{"/bin/sh", "-c", "trap 'exit 0' TERM; sleep 2147483647 & wait"},
		Files:      []imagearchive.File{{Path: "/bin/" + shell, Mode: 0o755, Source: program}, {Path: "/var/tmp/.keep", Mode: 0o644}},
	}
	for _, name := range tools {
		image.Files = append(image.Files, imagearchive.File{Path: "/bin/" + name, Link: "/bin/" + shell})
	}
	return image
}

// staticShell is where the shell is on this machine.
func staticShell() (string, error) {
	advice := "upstream's specs run a shell in their pods on kind; apt-get install busybox-static gets one"
	path, err := exec.LookPath(shell)
	if err != nil {
		return "", errors.New(advice)
	}
	program, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w; %s", path, err, advice)
	}
	defer func() { _ = program.Close() }()
	if slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return "", fmt.Errorf("%s needs libraries, which an image of its own has not; %s", path, advice)
	}
	return path, nil
}
