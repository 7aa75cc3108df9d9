package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	mutantsPath = cache + "/mutants.json"
	// patience is what one of upstream's specs gets against a mutant, or twice what it needs with the unbroken controller if that is more: its own
	// limits are five minutes for every single step.
	patience = 60 * time.Second
	// unbroken is hack/mutants' name of the controller as it is.
	unbroken = "original"
)

// verdict is what both suites say of one mutant.
type verdict struct {
	ID    string `json:"id"`
	Wrong string `json:"wrong"`
	// Upstream and Rollcall are the spec that noticed the mutant and what it said, "" for none.
	Upstream string `json:"upstream"`
	Rollcall string `json:"rollcall"`
	// Seconds is how long upstream's specs took.
	Seconds float64 `json:"seconds"`
	Tried   bool    `json:"tried"`
	// Flaked are upstream's specs that failed once and not twice.
	Flaked []string `json:"flaked,omitempty"`
}

// kills are the mutants' verdicts, and how long the unbroken controller took for each of upstream's specs.
type kills struct {
	Seed     int64              `json:"seed"`
	Unbroken map[string]float64 `json:"unbroken"`
	Unfit    map[string]string  `json:"unfit,omitempty"` // specs that the unbroken controller fails, and how
	Verdicts []verdict          `json:"verdicts"`
	Judged   bool               `json:"judged"` // by Rollcall
}

// mutantsByUpstream tries upstream's specs on the sample of broken controllers.
func mutantsByUpstream(ctx context.Context, o options) error {
	k, err := sample(ctx, o)
	if err != nil {
		return err
	}
	began := time.Now()
	if k.Unbroken == nil {
		if err := byTheUnbroken(ctx, o, k); err != nil {
			return err
		}
		if err := save(mutantsPath, k); err != nil {
			return err
		}
	}
	for i := range k.Verdicts {
		v := &k.Verdicts[i]
		if v.Tried {
			continue
		}
		if time.Since(began) > o.slice {
			return fmt.Errorf("%s are over: mutants from %s on are still to be tried, by the same command", o.slice, v.ID)
		}
		if err := byUpstream(ctx, o, k, v); err != nil {
			return err
		}
		say("[%d/%d] %s: upstream: %s", i+1, len(k.Verdicts), v.ID, cmp.Or(v.Upstream, "not noticed"))
		if err := save(mutantsPath, k); err != nil {
			return err
		}
	}
	return nil
}

// sample is what is known of the mutants, which hack/mutants chooses and builds the first time.
func sample(ctx context.Context, o options) (*kills, error) {
	if o.sample == 0 {
		return &kills{Judged: true, Unbroken: map[string]float64{}}, nil
	}
	var k kills
	if err := load(mutantsPath, &k); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if k.Seed == o.seed && len(k.Verdicts) == o.sample {
		return &k, nil
	}
	k = kills{Seed: o.seed}
	list, err := hackMutants(ctx, o, "list")
	if err != nil {
		return nil, fmt.Errorf("choosing mutants: %w", err)
	}
	for _, m := range listed.FindAllStringSubmatch(list, -1) {
		k.Verdicts = append(k.Verdicts, verdict{ID: m[1], Wrong: m[2]})
	}
	if len(k.Verdicts) != o.sample {
		return nil, fmt.Errorf("%d mutants were asked for, and %d chosen", o.sample, len(k.Verdicts))
	}
	if _, err := hackMutants(ctx, o, "build"); err != nil {
		return nil, fmt.Errorf("building mutants: %w", err)
	}
	return &k, save(mutantsPath, k)
}

var (
	listed   = regexp.MustCompile(`(?m)^([a-z0-9-]+): a controller that (.*)$`)
	noticed  = regexp.MustCompile(`(?m)^\[\d+/\d+\] (\S+) +killed in .*? by (.*)$`)
	survived = regexp.MustCompile(`(?m)^\[\d+/\d+\] (\S+) +survived`)
)

func hackMutants(ctx context.Context, o options, command string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "run", "./hack/mutants", command)
	cmd.Env = append(os.Environ(), fmt.Sprintf("SAMPLE=%d", o.sample), fmt.Sprintf("SEED=%d", o.seed), "FOR=", "BASE=", "PROVIDER=", "LABELS=", "FOCUS=")
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.Output()
	return string(out), err
}

