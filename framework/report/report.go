// Package report turns verdicts and histories into what a person reads after a run: report.yaml (a ConformanceReport, which
// can be handed on and compared), and index.html, a page with a timeline of every spec. It never talks to a cluster.
//
// The suite writes a Plan before the first spec and appends a Result after each (Part); Merge makes the report of whatever
// there is, at the end of a run or long after it was killed.
package report

import (
	"time"
)

// SuiteVersion is this suite's release.
const SuiteVersion = "devel"

// APIVersion and Kind are the first two fields of every report.
const (
	APIVersion = "rollcall.dev/v1alpha1"
	Kind       = "ConformanceReport"
)

// ConformanceReport is report.yaml. Its lists are sorted, so that two reports of the same outcome differ in dates and durations only.
type ConformanceReport struct {
	// APIVersion is rollcall.dev/v1alpha1. Another one has other fields.
	APIVersion string `json:"apiVersion"`
	// Kind is ConformanceReport.
	Kind string `json:"kind"`
	// Date is when the run began, in UTC, to the second.
	Date time.Time `json:"date"`
	// Suite says what has judged.
	Suite Suite `json:"suite"`
	// Implementation says what was judged.
	Implementation Implementation `json:"implementation"`
	// Cluster says where.
	Cluster Cluster `json:"cluster"`
	// Summary is the outcome in one line. It counts specs.
	Summary Summary `json:"summary"`
	// Profiles are the outcome by level of promise. They count behaviours.
	Profiles []Profile `json:"profiles"`
	// Reproduce is the command that repeats this run, for whoever doubts it.
	Reproduce string `json:"reproduce,omitempty"`
	// Configuration is the variables of the run as they took effect, defaults included.
	Configuration map[string]string `json:"configuration,omitempty"`
	// Timings say what the time went into.
	Timings *Timings `json:"timings,omitempty"`
	// Behaviours has every promise that the run's catalog names, covered or not, in the catalog's order.
	Behaviours []Behaviour `json:"behaviours"`
	// Specs has every spec that was planned, run or not, by name.
	Specs []Spec `json:"specs"`
}

// Suite is Rollcall itself, in the build that made the report.
type Suite struct {
	// Version is a release, v0.1.0, or "devel".
	Version string `json:"version"`
	// Commit is the source's git commit, with "-dirty" behind it if files were changed.
	Commit string `json:"commit"`
	// Seed decides everything random of the run: order of specs, choice of nodes. SEED=<seed> repeats it. It is 0
	// if the run's shards had several.
	Seed int64 `json:"seed"`
}

// Implementation is the DaemonSet controller that was judged, as its maker wants it named. It is free text that only a report
// meant to be published has to have in full: see RequireIdentity.
type Implementation struct {
	// Organization maintains the project.
	Organization string `json:"organization"`
	// Project is the controller's name: kube-controller-manager.
	Project string `json:"project"`
	// URL is where a reader finds out more.
	URL string `json:"url"`
	// Version is the release that was judged: v1.36.3.
	Version string `json:"version"`
	// Contact is who answers questions about the report: mail addresses, handles, URLs.
	Contact []string `json:"contact"`
}

// Cluster is where the specs ran.
type Cluster struct {
	// Provider is simulated, kind or existing.
	Provider string `json:"provider"`
	// KubernetesVersion is the API server's.
	KubernetesVersion string `json:"kubernetesVersion"`
	// Nodes is how many nodes there were when the run began.
	Nodes int `json:"nodes"`
}

// Outcome of a run or a profile.
type Outcome string

const (
	// Success: everything that belongs to it was examined, and at least one promise was; none was found broken.
	Success Outcome = "success"
	// Partial: what was examined is as it should be, but something was skipped or is covered by no planned spec.
	Partial Outcome = "partial"
	// Failure: something failed, could not be judged, broke or was lost, or nothing was examined at all.
	Failure Outcome = "failure"
)

// Statistics counts verdicts. Planned is the sum of the others.
type Statistics struct {
	Passed       int `json:"passed"`
	Failed       int `json:"failed"`
	Deviations   int `json:"deviations"`
	Skipped      int `json:"skipped"`
	Inconclusive int `json:"inconclusive"`
	Errors       int `json:"errors"`
	NotRun       int `json:"notRun"`
	Planned      int `json:"planned"`
}

// Summary is the outcome of a run, counted in specs.
type Summary struct {
	// Result is success, partial or failure.
	Result Outcome `json:"result"`
	// Statistics counts the planned specs by verdict.
	Statistics
	// Reason says in one line why the result is not success.
	Reason string `json:"reason,omitempty"`
}

