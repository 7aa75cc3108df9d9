// Package existing is the provider of a cluster that somebody else made: a kubeconfig. It creates and destroys nothing.
package existing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/e2e-framework/klient"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"rollcall.dev/framework/cluster"
)

// Provider reaches a cluster through its kubeconfig.
type Provider struct {
	state cluster.State
}

var _ cluster.Provider = (*Provider)(nil)

// Open returns the provider of the cluster that state.Kubeconfig reaches.
func Open(state cluster.State) *Provider {
	state.Provider = "existing"
	return &Provider{state: state}
}

// CheckKubeconfig says in one line what is wrong with a KUBECONFIG value, nil if a client can be made of it.
// It does not reach for the server.
func CheckKubeconfig(value string) error {
	if value == "" {
		return errors.New("PROVIDER=existing needs KUBECONFIG=<file>: the cluster to judge")
	}
	for _, path := range filepath.SplitList(value) {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("KUBECONFIG=%s: %w", value, err)
		}
	}
	config, err := rules(value).Load()
	if err != nil {
		return fmt.Errorf("KUBECONFIG=%s is not a kubeconfig: %w", value, err)
	}
	if _, ok := config.Contexts[config.CurrentContext]; !ok {
		return fmt.Errorf("KUBECONFIG=%s: its current context is %q, and it has %s; choose one with kubectl config use-context",
			value, config.CurrentContext, contexts(config))
	}
	if _, err := restConfig(value); err != nil {
		return fmt.Errorf("KUBECONFIG=%s: %w", value, err)
	}
	return nil
}

// Describe asks the cluster that a KUBECONFIG value reaches what it is, and whether the suite can run there. The files of the state are absolute:
// who uses it may work in another folder. Kubectl is left to the caller.
func Describe(ctx context.Context, kubeconfig string, shard bool) (cluster.State, error) {
	var files []string
	for _, path := range filepath.SplitList(kubeconfig) {
		path, err := filepath.Abs(path)
		if err != nil {
			return cluster.State{}, fmt.Errorf("KUBECONFIG=%s: %w", kubeconfig, err)
		}
		files = append(files, path)
	}
	state := cluster.State{Provider: "existing", Kubeconfig: strings.Join(files, string(filepath.ListSeparator))}
	finding, err := cluster.Examine(ctx, state, shard)
	state.Version, state.Nodes = finding.Version, len(finding.Nodes)
	return state, err
}

func contexts(config *clientcmdapi.Config) string {
	if len(config.Contexts) == 0 {
		return "no context at all"
	}
	var names []string
	for name := range config.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return "the contexts " + strings.Join(names, ", ")
}

func rules(kubeconfig string) *clientcmd.ClientConfigLoadingRules {
	return &clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(kubeconfig)}
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules(kubeconfig), nil).ClientConfig()
}

// State implements cluster.Provider.
func (p *Provider) State() cluster.State { return p.state }

// The builder methods of e2e-framework have nothing to build here.

// WithName does nothing: the cluster has its name.
func (p *Provider) WithName(string) types.E2EClusterProvider { return p }

// WithVersion does nothing: the cluster has its version.
func (p *Provider) WithVersion(string) types.E2EClusterProvider { return p }

// WithPath does nothing: no program is run.
func (p *Provider) WithPath(string) types.E2EClusterProvider { return p }

// WithOpts applies the options.
func (p *Provider) WithOpts(opts ...types.ClusterOpts) types.E2EClusterProvider {
	for _, o := range opts {
		o(p)
	}
	return p
}

// SetDefaults does nothing.
func (p *Provider) SetDefaults() types.E2EClusterProvider { return p }

// Create returns the kubeconfig.
func (p *Provider) Create(context.Context, ...string) (string, error) {
	return p.state.Kubeconfig, CheckKubeconfig(p.state.Kubeconfig)
}

// CreateWithConfig takes the path of a kubeconfig.
func (p *Provider) CreateWithConfig(ctx context.Context, kubeconfig string) (string, error) {
	p.state.Kubeconfig = kubeconfig
	return p.Create(ctx)
}

// GetKubeconfig returns its path.
func (p *Provider) GetKubeconfig() string { return p.state.Kubeconfig }

// GenerateKubeconfig returns its path: there is only the one.
func (p *Provider) GenerateKubeconfig(...string) (string, error) { return p.state.Kubeconfig, nil }

// GetKubectlContext returns the empty string: the kubeconfig's current context.
func (p *Provider) GetKubectlContext() string { return p.state.Context }

// ExportLogs has no way to somebody else's logs and does nothing.
func (p *Provider) ExportLogs(context.Context, string) error { return nil }

// Destroy leaves the cluster alone.
func (p *Provider) Destroy(context.Context) error { return nil }

// WaitForControlPlane returns nil when the API server lists DaemonSets.
func (p *Provider) WaitForControlPlane(ctx context.Context, client klient.Client) error {
	// An API server that cannot list DaemonSets is not one that this suite can use.
	return client.Resources("default").List(ctx, &appsv1.DaemonSetList{})
}

// KubernetesRestConfig returns nil if the kubeconfig is unusable; CheckKubeconfig says why.
func (p *Provider) KubernetesRestConfig() *rest.Config {
	config, err := restConfig(p.state.Kubeconfig)
	if err != nil {
		return nil
	}
	return config
}
