package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/cluster/existing"
	"rollcall.dev/framework/cluster/provider"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/report"
	"rollcall.dev/hack/kubernetes"
)

// specsFailed says that the suite ran and did not pass. Its reports say why.
type specsFailed struct{ error }

// runE2E is the main job. Whatever it makes is gone when it returns.
func runE2E(ctx context.Context, s settings) (err error) {
	if s.Seed == 0 {
		s.Seed = 1 + rand.Int64N(1<<31-1)
	}
	stage, err := s.begin(ctx)
	if err != nil {
		return refused{err}
	}
	defer func() { err = errors.Join(err, stage.release()) }()

	p, artifacts := stage.cluster, stage.artifacts
	running, controllerEnded := ctx, func() error { return nil }
	if s.Controller != "" {
		running, controllerEnded, err = startController(ctx, s, p.State(), filepath.Join(artifacts, "logs", "controller.log"))
		if err != nil {
			return err
		}
	}
	if err := stage.suite.wait(); err != nil {
		return errors.Join(err, controllerEnded())
	}
	if s.Procs == 0 {
		s.Procs = defaultProcs(p.State().Provider)
	}
	calm := func() error { return nil }
	if s.Beside != nil {
		running, calm = s.Beside(running, p)
	}
	failed := runSuite(running, s, p.State(), artifacts)
	if err := errors.Join(calm(), controllerEnded()); err != nil {
		return err
	}
	if ctx.Err() != nil {
		if left := (notRemoved{}); errors.As(failed, &left) {
			return errors.Join(context.Cause(ctx), left)
		}
		return context.Cause(ctx)
	}
	if logs := filepath.Join(artifacts, "logs"); failed != nil {
		if err := p.ExportLogs(context.WithoutCancel(ctx), logs); err != nil {
			say("collecting the cluster's logs: %v", err)
		}
	}
	return failed
}

// stage is what a run needs.
type stage struct {
	cluster   cluster.Provider
	artifacts string
	suite     *compilation // may still be under way
	release   func() error // to be called when the run is over
}

// begin does what comes before a run. An earlier one's report is deleted last, when nothing is left for which this one could be refused.
func (s *settings) begin(ctx context.Context) (_ *stage, err error) {
	where, err := choose(ctx, *s)
	if err != nil {
		return nil, err
	}
	artifacts, err := claimArtifacts(s.Artifacts)
	if err != nil {
		return nil, err
	}
	// The suite is compiled while the cluster starts: neither waits for the other, unless there is a selection that may be wrong.
	suite := startCompiling(ctx)
	release := func() error {
		suite.stop()
		return nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, release())
		}
	}()
	if s.Labels != "" || s.Focus != "" {
		if err := suite.wait(); err != nil {
			return nil, err
		}
		if _, err := selection(ctx, *s); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	p, remove, err := acquire(ctx, *s, where)
	if err != nil {
		return nil, err
	}
	release = func() error {
		suite.stop()
		return remove()
	}
	if !s.Reuse && p.State().Provider != "existing" {
		s.ClusterUp = time.Since(began)
	}
	if _, err := cluster.Examine(ctx, p.State(), s.Shard != nil); err != nil {
		return nil, err
	}
	if err := report.EmptyFolder(artifacts); err != nil {
		return nil, err
	}
	return &stage{cluster: p, artifacts: artifacts, suite: suite, release: release}, nil
}

// acquire gives the cluster to run on and what to call when it is no longer needed.
func acquire(ctx context.Context, s settings, where choice) (cluster.Provider, func() error, error) {
	if where.staying != nil {
		return where.staying, func() error { return nil }, nil
	}
	if where.provider == "existing" {
		return openExisting(ctx, s)
	}
	name := fmt.Sprintf("rollcall-%06x", rand.Uint32N(1<<24))
	p, err := makeCluster(ctx, s, where.provider, name, os.Getpid())
	if err != nil {
		return nil, nil, err
	}
	return p, func() error { return removeCluster(p, name) }, nil
}

