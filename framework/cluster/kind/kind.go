// Package kind makes clusters whose nodes are containers, with real kubelets: kind as a library. It needs a container engine (docker)
// and a node image: one that hack/nodeimage built, or kindest/node where it can be pulled. The engine's daemon is asked through its
// command line client, as kind itself does.
package kind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/e2e-framework/klient"
	"sigs.k8s.io/e2e-framework/pkg/types"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"rollcall.dev/framework/cluster"
)

const (
	// Name is the provider's name in a cluster's State.
	Name = "kind"
	// DefaultNodes is the number of workers when Config.Nodes is 0.
	DefaultNodes = 3
	// MaxNodes is what one machine's container engine carries; the simulated provider is for more.
	MaxNodes = 50
)

// Image is the node image that hack/nodeimage builds for a version of Kubernetes ("v1.36.3").
func Image(version string) string { return "rollcall.dev/node:" + version }

// Provider is one kind cluster. Its methods may be called from several processes at once.
//
// A kind node's clock is this machine's and its kubelet takes every pod that fits, so ClockSkewer and PodRejecter are not offered.
type Provider struct {
	config cluster.Config
	state  cluster.State
	kind   *kindcluster.Provider
	// upstreamImages: the nodes pull what the fixtures name, instead of getting the stand-in under those names.
	upstreamImages bool

	once   sync.Once
	rest   *rest.Config
	failed error
}

var (
	_ cluster.Provider      = (*Provider)(nil)
	_ cluster.NodeLifecycle = (*Provider)(nil)
	_ cluster.ImageLoader   = (*Provider)(nil)
	_ cluster.Restarter     = (*Provider)(nil)
)

// New returns a cluster that Create will make. config needs Name, Version, Binaries (for kubectl) and Dir; Nodes defaults to
// DefaultNodes and NodeImage to Image(Version).
func New(config cluster.Config) *Provider { return (&Provider{config: config}).defaults() }

// Open returns the cluster that state describes, which another process may have made.
func Open(state cluster.State) *Provider {
	return (&Provider{state: state, config: cluster.Config{
		Name: state.Name, Version: state.Version, Nodes: state.Nodes, Binaries: state.Binaries, Dir: state.Dir,
		NoDaemonSetController: state.NoDaemonSetController,
	}}).defaults()
}

func (p *Provider) defaults() *Provider {
	if p.config.Nodes == 0 {
		p.config.Nodes = DefaultNodes
	}
	if p.config.NodeImage == "" && p.config.Version != "" {
		p.config.NodeImage = Image(p.config.Version)
	}
	if p.config.Log == nil {
		p.config.Log = io.Discard
	}
	if p.config.Dir != "" {
		if dir, err := filepath.Abs(p.config.Dir); err == nil {
			p.config.Dir = dir
		}
	}
	p.kind = kindcluster.NewProvider(kindcluster.ProviderWithDocker(), kindcluster.ProviderWithLogger(logger{p.config.Log}))
	return p
}

// State implements cluster.Provider.
func (p *Provider) State() cluster.State { return p.state }

// WithName sets the cluster's name; as all With methods, it has no effect on a cluster that exists.
func (p *Provider) WithName(name string) types.E2EClusterProvider { p.config.Name = name; return p }

// WithVersion sets the Kubernetes version, and the node image if none was chosen.
func (p *Provider) WithVersion(version string) types.E2EClusterProvider {
	if p.config.NodeImage == Image(p.config.Version) {
		p.config.NodeImage = Image(version)
	}
	p.config.Version = version
	return p.defaults()
}

// WithPath sets the folder with kubectl.
func (p *Provider) WithPath(path string) types.E2EClusterProvider { p.config.Binaries = path; return p }

// WithOpts applies options to the provider.
func (p *Provider) WithOpts(opts ...types.ClusterOpts) types.E2EClusterProvider {
	for _, opt := range opts {
		opt(p)
	}
	return p
}

// UpstreamImages is an option for WithOpts, before Create: the stand-in images are not loaded, so that the nodes pull the real ones.
func UpstreamImages(p types.E2EClusterProvider) {
	if kind, ok := p.(*Provider); ok {
		kind.upstreamImages = true
	}
}

// SetDefaults fills in what was not chosen.
func (p *Provider) SetDefaults() types.E2EClusterProvider { return p.defaults() }

// CreateWithConfig always fails: what this provider promises depends on the configuration it writes itself.
func (p *Provider) CreateWithConfig(context.Context, string) (string, error) {
	return "", errors.New("this kind cluster takes no configuration file: use cluster.Config")
}

// GetKubeconfig returns the path of the kubeconfig, which is in the cluster's own folder and never the user's.
func (p *Provider) GetKubeconfig() string { return filepath.Join(p.config.Dir, "kubeconfig") }

// GenerateKubeconfig returns the path of the kubeconfig, which is always current. Arguments are ignored.
func (p *Provider) GenerateKubeconfig(...string) (string, error) { return p.GetKubeconfig(), nil }

// GetKubectlContext returns the only context of the kubeconfig.
func (p *Provider) GetKubectlContext() string { return "kind-" + p.config.Name }

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
		}
	})
	if p.failed != nil {
		return nil, fmt.Errorf("reading the kubeconfig of kind cluster %q: %w", p.config.Name, p.failed)
	}
	return p.rest, nil
}

func (p *Provider) client() (kubernetes.Interface, error) {
	config, err := p.restConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// validate meets bad input before anything is created.
func (p *Provider) validate(ctx context.Context) error {
	c := p.config
	switch {
	// A node's host name is the cluster's with "-control-plane" behind it, and at most 63 letters long.
	case !regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$`).MatchString(c.Name):
		return fmt.Errorf("cluster name %q: use up to 48 lower-case letters, digits and dashes", c.Name)
	case c.Nodes < 1 || c.Nodes > MaxNodes:
		return fmt.Errorf("a kind cluster has 1 to %d nodes, not %d", MaxNodes, c.Nodes)
	case c.Dir == "":
		return errors.New("a kind cluster needs a folder of its own (Dir)")
	case c.NodeImage == "":
		return errors.New("a kind cluster needs a node image, or a Kubernetes version to choose it by")
	}
	kubectl := filepath.Join(c.Binaries, "kubectl")
	if info, err := os.Stat(kubectl); err != nil || info.Mode()&0o111 == 0 {
		return fmt.Errorf("no executable kubectl in %s", c.Binaries)
	}
	if err := Available(ctx, c.NodeImage); err != nil {
		return err
	}
	containers, err := p.containers(ctx)
	if err != nil {
		return err
	}
	if len(containers) > 0 {
		return fmt.Errorf("a kind cluster %q exists already: destroy it, or choose another name", c.Name)
	}
	return nil
}
