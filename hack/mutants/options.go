package main

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

const (
	// impatience shortens the suite's time limits: a controller that does nothing would cost minutes a spec. The unbroken controller is
	// judged first, under the same limits, or a kill would prove nothing.
	impatience = "0.6"
	// defaultSeed makes two runs try the specs in the same order, so that the same one is the first to notice.
	defaultSeed = 1
	// expectedProcs is enough for the few specs of a mutant's behaviours; more would cost their start.
	expectedProcs = "6"
)

// options are what the environment says about a run.
type options struct {
	again  bool // AGAIN=1: judge also what has a result
	full   bool // FULL=1: the whole suite against each, not only until the first kill
	began  time.Time
	slice  time.Duration // FOR=9m: begin no further mutant when that is over, building included; the next run goes on
	brief  bool          // BRIEF=1: the expected specs only; what survives those is not settled
	procs  string        // PROCS=2: how many of the expected specs run at once
	limits string        // TIMEOUT_FACTOR=1: more patience than impatience, on a machine that is busy
	labels string        // LABELS and FOCUS: of what would be tried only these specs, to bisect
	focus  string
	seed   int64

	operators int    // OPERATORS=20: so many mutants that the operators make, chosen by SEED, instead of the listed ones
	first     string // FIRST='C-05 || C-07': the specs to try first on those, for nobody has said what they break; with BRIEF=1 no others
	sample    int    // SAMPLE=10: so many of the listed mutants, chosen by SEED or else by the date, and by the expected specs alone
	base      string // BASE=main: with SAMPLE first as many that break what a file of specs or invariants is about that differs from that commit
}

func loadOptions(env func(string) string, now time.Time) (options, error) {
	o := options{began: now, again: env("AGAIN") == "1", full: env("FULL") == "1", brief: env("BRIEF") == "1", procs: cmp.Or(env("PROCS"), expectedProcs), limits: cmp.Or(env("TIMEOUT_FACTOR"), impatience), labels: env("LABELS"), focus: env("FOCUS"), seed: defaultSeed, base: env("BASE"), first: env("FIRST")}
	var err error
	if v := env("FOR"); v != "" {
		if o.slice, err = time.ParseDuration(v); err != nil {
			return o, fmt.Errorf("FOR=%s: must be a duration such as 9m", v)
		}
	}
	if v := env("SEED"); v != "" {
		if o.seed, err = strconv.ParseInt(v, 10, 64); err != nil || o.seed < 1 {
			return o, fmt.Errorf("SEED=%s: must be a whole number of at least 1", v)
		}
	}
	if o.operators, err = number(env, "OPERATORS"); err != nil {
		return o, err
	}
	if o.sample, err = number(env, "SAMPLE"); err != nil {
		return o, err
	}
	if o.sample > 0 && env("SEED") == "" {
		o.seed, _ = strconv.ParseInt(now.UTC().Format("20060102"), 10, 64)
	}
	if o.sample > 0 && o.operators > 0 {
		return o, fmt.Errorf("SAMPLE chooses listed mutants and OPERATORS makes others: set one of them")
	}
	return o, nil
}

// partial says whether only some specs are tried: that is to see how these do, and neither to be kept nor to be written down.
func (o options) partial() bool { return o.sample > 0 || o.labels != "" || o.focus != "" }

func number(env func(string) string, name string) (int, error) {
	v := env(name)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s=%s: must be a whole number of at least 1", name, v)
	}
	return n, nil
}