// openStaying opens the cluster of make cluster-up.
func openStaying(s settings) (cluster.Provider, error) {
	state, err := cluster.LoadState(statePath(stayingName(s)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("REUSE=1: there is no cluster to reuse; make cluster-up makes one")
	}
	if err != nil {
		return nil, fmt.Errorf("REUSE=1: %w", err)
	}
	return provider.Open(state)
}

// openExisting checks the kubeconfig and finds a kubectl. What it returns besides is to be called when the cluster is no longer needed.
func openExisting(ctx context.Context, s settings) (cluster.Provider, func() error, error) {
	kubeconfig, release, err := existingKubeconfig()
	if err != nil {
		return nil, nil, err
	}
	state, err := existing.Describe(ctx, kubeconfig, s.Shard != nil)
	if err == nil {
		state.Kubectl, err = kubectlFor(ctx, s)
	}
	if err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return existing.Open(state), release, nil
}

// kubectlFor is a kubectl for a cluster that somebody else made. The version that counts is the cluster's own.
func kubectlFor(ctx context.Context, s settings) (string, error) {
	if prebuilt != "" {
		return program(kubectlBinary), nil
	}
	binaries, err := kubernetes.Build(ctx, kubernetes.Options{
		Version: s.Version, Set: kubernetes.Kubectl, Source: "hack/kubernetes", Cache: cacheDir, Progress: os.Stderr,
	})
	return filepath.Join(binaries, kubectlBinary), err
}

// existingKubeconfig is KUBECONFIG or, in a pod without one, a kubeconfig for its service account, which release removes.
func existingKubeconfig() (path string, release func() error, err error) {
	keep := func() error { return nil }
	kubeconfig := os.Getenv("KUBECONFIG")
	if kubeconfig == "" {
		dir, err := os.MkdirTemp("", "rollcall-pod-")
		if err != nil {
			return "", nil, err
		}
		release := func() error { return os.RemoveAll(dir) }
		path, err := existing.ServiceAccountKubeconfig(dir)
		if err == nil {
			return path, release, nil
		}
		if err := release(); err != nil {
			return "", nil, err
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return "", nil, fmt.Errorf("there is no KUBECONFIG, and the pod's service account cannot be used: %w", err)
		}
	}
	if err := existing.CheckKubeconfig(kubeconfig); err != nil {
		return "", nil, err
	}
	return kubeconfig, keep, nil
}

// compilation is the suite being compiled beside something else.
type compilation struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once it is done
}

func startCompiling(ctx context.Context) *compilation {
	ctx, cancel := context.WithCancel(ctx)
	c := &compilation{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = compileSuite(ctx)
	}()
	return c
}

// wait returns when the suite can be run, or why it cannot.
func (c *compilation) wait() error {
	<-c.done
	return c.err
}

// stop ends a compiler that nobody waits for any more.
func (c *compilation) stop() {
	c.cancel()
	<-c.done
}

// compileSuite builds the suite and Ginkgo's command, both of the version that go.mod names. Go does nothing where they are current, and
// there is nothing to do where they came with this program.
func compileSuite(ctx context.Context) error {
	if prebuilt != "" {
		return nil
	}
	for _, args := range [][]string{
		{"test", "-c", "-o", program(suiteBinary), "./suites"},
		{"build", "-o", program(ginkgoBinary), "github.com/onsi/ginkgo/v2/ginkgo"},
	} {
		cmd := exec.Command("go", args...)
		var output strings.Builder
		cmd.Stdout, cmd.Stderr = &output, &output
		if err := runChild(ctx, cmd, 10*time.Second); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("compiling the suite: %w\n%s", err, output.String())
		}
	}
	return nil
}

// runSuite runs the specs and returns nil only if all that ran passed and something ran.
func runSuite(ctx context.Context, s settings, state cluster.State, artifacts string) error {
	handle := filepath.Join(artifacts, "cluster.json")
	if err := state.Save(handle); err != nil {
		return err
	}
	defer os.Remove(handle)
	flags := []string{
		"-test.run=^TestSuites$", // the package has tests of its own
		"-rollcall.cluster=" + handle,
		"-rollcall.artifacts=" + artifacts,
		"-rollcall.deviations=" + s.Deviations,
		"-rollcall.controller=" + s.Controller,
		"-rollcall.commit=" + commit(ctx),
		"-rollcall.reproduce=" + reproduce(s, state, os.Getenv),
		"-rollcall.timeout-factor=" + strconv.FormatFloat(s.Timeouts, 'g', -1, 64),
	}
	flags = append(flags, s.shardFlags()...)
	if s.CutWatches > 0 {
		flags = append(flags, "-rollcall.cut-watches="+s.CutWatches.String())
	}
	if s.Restart.every > 0 {
		flags = append(flags, "-rollcall.disturbed="+string(history.ControllerRestarted))
	}
	if err := writePlan(ctx, s, flags); err != nil {
		return err
	}
	if err := addToPlan(artifacts, s, state); err != nil {
		return err
	}
	if err := s.checkShare(artifacts); err != nil {
		return err
	}
	args := append(ginkgoArguments(s, artifacts), program(suiteBinary), "--")
	cmd := exec.Command(program(ginkgoBinary), append(args, flags...)...)
	cmd.Stdout, cmd.Stderr = heedless{os.Stdout}, heedless{os.Stderr}
	cmd.WaitDelay = 10 * time.Second // for the output of what outlives Ginkgo
	suiteErr := runChild(ctx, cmd, s.patience(state))
	left := leftBehind(state, artifacts, suiteErr)
	if err := writeReport(s, artifacts); err != nil {
		return errors.Join(err, left)
	}
	if suiteErr != nil {
		return errors.Join(specsFailed{fmt.Errorf("the suite did not pass: %w", suiteErr)}, left)
	}
	return left
}

