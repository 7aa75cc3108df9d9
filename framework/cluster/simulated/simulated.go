// Package simulated makes clusters of a real control plane (etcd, kube-apiserver, kube-controller-manager, kube-scheduler, as processes on
// this machine) and simulated nodes, with kwok. The nodes' kubelets are Stages of our own (stages.go, kubelet/): what a pod does follows
// from its spec alone. README.md in this folder lists what is simulated and what is not.
package simulated

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/e2e-framework/klient"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"rollcall.dev/framework/cluster"
)

// Name is the provider's name in a cluster's State.
const Name = "simulated"

// Provider is one simulated cluster. Its methods may be called from several processes at once.
type Provider struct {
	config cluster.Config
	state  cluster.State
	// refused is set by a Create that found bad input or the folder in use: what is there is not this value's to destroy.
	refused bool
	// removed says by name when a node was removed (see letGo).
	removed sync.Map

	once   sync.Once
	rest   *rest.Config
	failed error
}

var (
	_ cluster.Provider      = (*Provider)(nil)
	_ cluster.NodeLifecycle = (*Provider)(nil)
	_ cluster.ImageLoader   = (*Provider)(nil)
	_ cluster.ClockSkewer   = (*Provider)(nil)
	_ cluster.PodRejecter   = (*Provider)(nil)
	_ cluster.Restarter     = (*Provider)(nil)
	_ cluster.Upgrader      = (*Provider)(nil)
)

// New returns a cluster that Create will make. config needs Name, Binaries and Dir; Nodes defaults to 1.
func New(config cluster.Config) *Provider { return (&Provider{config: config}).defaults() }

// Open returns the cluster that state describes, which another process may have made.
func Open(state cluster.State) *Provider {
	p := &Provider{state: state, config: cluster.Config{
		Name: state.Name, Version: state.Version, Nodes: state.Nodes, Binaries: state.Binaries, Dir: state.Dir,
		NoDaemonSetController: state.NoDaemonSetController, Releases: state.Releases, APIServerRestarts: state.APIServerRestarts,
	}}
	return p.defaults()
}

func (p *Provider) defaults() *Provider {
	if p.config.Nodes == 0 {
		p.config.Nodes = 1
	}
	if p.config.Log == nil {
		p.config.Log = io.Discard
	}
	if p.config.Dir != "" {
		if dir, err := filepath.Abs(p.config.Dir); err == nil {
			p.config.Dir = dir
		}
	}
	return p
}

// State implements cluster.Provider.
func (p *Provider) State() cluster.State { return p.state }

// WithName sets the cluster's name; as all With methods, it has no effect on a cluster that exists.
func (p *Provider) WithName(name string) types.E2EClusterProvider { p.config.Name = name; return p }

// WithVersion sets the Kubernetes version that is expected; the binaries decide.
func (p *Provider) WithVersion(version string) types.E2EClusterProvider {
	p.config.Version = version
	return p
}

// WithPath sets the folder with the binaries.
func (p *Provider) WithPath(path string) types.E2EClusterProvider { p.config.Binaries = path; return p }

// WithOpts applies options to the provider.
func (p *Provider) WithOpts(opts ...types.ClusterOpts) types.E2EClusterProvider {
	for _, opt := range opts {
		opt(p)
	}
	return p
}

// SetDefaults fills in what was not chosen.
func (p *Provider) SetDefaults() types.E2EClusterProvider { return p.defaults() }

// CreateWithConfig always fails: a simulated cluster is configured by cluster.Config.
func (p *Provider) CreateWithConfig(context.Context, string) (string, error) {
	return "", errors.New("a simulated cluster takes no configuration file: use cluster.Config")
}

// GetKubeconfig returns the path of the kubeconfig.
func (p *Provider) GetKubeconfig() string { return filepath.Join(p.config.Dir, "kubeconfig") }

// GenerateKubeconfig returns the path of the kubeconfig, which is always current. Arguments are ignored.
func (p *Provider) GenerateKubeconfig(...string) (string, error) { return p.GetKubeconfig(), nil }

// GetKubectlContext returns the only context of the kubeconfig.
func (p *Provider) GetKubectlContext() string { return "kwok-" + p.config.Name }

// WaitForControlPlane returns nil: Create has waited already.
func (p *Provider) WaitForControlPlane(context.Context, klient.Client) error { return nil }

// KubernetesRestConfig returns a client configuration, or nil if there is no cluster.
func (p *Provider) KubernetesRestConfig() *rest.Config {
	config, err := p.restConfig()
	if err != nil {
		return nil
	}
	return rest.CopyConfig(config)
}

func (p *Provider) restConfig() (*rest.Config, error) {
	p.once.Do(func() {
		p.rest, p.failed = clientcmd.BuildConfigFromFlags("", p.GetKubeconfig())
		if p.failed == nil {
			p.rest.QPS = -1 // the API server of a cluster of our own needs no protection from us
			if p.config.APIServerRestarts {
				cluster.AwaitAPIServer(p.rest)
			}
		}
	})
	if p.failed != nil {
		return nil, fmt.Errorf("reading the kubeconfig of simulated cluster %q: %w", p.config.Name, p.failed)
	}
	return p.rest, nil
}

func (p *Provider) client() (kubernetes.Interface, error) {
	config, err := p.restConfig()
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeProtobuf // thousands of nodes are a lot of JSON
	return kubernetes.NewForConfig(config)
}

// validate meets bad input before anything is created.
func (p *Provider) validate() error {
	c := p.config
	switch {
	case !regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`).MatchString(c.Name):
		return fmt.Errorf("cluster name %q: use lower-case letters, digits and dashes", c.Name)
	case c.Nodes < 1 || c.Nodes > MaxNodes:
		return fmt.Errorf("a simulated cluster has 1 to %d nodes, not %d", MaxNodes, c.Nodes)
	case c.Dir == "":
		return errors.New("a simulated cluster needs a folder of its own (Dir)")
	}
	for _, binary := range append([]string{"kwokctl", "kubectl"}, binaryFlags...) {
		path := filepath.Join(c.Binaries, binary)
		if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
			return fmt.Errorf("no executable %s in %s", binary, c.Binaries)
		}
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking into the cluster's folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: a cluster of that name may be running (destroy it, or choose another name)", c.Dir)
	}
	return nil
}
