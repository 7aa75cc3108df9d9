package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/onsi/ginkgo/v2/types"
)

// source is the module that upstream's suite is built in, from the version that a cluster is made of by default.
const source = "hack/kubernetes/v1.36-e2e"

// daemonSets are upstream's specs of DaemonSets and of the revisions that their controller keeps, by name. The suite has no others of them but
// those that restart kubelets over SSH.
const daemonSets = `\[sig-apps\] (Daemon set|ControllerRevision) `

func peerBinary() (string, error) { return filepath.Abs(filepath.Join(cache, "e2e.test")) }

// build compiles upstream's suite: some minutes the first time.
func build(ctx context.Context, _ options) error {
	binary, err := peerBinary()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	say("building upstream's specs from source; the first time takes some minutes")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-trimpath", "-o", binary, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building upstream's specs: %w\n%s", err, out)
	}
	return nil
}

// outcome is what became of one spec of upstream's.
type outcome struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Passed  bool    `json:"passed"`
	Failure string  `json:"failure,omitempty"`
}

// runUpstream runs those of upstream's specs whose names match, and returns what became of each, and the processor seconds that the suite itself used.
// Where limit is not 0 it is interrupted after that time.
func runUpstream(ctx context.Context, s *scene, focus string, seed int64, limit time.Duration, log string) ([]outcome, float64, error) {
	binary, err := peerBinary()
	if err != nil {
		return nil, 0, err
	}
	written := filepath.Join(filepath.Dir(binary), "upstream-report.json")
	if err := os.RemoveAll(written); err != nil { // an earlier run's says nothing of this one
		return nil, 0, err
	}
	args := []string{
		"--provider=skeleton", "--kubeconfig=" + s.state.Kubeconfig, "--kubectl-path=" + s.state.Kubectl,
		"--non-blocking-taints=node-role.kubernetes.io/control-plane," + fence, "--dump-logs-on-failure=false",
		"--ginkgo.focus=" + focus, "--ginkgo.no-color", fmt.Sprintf("--ginkgo.seed=%d", seed),
		"--ginkgo.json-report=" + written,
	}
	if limit > 0 {
		args = append(args, "--ginkgo.timeout="+limit.String(), "--ginkgo.grace-period=10s")
		// A spec that does not heed the interrupt is not waited for.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit+90*time.Second)
		defer cancel()
	}
	output, err := os.Create(log)
	if err != nil {
		return nil, 0, err
	}
	defer output.Close()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Stdout, cmd.Stderr = output, output
	runErr := cmd.Run()
	var exit *exec.ExitError
	if runErr != nil && !errors.As(runErr, &exit) {
		return nil, 0, fmt.Errorf("running upstream's specs: %w", runErr)
	}
	cpu := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	outcomes, err := readOutcomes(written)
	if err == nil && len(outcomes) == 0 {
		err = errors.New("no spec ran")
	}
	if err != nil {
		return nil, cpu, fmt.Errorf("upstream's specs: %w; see %s", err, log)
	}
	return outcomes, cpu, nil
}

func readOutcomes(path string) ([]outcome, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var reports []types.Report
	if err := json.Unmarshal(data, &reports); err != nil {
		return nil, err
	}
	var all []outcome
	for _, r := range reports {
		for _, s := range r.SpecReports {
			if s.LeafNodeType != types.NodeTypeIt && s.State.Is(types.SpecStateFailureStates) {
				return nil, fmt.Errorf("%s failed: %s", s.LeafNodeType, s.Failure.Message)
			}
			if s.LeafNodeType != types.NodeTypeIt || s.State.Is(types.SpecStateSkipped|types.SpecStatePending) {
				continue
			}
			all = append(all, outcome{Name: bare(s.LeafNodeText), Seconds: s.RunTime.Seconds(), Passed: s.State.Is(types.SpecStatePassed), Failure: failure(s)})
		}
	}
	return all, nil
}

// failure is what a spec says that did not pass, and what it was about where it only says that time was over.
func failure(s types.SpecReport) string {
	text := s.Failure.Message
	if s.State.Is(types.SpecStateTimedout | types.SpecStateInterrupted) {
		for _, e := range s.SpecEvents.WithType(types.SpecEventByStart) {
			if e.TimelineLocation.Order < s.Failure.TimelineLocation.Order { // what comes after is clean-up
				text = "out of time: " + e.Message
			}
		}
	}
	return firstSentence(text)
}
