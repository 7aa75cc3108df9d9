package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// killAfter is what an interrupted command gets to end by itself.
const killAfter = 5 * time.Second

// docker runs the docker client and returns what it printed, trimmed.
func docker(ctx context.Context, args ...string) (string, error) {
	return output(ctx, "docker", args...)
}

// dockerWith is docker with a standard input.
func dockerWith(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	return outputWith(ctx, stdin, "docker", args...)
}

// dockerExec runs a shell script in a container.
func dockerExec(ctx context.Context, container string, script io.Reader) error {
	_, err := dockerWith(ctx, script, "exec", "--interactive", container, "bash", "-s")
	return err
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	return outputWith(ctx, nil, name, args...)
}

// outputWith runs a command; its error ends with what the command said.
func outputWith(ctx context.Context, stdin io.Reader, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	cmd.WaitDelay = killAfter
	if err := cmd.Run(); err != nil {
		what := name + " " + strings.Join(args[:min(2, len(args))], " ")
		if ctx.Err() != nil { // what an interrupted command says is noise
			return "", fmt.Errorf("%s: %w", what, ctx.Err())
		}
		return "", fmt.Errorf("%s: %w: %s", what, err, lastLines(stderr.String(), 5))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// dockerFed runs docker with what write writes as its standard input, as it is written.
func dockerFed(ctx context.Context, write func(io.Writer) error, args ...string) (string, error) {
	reader, writer := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(writer)
		writer.CloseWithError(err) // nil reads as the end
		written <- err
	}()
	out, err := dockerWith(ctx, reader, args...)
	_ = reader.Close() // a docker that ended early must not leave the writer waiting
	if writeErr := <-written; err == nil || !errors.Is(writeErr, io.ErrClosedPipe) {
		err = errors.Join(err, writeErr)
	}
	return out, err
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
