package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/report"
)

// measurement is one run of one suite.
type measurement struct {
	Seconds    float64   `json:"seconds"`
	Specs      int       `json:"specs"`
	Failed     []outcome `json:"failed,omitempty"`
	Behaviours []string  `json:"behaviours"`
	// Whole are those of them that are not judged in part only.
	Whole []string `json:"whole"`
	API   usage    `json:"api"`
	// Suite is the suite's own processor seconds, with all that it starts.
	Suite float64 `json:"suite"`
	// Load is how many processes wanted a processor when it began and when it ended, by Linux' average of a minute.
	Load [2]float64 `json:"load"`
}

// round is both suites, one after the other, on the same cluster.
type round struct {
	Upstream *measurement `json:"upstream,omitempty"`
	Rollcall *measurement `json:"rollcall,omitempty"`
}

func (r round) complete() bool { return r.Upstream != nil && r.Rollcall != nil }

// measurements are what make bench-peer keeps of a provider.
type measurements struct {
	Machine machine `json:"machine"`
	Nodes   int     `json:"nodes"`
	Version string  `json:"version"`
	// Idle is what the API server does in a second when nobody asks anything of it: kubelets and controllers have their leases.
	Idle   usage   `json:"idle"`
	Rounds []round `json:"rounds"`
}

type machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	MemoryGiB int    `json:"memoryGiB"`
	Go        string `json:"go"`
	Commit    string `json:"commit"`
}

// idling is how long the cluster is watched doing nothing.
const idling = 20 * time.Second

// rounds runs what is missing of ROUNDS rounds.
func rounds(ctx context.Context, o options) error {
	var m measurements
	if err := load(o.roundsPath(), &m); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(m.complete()) >= o.rounds {
		return nil
	}
	s, err := setTheScene(ctx, o.provider, true)
	if err != nil {
		return err
	}
	if !o.keep {
		defer strike()
	}
	if o.provider == "kind" {
		if err := s.loadPeerImages(ctx); err != nil {
			return err
		}
	}
	if len(m.Rounds) == 0 {
		if err := describe(ctx, s, &m); err != nil {
			return err
		}
	}
	began := time.Now()
	for len(m.complete()) < o.rounds {
		if time.Since(began) > o.slice {
			return fmt.Errorf("%s are over: %d of %d rounds are complete, and the same command goes on", o.slice, len(m.complete()), o.rounds)
		}
		if n := len(m.Rounds); n == 0 || m.Rounds[n-1].complete() {
			m.Rounds = append(m.Rounds, round{})
		}
		n := len(m.Rounds)
		r, seed := &m.Rounds[n-1], o.seed+int64(n-1)
		// Who goes first finds the cluster that the other has not used yet: they take turns.
		name, measure, into := "upstream", s.measureUpstream, &r.Upstream
		if r.Rollcall == nil && (n%2 == 0 || r.Upstream != nil) {
			name, measure, into = "Rollcall", s.measureRollcall, &r.Rollcall
		}
		done, err := measure(ctx, seed)
		if err != nil {
			return err
		}
		*into = &done
		say("round %d, %s: %d specs in %.0f s, %d failed", n, name, done.Specs, done.Seconds, len(done.Failed))
		if err := save(o.roundsPath(), m); err != nil {
			return err
		}
	}
	return nil
}

// complete are the rounds in which both suites have run.
func (m measurements) complete() (all []round) {
	for _, r := range m.Rounds {
		if r.complete() {
			all = append(all, r)
		}
	}
	return all
}

// describe notes what is measured on, and what the cluster does when left alone.
func describe(ctx context.Context, s *scene, m *measurements) error {
	m.Machine = thisMachine(ctx)
	nodes, err := s.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	m.Nodes, m.Version = len(nodes.Items), s.state.Version
	before, err := s.look(ctx)
	if err != nil {
		return err
	}
	if err := after(ctx, idling); err != nil {
		return err
	}
	now, err := s.look(ctx)
	if err != nil {
		return err
	}
	m.Idle = now.since(before).times(1 / idling.Seconds())
	return nil
}

func (u usage) times(factor float64) usage {
	r := usage{Verbs: map[string]float64{}, Kinds: map[string]float64{}, CPU: u.CPU * factor}
	for k, n := range u.Verbs {
		r.Verbs[k] = n * factor
	}
	for k, n := range u.Kinds {
		r.Kinds[k] = n * factor
	}
	return r
}

