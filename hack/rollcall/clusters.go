package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/cluster/kind"
	"rollcall.dev/framework/cluster/simulated"
	"rollcall.dev/hack/kubernetes"
)

// Where things are kept, relative to the project's root, where make runs us.
const (
	cacheDir    = ".cache"
	clustersDir = ".cache/clusters"
)

// defaultNodes is how many nodes a cluster gets: enough for several specs at once, where nodes cost next to nothing.
var defaultNodes = map[string]int{"simulated": 28, "kind": 3}

// mostNodes is how many it can have. auto may come to be either, and refuses no more than what neither can.
var mostNodes = map[string]int{"auto": simulated.MaxNodes, "simulated": simulated.MaxNodes, "kind": kind.MaxNodes}

func checkNodes(provider string, nodes int) error {
	if most, made := mostNodes[provider]; made && nodes > most {
		return fmt.Errorf("NODES=%d: PROVIDER=%s makes clusters of at most %d", nodes, provider, most)
	}
	return nil
}

// defaultProcs is how many specs run at once. They wait more than they work, and simulated nodes do not work at
// all; two nodes for each keep them from waiting for one another.
func defaultProcs(provider string) int {
	if provider == "simulated" {
		return min(7*runtime.NumCPU(), defaultNodes[provider]/2)
	}
	return 2 * runtime.NumCPU()
}

// chooseProvider resolves auto and returns the provider and why it is that one.
func chooseProvider(ctx context.Context, s settings) (provider, reason string) {
	if s.Provider != "auto" {
		return s.Provider, "PROVIDER says so"
	}
	image := nodeImage(s)
	if err := kind.Available(ctx, image); err != nil {
		return "simulated", "kind is not possible here: " + err.Error()
	}
	return "kind", "a container engine answers and has the node image " + image
}

func nodeImage(s settings) string {
	if s.NodeImage != "" {
		return s.NodeImage
	}
	return "rollcall.dev/node:" + s.Version
}

// makeCluster builds what the provider needs and creates a cluster. Its state is on disk before the first thing of it exists,
// so that sweep finds it whatever happens to this process; pid is 0 for a cluster that stays.
func makeCluster(ctx context.Context, s settings, provider, name string, pid int) (cluster.Provider, error) {
	if err := checkNodes(provider, s.Nodes); err != nil {
		return nil, err
	}
	set := kubernetes.Simulated
	if provider == "kind" {
		set = kubernetes.Kind
		if err := kind.Available(ctx, nodeImage(s)); err != nil {
			return nil, fmt.Errorf("PROVIDER=kind: %w", err)
		}
	}
	binaries, err := buildKubernetes(ctx, s.Version, set)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Join(clustersDir, name))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(clustersDir, 0o755); err != nil {
		return nil, fmt.Errorf("making a folder for the cluster: %w", err)
	}
	log, err := os.Create(dir + ".log") // the folder itself is the provider's
	if err != nil {
		return nil, fmt.Errorf("keeping what the provider's tools print: %w", err)
	}
	defer log.Close()
	config := cluster.Config{
		Name: name, Version: s.Version, Nodes: s.Nodes, NoDaemonSetController: s.Controller != "",
		APIServerRestarts: s.APIServerRestarts, Binaries: binaries, Dir: dir, Log: log,
	}
	if config.Nodes == 0 {
		config.Nodes = defaultNodes[provider]
	}
	for _, version := range s.Path {
		release := cluster.Release{Version: version}
		if release.Binaries, err = buildKubernetes(ctx, version, set); err != nil {
			return nil, err
		}
		config.Releases = append(config.Releases, release)
	}
	var p cluster.Provider
	switch provider {
	case "simulated":
		p = simulated.New(config)
	case "kind":
		config.NodeImage = nodeImage(s)
		k := kind.New(config)
		if s.Images == "upstream" {
			k.WithOpts(kind.UpstreamImages)
		}
		p = k
	}
	state := p.State()
	state.Provider, state.Name, state.Dir, state.Binaries, state.PID = provider, name, dir, binaries, pid
	if err := state.Save(statePath(name)); err != nil {
		return nil, fmt.Errorf("noting the cluster: %w", err)
	}
	began := time.Now()
	if _, err := p.Create(ctx); err != nil {
		err = fmt.Errorf("making a %s cluster: %w", provider, err)
		return nil, errors.Join(err, removeCluster(p, name))
	}
	state = p.State()
	state.PID = pid
	if err := state.Save(statePath(name)); err != nil {
		return nil, errors.Join(err, removeCluster(p, name))
	}
	say("%s cluster with Kubernetes %s and %d nodes ready in %s", provider, s.Version, config.Nodes, time.Since(began).Round(100*time.Millisecond))
	return p, nil
}

// notRemoved says that a cluster is still there, or a part of it, or what the run made on one that stays.
type notRemoved struct{ error }

// removeCluster takes a cluster away, also after an interrupt, and forgets it once it is gone.
func removeCluster(p cluster.Provider, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := p.Destroy(ctx); err != nil {
		return notRemoved{fmt.Errorf("taking the cluster %s away: %w (make sweep tries again)", name, err)}
	}
	for _, path := range []string{filepath.Join(clustersDir, name), filepath.Join(clustersDir, name+".log"), statePath(name)} {
		if err := os.RemoveAll(path); err != nil {
			return notRemoved{fmt.Errorf("taking the cluster %s away: %w", name, err)}
		}
	}
	return nil
}

func statePath(name string) string { return filepath.Join(clustersDir, name+".json") }

// stayingName is the name of make cluster-up's cluster, or of that of a tool: one of each for each checkout on this machine.
func stayingName(s settings) string {
	dir, _ := os.Getwd()
	return fmt.Sprintf("rollcall-%s-%.3x", cmp.Or(s.ClusterOf, "dev"), sha256.Sum256([]byte(dir)))
}

// abandoned lists the states of clusters whose makers are dead. The error names the files that cannot be read.
func abandoned() ([]cluster.State, error) {
	paths, err := filepath.Glob(filepath.Join(clustersDir, "*.json"))
	if err != nil {
		return nil, err
	}
	var found []cluster.State
	var problems error
	for _, path := range paths {
		s, err := cluster.LoadState(path)
		problems = errors.Join(problems, err)
		if err == nil && s.PID != 0 && errors.Is(syscall.Kill(s.PID, 0), syscall.ESRCH) {
			found = append(found, s)
		}
	}
	return found, problems
}

func buildKubernetes(ctx context.Context, version string, set kubernetes.Set) (string, error) {
	return kubernetes.Build(ctx, kubernetes.Options{
		Version: version, Set: set, Source: "hack/kubernetes", Cache: cacheDir, Progress: os.Stderr,
	})
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "rollcall: "+strings.TrimSuffix(format, "\n")+"\n", args...)
}