// patience is how long the suite may take to clean up after an interrupt: where its cluster stays, as long as the clean-up of one spec and then of
// the run may take.
func (s settings) patience(state cluster.State) time.Duration {
	if state.PID != 0 {
		return 3 * time.Minute
	}
	return 3*time.Minute + time.Duration(float64(5*time.Minute)*s.Timeouts)
}

// leftBehind says what the suite could not remove from a cluster that stays, nil if there is nothing of the kind.
func leftBehind(state cluster.State, artifacts string, suiteErr error) error {
	if state.PID != 0 {
		return nil // it goes away with the cluster
	}
	if errors.Is(suiteErr, errKilled) {
		return notRemoved{fmt.Errorf("the suite had no time left to remove all that it made: %w (make sweep does it)", errKilled)}
	}
	if what := report.LeftBehind(filepath.Join(artifacts, report.PartsFolder)); what != "" {
		return notRemoved{fmt.Errorf("removing what the run made: %s (make sweep tries again)", what)}
	}
	return nil
}

// writePlan has the suite note what it is going to run, so that a report can name what did not.
func writePlan(ctx context.Context, s settings, flags []string) error {
	args := append([]string{
		"-rollcall.plan", "-ginkgo.seed=" + strconv.FormatInt(s.Seed, 10),
		"-ginkgo.label-filter=" + s.Labels, "-ginkgo.focus=" + s.Focus,
	}, flags...)
	cmd := exec.Command(program(suiteBinary), args...)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := runChild(ctx, cmd, 10*time.Second); err != nil {
		return fmt.Errorf("planning the run: %w\n%s", err, output.String())
	}
	return nil
}

// writeReport makes the report of what the suite left, also where it was killed, and says in a few lines what it says.
func writeReport(s settings, artifacts string) error {
	r, err := report.SaveAll(filepath.Join(artifacts, report.PartsFolder), artifacts)
	if r == nil {
		return fmt.Errorf("the suite ended before its first spec: %w", err)
	}
	if err != nil {
		return err
	}
	summarize(r, artifacts)
	if r.Summary.Result == report.Failure && !s.onlySkipped(r) {
		return specsFailed{errors.New(r.Summary.Reason)}
	}
	return nil
}

func summarize(r *report.ConformanceReport, artifacts string) {
	for _, line := range r.Digest() {
		say("%s", line)
	}
	say("report: %s, and as a page %s", filepath.Join(artifacts, "report.yaml"), filepath.Join(artifacts, "index.html"))
}

// commit is the source's, with "-dirty" behind it where files were changed, "" outside a git checkout.
func commit(ctx context.Context) string {
	if builtFrom != "" {
		return builtFrom
	}
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// limit is how long the suite may take, with all its repetitions.
func (s settings) limit() time.Duration {
	once := 2*time.Hour + time.Duration(s.Nodes)*3*time.Second
	return time.Duration(min(float64(once)*s.Timeouts*float64(s.Repeat), float64(math.MaxInt64/2)))
}

func ginkgoArguments(s settings, artifacts string) []string {
	args := []string{
		"--procs=" + strconv.Itoa(s.Procs),
		"--seed=" + strconv.FormatInt(s.Seed, 10),
		"--keep-going", "--timeout=" + s.limit().String(),
		"--output-dir=" + artifacts, "--junit-report=junit.xml",
		"--silence-skips", "--label-filter=" + s.Labels,
	}
	if s.Focus != "" {
		args = append(args, "--focus="+s.Focus)
	}
	if s.FailFast {
		args = append(args, "--fail-fast")
	}
	if s.Repeat > 1 {
		args = append(args, "--repeat="+strconv.Itoa(s.Repeat-1))
	}
	if s.Verbose {
		args = append(args, "-v")
	}
	return args
}
