package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/report"
	"rollcall.dev/hack/kubernetes"
)

// settings are the variables of the contract, checked. They come from the environment, where make puts those of its command line.
type settings struct {
	Provider   string // auto, simulated, kind or existing
	Version    string // of Kubernetes
	VersionSet bool   // by KUBERNETES_VERSION
	Nodes      int    // 0: the provider's default
	Controller string // command line, empty for the built-in one
	Restart    restart
	Deviations string // empty: by default of the contract
	Images     string // stand-in or upstream
	NodeImage  string // kind's, empty: pulled or built
	Labels     string
	Focus      string
	Procs      int   // 0: by the provider
	Seed       int64 // 0: one is made up and printed
	Repeat     int
	Timeouts   float64 // TIMEOUT_FACTOR
	Artifacts  string
	Results    string        // configmap/NAMESPACE/NAME, empty: the artifacts' folder stays
	Shard      *report.Shard // nil: all specs
	Durations  string        // an earlier report by which the shares are balanced
	Sonobuoy   string        // the folder that Sonobuoy takes results from, where it started us
	Reuse      bool
	ClusterOf  string // whose cluster stays, empty: the user's
	Verbose    bool
	Path       []string // versions that the control plane is taken through, empty if it stays Version
	FailFast   bool     // for mutants: one failure is enough

	// Soak says that make soak is behind this. Its Beside is what goes on beside the specs until the returned function is called, which says
	// what went wrong; the returned context ends then. CutWatches is about how long a watch lasts, 0 for ever.
	Soak              bool
	Beside            func(context.Context, cluster.Provider) (context.Context, func() error)
	CutWatches        time.Duration
	APIServerRestarts bool

	ClusterUp time.Duration // what making the cluster took, for the report; 0 where it was there
}

// variables lists the contract's variables, for the usage text and so that a misspelled value is met before anything is made.
const variables = `  PROVIDER            auto (default), simulated, kind, existing
  KUBECONFIG          the cluster, for PROVIDER=existing
  KUBERNETES_VERSION  of the cluster that is made
  NODES               how many nodes it has
  CONTROLLER          a command line that is run as the DaemonSet controller; {kubeconfig} in it is replaced
  RESTART             TERM:5s or KILL:5s: CONTROLLER is ended by that signal about that often, and started again
  DEVIATIONS          whose known deviations apply: kube-controller-manager (default without CONTROLLER) or none
  IMAGES              stand-in (default) or upstream: what the fixtures' images are on kind
  NODE_IMAGE          kind's node image
  LABELS, FOCUS       which specs: a label filter, a regular expression
  PROCS, REPEAT       parallel processes; how often
  SEED                of everything random
  TIMEOUT_FACTOR      multiplies every time limit
  ARTIFACTS           where reports go (default _artifacts)
  RESULTS             configmap/NAMESPACE/NAME: reports go there too, for a pod whose folder goes with it
  SHARD               i/n, 0/3 to 2/3: one of n shares of the specs, beside the others; make merge makes one report of them
  SHARD_RUN           a word that tells the shards of one run from another run's
  DURATIONS           an earlier report.yaml: the shares are balanced by how long its specs took; or a folder where it may be
  REUSE               1: use the cluster of make cluster-up
  CLUSTER_OF          a word: up, down and REUSE mean another cluster, of a tool that makes its own and leaves yours alone
  PUBLISH             1: the report is for others; without all of IMPLEMENTATION_… nothing is run`

// mostPatience is the largest TIMEOUT_FACTOR: with much more a limit would be longer than a time.Duration can be, and so be over at once.
const mostPatience = 1000