// Profile is the outcome for one level of promises, counted in behaviours.
type Profile struct {
	// Name is the level: core (what every implementation owes) or extended (what needs something optional).
	Name string `json:"name"`
	// Result is success, partial (something was skipped or is not covered) or failure.
	Result Outcome `json:"result"`
	// Statistics counts the level's behaviours that a planned spec covers, by verdict.
	Statistics Statistics `json:"statistics"`
	// Uncovered is how many more behaviours of the level there are that can be shown, and which no planned spec covers.
	Uncovered int `json:"uncovered"`
	// Reason says in one line why the result is not success.
	Reason string `json:"reason,omitempty"`
}

// Behaviour is what became of one promise.
type Behaviour struct {
	// ID is the promise's number in the catalog: C-05.
	ID string `json:"id"`
	// Level is core, extended, deviation or informative.
	Level string `json:"level"`
	// Area is where the catalog files it: rollout.
	Area string `json:"area,omitempty"`
	// Statement is the promise, in a sentence.
	Statement string `json:"statement,omitempty"`
	// Unproven is why nothing can show it, which the catalog says of few: such a behaviour counts in no profile, and a run does without it.
	Unproven string `json:"unproven,omitempty"`
	// Verdict is the worst of the specs', and notRun without specs and histories.
	Verdict Verdict `json:"verdict"`
	// Specs are the names of the planned specs that cover it. Of an invariant, which is judged on every history, they are also
	// those whose history breaks it.
	Specs []string `json:"specs"`
	// Histories is how many specs' histories an invariant was judged on.
	Histories int `json:"histories,omitempty"`
}

// Spec is what became of one spec.
type Spec struct {
	// Name is the spec's full text, as JUnit and the console have it.
	Name string `json:"name"`
	// Verdict is the worst of the spec's runs.
	Verdict Verdict `json:"verdict"`
	// Behaviours are the promises that it covers, by id.
	Behaviours []string `json:"behaviours"`
	// Duration is from the beginning of its set-up to the end of its clean-up, in the run that Verdict is of.
	Duration Duration `json:"duration"`
	// Judged are the invariants that its history was judged by, by id. Those that do not hold under what the spec does are not among them.
	Judged []string `json:"judged,omitempty"`
	// Violations are all that its history proves, in order of time.
	Violations []Violation `json:"violations,omitempty"`
	// Figures are what it measured, in its order.
	Figures []Figure `json:"figures,omitempty"`
	// Reason says in one line why the verdict is not passed: what failed; what would make a skipped spec run; where the
	// evidence has its gap; which known deviation this is. On a passed spec it is a remark.
	Reason string `json:"reason"`
	// Failure is the whole text of the failure, if it is longer than Reason.
	Failure string `json:"failure,omitempty"`
	// Location is the file and line of a failure: suites/rollout/budget_test.go:42.
	Location string `json:"location,omitempty"`
	// History is the recording's path, relative to the report's own folder.
	History string `json:"history,omitempty"`
	// Runs is how often the spec ran, if more than once, and LikeThis how many of them had this verdict.
	Runs     int `json:"runs,omitempty"`
	LikeThis int `json:"likeThis,omitempty"`
}

// Figure is something that was measured. No verdict depends on it.
type Figure struct {
	// Name says what, with the unit behind it where it has one: "memory (MiB)".
	Name string `json:"name"`
	// Value is how much.
	Value float64 `json:"value"`
}

// Violation is a broken invariant.
type Violation struct {
	// Invariant is its number in the catalog: M-02.
	Invariant string `json:"invariant"`
	// At is the instant, on the recorder's clock.
	At time.Time `json:"at"`
	// Message is one sentence: who, where, when, what was allowed.
	Message string `json:"message"`
	// Objects are the objects concerned: pods/rollcall-7f3a/fluentd-x2k9p.
	Objects []string `json:"objects,omitempty"`
	// Evidence are the few entries of the history that prove it, by seq.
	Evidence []int `json:"evidence,omitempty"`
}

// Timings is what the wall-clock time of a run went into. What was not measured is left out.
type Timings struct {
	// Total is from Date to the last result.
	Total Duration `json:"total"`
	// ClusterUp is making the cluster, and building it from source where that had not been done.
	ClusterUp Duration `json:"clusterUp,omitzero"`
	// Specs is the sum of the specs' durations, which is more than Total where they ran in parallel.
	Specs Duration `json:"specs"`
}

// Duration is a time.Duration that reads 1.2s, rounded to a millisecond.
type Duration time.Duration

// String returns the duration as time.Duration prints it.
func (d Duration) String() string { return time.Duration(d).Round(time.Millisecond).String() }

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}
