// Package kubectl runs the real kubectl and keeps what it printed: several of the behaviours are about its words and exit codes.
package kubectl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Kubectl is a kubectl that is aimed at one cluster.
type Kubectl struct {
	// Path of the program.
	Path string
	// Kubeconfig and Context of the cluster; an empty Context is the current one.
	Kubeconfig, Context string
	// CacheDir is where it keeps discovery documents, so that nothing appears in the home directory.
	CacheDir string
	// Begin, if not nil, is called before each run, which waits for it, and what it returns when the run is over.
	Begin func(context.Context) (end func(), err error)
	// Keep, if not nil, gets every result: for a transcript.
	Keep func(Result)
}

// Result is one run of kubectl.
type Result struct {
	// Args are those of the caller: what a user would type after "kubectl".
	Args []string
	// Stdout and Stderr are what was printed, byte for byte.
	Stdout, Stderr string
	ExitCode       int
	Duration       time.Duration
}

// Option changes one run.
type Option func(*exec.Cmd)

// Editor has KUBE_EDITOR run a command line on the buffer of "kubectl edit"; kubectl appends the file's name to it.
func Editor(command string) Option {
	return func(c *exec.Cmd) { c.Env = append(c.Env, "KUBE_EDITOR="+command) }
}

// Stdin is what kubectl reads with "-f -".
func Stdin(text string) Option {
	return func(c *exec.Cmd) { c.Stdin = strings.NewReader(text) }
}

// Run runs kubectl with args and returns what it printed, whatever its exit code. The error is not nil only where kubectl
// could not be run to its end: no such program, or ctx ended.
func (k *Kubectl) Run(ctx context.Context, args []string, options ...Option) (Result, error) {
	all := []string{"--kubeconfig=" + k.Kubeconfig}
	if k.Context != "" {
		all = append(all, "--context="+k.Context)
	}
	if k.CacheDir != "" {
		all = append(all, "--cache-dir="+k.CacheDir)
	}
	cmd := exec.CommandContext(ctx, k.Path, append(all, args...)...)
	// KUBECTL_… variables of the user's shell would change what is printed.
	cmd.Env = append(cleanEnvironment(), "KUBECONFIG="+k.Kubeconfig)
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	for _, o := range options {
		o(cmd)
	}
	if k.Begin != nil {
		end, err := k.Begin(ctx)
		if err != nil {
			return Result{Args: args}, fmt.Errorf("waiting to run %s: %w", Result{Args: args}.Command(), err)
		}
		defer end()
	}
	began := time.Now()
	err := cmd.Run()
	result := Result{Args: args, Stdout: stdout.String(), Stderr: stderr.String(), ExitCode: cmd.ProcessState.ExitCode(), Duration: time.Since(began)}
	if k.Keep != nil {
		k.Keep(result)
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return result, fmt.Errorf("%s was ended after %s: %w; it had printed:\n%s", result.Command(), result.Duration.Round(time.Millisecond), context.Cause(ctx), result.Stdout+result.Stderr)
	case errors.As(err, &exit):
		return result, nil
	case err != nil:
		return result, fmt.Errorf("running %s: %w", result.Command(), err)
	}
	return result, nil
}

// Command is what a user would have typed.
func (r Result) Command() string {
	quoted := []string{"kubectl"}
	for _, a := range r.Args {
		if a == "" || strings.ContainsAny(a, " \t\n'\"{}$*") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		quoted = append(quoted, a)
	}
	return strings.Join(quoted, " ")
}

// String shows the run as a terminal would.
func (r Result) String() string {
	return fmt.Sprintf("$ %s\n%s%s(exit code %d, %s)", r.Command(), r.Stdout, r.Stderr, r.ExitCode, r.Duration.Round(time.Millisecond))
}

func cleanEnvironment() []string {
	var kept []string
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "KUBECTL_") || strings.HasPrefix(e, "KUBE_EDITOR=") || strings.HasPrefix(e, "KUBECONFIG=") {
			continue
		}
		kept = append(kept, e)
	}
	return kept
}