func (s *scene) measureUpstream(ctx context.Context, seed int64) (m measurement, err error) {
	open, err := s.fenceOff(ctx, peerNodes)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, open()) }()
	known, err := loadBehaviours()
	if err != nil {
		return m, err
	}
	var outcomes []outcome
	err = s.measure(ctx, &m, func() (err error) {
		outcomes, m.Suite, err = runUpstream(ctx, s, daemonSets, seed, 0, filepath.Join(cache, "upstream.log"))
		return err
	})
	for _, out := range outcomes {
		m.Specs++
		if !out.Passed {
			m.Failed = append(m.Failed, out)
		}
		asserted, ok := known[out.Name]
		if !ok {
			return m, fmt.Errorf("behaviours.yaml says nothing of upstream's spec %q", out.Name)
		}
		m.Behaviours = append(m.Behaviours, asserted.all()...)
		m.Whole = append(m.Whole, asserted.Asserts...)
	}
	m.Behaviours, m.Whole = distinct(m.Behaviours), distinct(m.Whole)
	return m, err
}

func (s *scene) measureRollcall(ctx context.Context, seed int64) (m measurement, err error) {
	artifacts := filepath.Join(cache, "artifacts")
	err = s.measure(ctx, &m, func() error {
		cmd := exec.CommandContext(ctx, rollcall, "e2e")
		cmd.Env = append(os.Environ(), own, "REUSE=1", "LABELS="+selection, "FOCUS=", "CONTROLLER=", "REPEAT=", "PROVIDER=", "ARTIFACTS="+artifacts, fmt.Sprintf("SEED=%d", seed))
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		out, err := cmd.CombinedOutput()
		log := filepath.Join(cache, "rollcall.log")
		if err := os.WriteFile(log, out, 0o644); err != nil {
			return err
		}
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1: specs have failed, which is counted
			return fmt.Errorf("running the suite: %w; see %s", err, log)
		}
		m.Suite = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		return nil
	})
	if err != nil {
		return m, err
	}
	r, err := report.Load(filepath.Join(artifacts, "report.yaml"))
	if err != nil {
		return m, err
	}
	for _, spec := range r.Specs {
		switch spec.Verdict {
		case report.Skipped, report.NotRun:
			continue
		case report.Passed, report.Deviation:
		default:
			m.Failed = append(m.Failed, outcome{Name: spec.Name, Failure: spec.Reason})
		}
		m.Specs++
	}
	for _, b := range r.Behaviours {
		if b.Verdict == report.Passed || b.Verdict == report.Deviation || b.Verdict == report.Failed {
			m.Behaviours = append(m.Behaviours, b.ID)
		}
	}
	m.Whole = m.Behaviours
	return m, nil
}

func distinct(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

// measure takes the time of a run, and then waits until what it has left is gone, which belongs to its requests but not to its time.
func (s *scene) measure(ctx context.Context, m *measurement, run func() error) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	before, err := s.look(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	m.Load[0] = loadAverage()
	if err := run(); err != nil {
		return err
	}
	m.Seconds = time.Since(began).Seconds()
	m.Load[1] = loadAverage()
	if err := s.settle(ctx); err != nil {
		return err
	}
	now, err := s.look(ctx)
	m.API = now.since(before)
	return err
}

// loadAverage is 0 where there is none.
func loadAverage() (of float64) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	_, _ = fmt.Sscan(string(text), &of)
	return of
}

// thisMachine is what a reader has to know to compare the figures with their own.
func thisMachine(ctx context.Context) machine {
	m := machine{Processor: "unknown processor", Cores: runtime.NumCPU(), Go: strings.TrimPrefix(runtime.Version(), "go")}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.Processor = cmp.Or(field(string(text), "model name"), m.Processor)
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int
		if _, err := fmt.Sscan(field(string(text), "MemTotal"), &kib); err == nil {
			m.MemoryGiB = (kib + 1<<19) >> 20
		}
	}
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--exclude=*").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(out))
	}
	return m
}

// field is the value of the first line of the form "name : value".
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func load(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// forget removes what earlier calls have measured on the provider.
func forget(o options) error {
	paths := []string{o.roundsPath()}
	if o.provider == "simulated" {
		paths = append(paths, mutantsPath)
	}
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func save(path string, from any) error {
	data, err := json.MarshalIndent(from, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
