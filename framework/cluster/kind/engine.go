package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const (
	// clusterLabel is kind's own label of a node container; its value is the cluster's name.
	clusterLabel = "io.x-k8s.kind.cluster"
	// inputsLabel is on every image that hack/nodeimage built.
	inputsLabel = "dev.rollcall.inputs"
	// answerWithin bounds each of Available's questions: to the engine, and to a registry.
	answerWithin = 2 * time.Second
	// killAfter is what an interrupted docker client gets to end by itself.
	killAfter = 2 * time.Second
)

// Available says in one line why no kind cluster can be made with a node image: no container engine answers, or the image is neither
// there nor in a registry that answers. It takes about two seconds at most for each.
func Available(ctx context.Context, image string) error {
	if _, err := exec.LookPath("docker"); err != nil {
		return errors.New("no container engine: no docker on PATH (on Debian: go run ./hack/engine start)")
	}
	engine, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if _, err := docker(engine, "version", "--format", "{{.Server.Version}}"); err != nil {
		return fmt.Errorf("no container engine answers (on Debian: go run ./hack/engine start): %w", err)
	}
	if present, err := docker(engine, "image", "ls", "--quiet", image); err != nil {
		return fmt.Errorf("asking for the node image %s: %w", image, err)
	} else if present != "" {
		return nil
	}
	registry, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if _, err := docker(registry, "manifest", "inspect", image); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the node image %s is not there and cannot be pulled (make node-image builds it)", image)
	}
	return nil
}

// ownImage says whether hack/nodeimage built the image. An image that is yet to be pulled is not ours.
func ownImage(ctx context.Context, image string) (bool, error) {
	id, err := docker(ctx, "image", "ls", "--quiet", "--filter", "label="+inputsLabel, image)
	if err != nil {
		return false, fmt.Errorf("asking where the node image %s comes from: %w", image, err)
	}
	return id != "", nil
}

// containers are the ids of the cluster's node containers, running or not.
func (p *Provider) containers(ctx context.Context) ([]string, error) {
	out, err := docker(ctx, "ps", "--all", "--quiet", "--filter", "label="+clusterLabel+"="+p.config.Name)
	if err != nil {
		return nil, fmt.Errorf("listing the containers of kind cluster %q: %w", p.config.Name, err)
	}
	return strings.Fields(out), nil
}

// removeContainers removes the cluster's containers with their volumes. None is no error.
func (p *Provider) removeContainers(ctx context.Context) error {
	containers, err := p.containers(ctx)
	if err != nil || len(containers) == 0 {
		return err
	}
	_, err = docker(ctx, append([]string{"rm", "--force", "--volumes"}, containers...)...)
	if err == nil {
		return nil
	}
	// Somebody else may be removing the same ones: what counts is whether they are gone.
	if left, listErr := p.containers(ctx); listErr == nil && len(left) == 0 {
		return nil
	}
	return fmt.Errorf("removing the containers of kind cluster %q: %w", p.config.Name, err)
}

// docker runs the engine's client and returns what it printed, trimmed. Its error is one line.
func docker(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = killAfter
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		said := strings.Join(strings.Fields(stderr.String()), " ")
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, said)
	}
	return strings.TrimSpace(stdout.String()), nil
}