// mutantsByRollcall has hack/mutants judge the sample by the specs that should notice, which are some of the suite's.
func mutantsByRollcall(ctx context.Context, o options) error {
	k, err := sample(ctx, o)
	if err != nil || k.Judged {
		return err
	}
	strike() // hack/mutants makes its own, and an idle one beside that would cost it time
	out, runErr := hackMutants(ctx, o, "run")
	killed, told := map[string]string{}, map[string]bool{}
	for _, m := range noticed.FindAllStringSubmatch(out, -1) {
		killed[m[1]], told[m[1]] = m[2], true
	}
	for _, m := range survived.FindAllStringSubmatch(out, -1) {
		told[m[1]] = true
	}
	for i := range k.Verdicts {
		v := &k.Verdicts[i]
		if !told[v.ID] {
			return fmt.Errorf("nothing is known of mutant %s (%w):\n%s", v.ID, cmp.Or(runErr, errors.New("no error")), out)
		}
		v.Rollcall = killed[v.ID]
	}
	k.Judged = true
	return save(mutantsPath, k)
}

// byTheUnbroken finds out how long each of upstream's specs takes where nothing is wrong. One that fails then can prove nothing.
func byTheUnbroken(ctx context.Context, o options, k *kills) error {
	known, err := loadBehaviours()
	if err != nil {
		return err
	}
	durations, unfit := map[string]float64{}, map[string]string{}
	err = onTheScene(ctx, unbroken, func(s *scene) error {
		for name := range known {
			out, err := s.trySpec(ctx, o, name, 5*time.Minute)
			if err != nil {
				return err
			}
			if durations[name] = out.Seconds; !out.Passed {
				unfit[name] = out.Failure
			}
			say("the unbroken controller, %s: %.0f s %s", name, out.Seconds, out.Failure)
		}
		return nil
	})
	k.Unbroken, k.Unfit = durations, unfit
	return err
}

// byUpstream tries upstream's specs, the quickest first, until one notices: fails, and fails again.
func byUpstream(ctx context.Context, o options, k *kills, v *verdict) error {
	var names []string
	for name := range k.Unbroken {
		if _, ok := k.Unfit[name]; !ok {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(k.Unbroken[a], k.Unbroken[b]) })
	began := time.Now()
	v.Flaked = nil
	err := onTheScene(ctx, v.ID, func(s *scene) error {
		for _, name := range names {
			limit := max(patience, time.Duration(2*k.Unbroken[name]*float64(time.Second)))
			out, err := s.trySpec(ctx, o, name, limit)
			if err != nil {
				return err
			}
			if out.Passed {
				continue
			}
			// A spec that fails now and then has noticed nothing.
			if out, err = s.trySpec(ctx, o, name, limit); err != nil {
				return err
			}
			if !out.Passed {
				v.Upstream = name + ": " + out.Failure
				return nil
			}
			v.Flaked = append(v.Flaked, name)
		}
		return nil
	})
	v.Seconds, v.Tried = time.Since(began).Seconds(), err == nil
	return err
}

// trySpec runs one of upstream's specs.
func (s *scene) trySpec(ctx context.Context, o options, name string, limit time.Duration) (outcome, error) {
	outcomes, _, err := runUpstream(ctx, s, daemonSets+`.*`+regexp.QuoteMeta(name)+`( \[|$)`, o.seed, limit, filepath.Join(cache, "spec.log"))
	if err != nil {
		return outcome{}, err
	}
	if len(outcomes) != 1 {
		return outcome{}, fmt.Errorf("%d specs ran for %q", len(outcomes), name)
	}
	return outcomes[0], nil
}

// onTheScene runs a controller of hack/mutants on a cluster of its own.
func onTheScene(ctx context.Context, id string, act func(*scene) error) (err error) {
	binary, err := filepath.Abs(filepath.Join(".cache", "mutants", "bin", id))
	if err != nil {
		return err
	}
	strike()
	s, err := setTheScene(ctx, "simulated", false)
	if err != nil {
		return err
	}
	defer strike()
	open, err := s.fenceOff(ctx, peerNodes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open()) }()
	log, err := os.Create(filepath.Join(cache, "controller.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	controller := exec.Command(binary, "--kubeconfig="+s.state.Kubeconfig)
	controller.Stdout, controller.Stderr = log, log
	if err := controller.Start(); err != nil {
		return fmt.Errorf("starting the mutant %s: %w", id, err)
	}
	defer func() {
		_ = controller.Process.Signal(syscall.SIGTERM)
		_ = controller.Wait()
	}()
	return act(s)
}

// firstSentence shortens what a spec said to what a table can hold.
func firstSentence(text string) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, "|", "/")), " ")
	if len(text) > 160 {
		return text[:160] + "…"
	}
	return text
}
