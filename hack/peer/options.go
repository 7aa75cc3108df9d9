package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

const (
	cache    = ".cache/peer"
	rollcall = ".cache/bin/rollcall"
	// selection is Rollcall's part of a round: everything but the specs that wait for minutes.
	selection = "!slow"
	// peerNodes are as many nodes as upstream's specs get: their surge spec tolerates one surging pod for 20% of the nodes, which is wrong from
	// six nodes on, and most of the others take as long as there are nodes. So few are to their advantage.
	peerNodes = 3
)

// options are what the environment says.
type options struct {
	provider string
	rounds   int
	sample   int // MUTANTS: so many
	seed     int64
	slice    time.Duration // FOR=9m: begin nothing further after that time; the same command goes on
	keep     bool          // KEEP=1: leave the cluster for the next call; CLUSTER_OF=peer make cluster-down takes it away
	again    bool          // AGAIN=1: forget what has been measured
}

func loadOptions(env func(string) string) (options, error) {
	o := options{provider: cmp.Or(env("PROVIDER"), "simulated"), keep: env("KEEP") == "1", again: env("AGAIN") == "1"}
	if o.provider != "simulated" && o.provider != "kind" {
		return o, fmt.Errorf("PROVIDER=%s: make bench-peer makes its cluster, simulated or kind", o.provider)
	}
	for _, n := range []struct {
		name     string
		fallback int
		to       *int
	}{{"ROUNDS", 3, &o.rounds}, {"MUTANTS", 10, &o.sample}} {
		value, err := strconv.Atoi(cmp.Or(env(n.name), strconv.Itoa(n.fallback)))
		if err != nil || value < 0 {
			return o, fmt.Errorf("%s=%s: must be a whole number", n.name, env(n.name))
		}
		*n.to = value
	}
	var err error
	if o.seed, err = strconv.ParseInt(cmp.Or(env("SEED"), "1"), 10, 64); err != nil || o.seed < 1 {
		return o, fmt.Errorf("SEED=%s: must be a whole number of at least 1", env("SEED"))
	}
	if o.provider == "kind" {
		o.sample = 0 // mutants are tried on simulated nodes, where a controller is easily put in another's place
		if _, err := staticShell(); err != nil {
			return o, fmt.Errorf("PROVIDER=kind: %w", err)
		}
	}
	if o.slice, err = time.ParseDuration(cmp.Or(env("FOR"), "24h")); err != nil {
		return o, fmt.Errorf("FOR=%s: must be a duration such as 9m", env("FOR"))
	}
	return o, nil
}

// roundsPath is where the measurements of a provider are kept between calls.
func (o options) roundsPath() string { return filepath.Join(cache, o.provider+".json") }
