// Package cluster is where clusters come from. A provider (simulated, kind, existing) is a value that implements
// e2e-framework's E2EClusterProvider, so that a repository built on e2e-framework can use it as its own; what only some clusters
// can do (change nodes, skew a clock, restart the controller) is an optional interface, asked for by type assertion.
//
// A cluster outlives the process that made it: its State is a small file, and whoever holds it can open the cluster again.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/e2e-framework/pkg/types"
)

// Provider is a cluster, made or yet to be made. Create makes it and returns the path of its kubeconfig; Destroy is
// idempotent and returns nil for a cluster that is gone.
type Provider interface {
	types.E2EClusterProvider
	// State is what Open needs to use this cluster from another process. It is complete after Create.
	State() State
}

// What only some providers can do. Node life cycle and image loading are e2e-framework's own interfaces.
type (
	// NodeLifecycle adds, removes, stops and starts nodes. A stopped node's kubelet is silent: it becomes NotReady and its
	// pods are not finished until it is started again.
	NodeLifecycle = types.E2EClusterProviderWithLifeCycle
	// ImageLoader makes an image known to every node.
	ImageLoader = types.E2EClusterProviderWithImageLoader

	// ClockSkewer sets how far a node's clock is ahead of the control plane's (behind, if negative; zero mends it).
	// The times that its kubelet writes into conditions shift with it.
	ClockSkewer interface {
		SkewClock(ctx context.Context, node string, ahead time.Duration) error
	}

	// PodRejecter makes a node's kubelet turn away every new pod: phase Failed with the given reason (OutOfcpu,
	// NodeAffinity, Evicted, …). AcceptPods ends that.
	PodRejecter interface {
		RejectPods(ctx context.Context, node, reason string) error
		AcceptPods(ctx context.Context, node string) error
	}

	// Restarter stops and starts a component of the control plane ("kube-apiserver", "kube-controller-manager", "etcd").
	Restarter interface {
		Restart(ctx context.Context, component string) error
	}

	// Upgrader replaces the control plane by one of another version, with the data that there is.
	Upgrader interface {
		Upgrade(ctx context.Context, to Release) error
	}
)

// Release is a version of Kubernetes and the folder of its programs.
type Release struct {
	Version  string `json:"version"`
	Binaries string `json:"binaries"`
}

// Config is what can be chosen about a cluster that is made.
type Config struct {
	// Name is unique on this machine.
	Name string
	// Version of Kubernetes, with its v: v1.36.3.
	Version string
	// Nodes is the number of nodes that run pods; the control plane's own is not counted.
	Nodes int
	// NoDaemonSetController leaves the place of the built-in DaemonSet controller free for another.
	NoDaemonSetController bool
	// Binaries is the folder with kube-apiserver, etcd, kubectl, … of that version.
	Binaries string
	// Releases are the versions that the control plane is going to have, the first of them Version; empty if it stays as it is made.
	Releases []Release
	// APIServerRestarts says that the API server is going to be restarted beside whoever uses the cluster. Watches go on where they were when
	// another one answers, nodes are given longer to show that they live, and clients wait (AwaitAPIServer). Simulated clusters only.
	APIServerRestarts bool
	// NodeImage is kind's node image.
	NodeImage string
	// Dir is a folder of this cluster's own: kubeconfig, data, logs. Destroy removes it.
	Dir string
	// Log gets what the provider's tools print. nil discards it.
	Log io.Writer
}

// State describes a cluster that exists.
type State struct {
	Provider string `json:"provider"`
	Name     string `json:"name,omitempty"`
	// Version of the API server.
	Version string `json:"version"`
	Nodes   int    `json:"nodes,omitempty"`
	// Kubeconfig and Context reach it. Context is empty for the kubeconfig's current one.
	Kubeconfig string `json:"kubeconfig"`
	Context    string `json:"context,omitempty"`
	// Kubectl is the kubectl of the cluster's version.
	Kubectl string `json:"kubectl"`
	// Binaries and Dir are as in Config.
	Binaries string `json:"binaries,omitempty"`
	Dir      string `json:"dir,omitempty"`
	// NoDaemonSetController is as in Config: a cluster made without one can only be reused with CONTROLLER.
	NoDaemonSetController bool `json:"noDaemonSetController,omitempty"`
	// Releases is as in Config.
	Releases []Release `json:"releases,omitempty"`
	// APIServerRestarts is as in Config.
	APIServerRestarts bool `json:"apiServerRestarts,omitempty"`
	// PID is the process that made the cluster, for telling a leftover from one in use; 0 for a cluster that stays.
	PID int `json:"pid,omitempty"`
}

// KubectlLock is the path of a lock (LockShared) that every kubectl has while it runs where APIServerRestarts is set: no request of it waits, so
// only who has the lock alone may take the API server away.
func (s State) KubectlLock() string { return filepath.Join(s.Dir, "kubectl.lock") }

// Save writes the state to path, whole or not at all.
func (s State) Save(path string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the cluster's state: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(temporary, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// LoadState reads what Save wrote. The error is fs.ErrNotExist where nothing was saved.
func LoadState(path string) (State, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, fmt.Errorf("no cluster at %s: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return State{}, err
	}
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("%s does not describe a cluster: %w", path, err)
	}
	return s, nil
}

// RestConfig returns a client's configuration for the cluster.
func RestConfig(s State) (*rest.Config, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(s.Kubeconfig)},
		&clientcmd.ConfigOverrides{CurrentContext: s.Context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig %s: %w", s.Kubeconfig, err)
	}
	if s.APIServerRestarts {
		AwaitAPIServer(config)
	}
	return config, nil
}