// loadSettings reads the environment. The error names every variable that is wrong, one line each.
func loadSettings(env func(string) string) (settings, error) {
	var problems []error
	complain := func(name, value, want string) {
		problems = append(problems, fmt.Errorf("%s=%s: %s", name, value, want))
	}
	oneOf := func(name, fallback string, allowed ...string) string {
		value := env(name)
		if value == "" {
			return fallback
		}
		for _, a := range allowed {
			if value == a {
				return value
			}
		}
		complain(name, value, "must be one of "+strings.Join(allowed, ", "))
		return fallback
	}
	number := func(name string, fallback, least int) int {
		value := env(name)
		if value == "" {
			return fallback
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < least {
			complain(name, value, fmt.Sprintf("must be a whole number of at least %d", least))
			return fallback
		}
		return n
	}

	s := settings{
		Provider:   oneOf("PROVIDER", "auto", "auto", "simulated", "kind", "existing"),
		Version:    kubernetes.DefaultVersion,
		Nodes:      number("NODES", 0, 1),
		Controller: strings.TrimSpace(env("CONTROLLER")),
		Deviations: oneOf("DEVIATIONS", "", "kube-controller-manager", "none"),
		Images:     oneOf("IMAGES", "stand-in", "stand-in", "upstream"),
		NodeImage:  env("NODE_IMAGE"),
		Labels:     env("LABELS"),
		Focus:      env("FOCUS"),
		Procs:      number("PROCS", 0, 1),
		Seed:       int64(number("SEED", 0, 1)),
		Repeat:     number("REPEAT", 1, 1),
		Timeouts:   1,
		Artifacts:  env("ARTIFACTS"),
		Results:    env("RESULTS"),
		Sonobuoy:   env("SONOBUOY_RESULTS_DIR"),
		Reuse:      oneOf("REUSE", "0", "0", "1") == "1",
		ClusterOf:  env("CLUSTER_OF"),
		FailFast:   oneOf("FAIL_FAST", "0", "0", "1") == "1",
		Verbose:    oneOf("V", "0", "0", "1") == "1",
	}
	if v := env("KUBERNETES_VERSION"); v != "" {
		version, err := kubernetes.ParseVersion(v)
		if err != nil {
			problems = append(problems, fmt.Errorf("KUBERNETES_VERSION=%w", err))
		}
		s.Version, s.VersionSet = version, true
	}
	if v := env("TIMEOUT_FACTOR"); v != "" {
		factor, err := strconv.ParseFloat(v, 64)
		if err != nil || !(factor > 0 && factor <= mostPatience) { // NaN is neither
			complain("TIMEOUT_FACTOR", v, fmt.Sprintf("must be a number greater than 0, and at most %d", mostPatience))
		}
		s.Timeouts = factor
	}
	if v := env("RESTART"); v != "" {
		var ok bool
		if s.Restart, ok = parseRestart(v); !ok {
			complain("RESTART", v, "must be a signal and a time of at least a second, TERM:5s or KILL:5s")
		}
		if s.Controller == "" {
			complain("RESTART", v, "is for a CONTROLLER, and none is given")
		}
	}
	if _, err := types.ParseLabelFilter(s.Labels); err != nil {
		complain("LABELS", s.Labels, "is no label filter, such as 'core && !slow'")
	}
	if _, err := regexp.Compile(s.Focus); err != nil {
		complain("FOCUS", s.Focus, "is no regular expression: "+err.Error())
	}
	if s.ClusterOf != "" && !tool.MatchString(s.ClusterOf) {
		complain("CLUSTER_OF", s.ClusterOf, "must be a word of up to 30 lower-case letters and dashes")
	}
	if err := checkNodes(s.Provider, s.Nodes); err != nil {
		problems = append(problems, err)
	}
	if s.Results != "" && !configMapName.MatchString(s.Results) {
		complain("RESULTS", s.Results, "must be configmap/NAMESPACE/NAME")
	}
	if s.Artifacts == "" {
		s.Artifacts = "_artifacts"
	}
	problems = append(problems, s.loadShard(env)...)
	if s.Deviations == "" {
		s.Deviations = "kube-controller-manager"
		if s.Controller != "" {
			s.Deviations = "none"
		}
	}
	if s.Controller != "" {
		// A shell reads the line: what it would read in a way of its own is for it to find.
		if program := strings.Fields(s.Controller)[0]; !strings.ContainsAny(program, "\"'\\$`=~*?[{") {
			if _, err := exec.LookPath(program); err != nil {
				complain("CONTROLLER", s.Controller, "there is no program "+program)
			}
		}
	}
	if oneOf("PUBLISH", "0", "0", "1") == "1" {
		if err := report.IdentityFrom(env).RequireIdentity(); err != nil {
			problems = append(problems, fmt.Errorf("PUBLISH=1: %w", err))
		}
	}
	if s.Reuse && s.Provider == "existing" {
		problems = append(problems, errors.New("REUSE=1 goes with a cluster of make cluster-up, not with PROVIDER=existing"))
	}
	return s, errors.Join(problems...)
}

// tool is what CLUSTER_OF may say: it becomes part of a cluster's name.
var tool = regexp.MustCompile(`^[a-z][a-z-]{0,29}$`)

// claimArtifacts makes the folder and proves that it can be written to. An earlier run's report stays until this one begins.
func claimArtifacts(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := report.ClaimFolder(abs); err != nil {
		return "", fmt.Errorf("ARTIFACTS=%w", err)
	}
	return abs, nil
}
