package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"rollcall.dev/fixtures/standin"
	"rollcall.dev/framework/cluster"
)

const (
	// createTimeout bounds kind's own work: 40 s on two cores, several minutes on a loaded machine.
	createTimeout = 8 * time.Minute
	// readyTimeout is from there until all nodes are ready.
	readyTimeout = 4 * time.Minute
	// cleanUpTimeout bounds collecting logs and removing containers after a failure.
	cleanUpTimeout = time.Minute
)

// Create makes the cluster, loads the stand-in images into its nodes, and returns the path of the kubeconfig once all nodes are ready.
// Arguments are ignored. When it fails, the nodes' logs are left in Config.Dir with ".logs" behind it, and nothing else; when ctx
// ends, nothing.
func (p *Provider) Create(ctx context.Context, _ ...string) (kubeconfig string, err error) {
	if err := p.validate(ctx); err != nil {
		return "", err
	}
	facts, err := p.surroundings(ctx)
	if err != nil {
		return "", err
	}
	configuration, err := p.configuration(facts)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = p.abandon(ctx, err)
		}
	}()
	if err := os.MkdirAll(p.config.Dir, 0o700); err != nil {
		return "", fmt.Errorf("making the folder of kind cluster %q: %w", p.config.Name, err)
	}
	if err := p.start(ctx, configuration); err != nil {
		return "", fmt.Errorf("starting kind cluster %q: %w", p.config.Name, err)
	}
	version, err := p.furnish(ctx)
	if err != nil {
		return "", fmt.Errorf("preparing kind cluster %q: %w", p.config.Name, err)
	}
	p.state = cluster.State{
		Provider: Name, Name: p.config.Name, Version: version, Nodes: p.config.Nodes,
		Kubeconfig: p.GetKubeconfig(), Context: p.GetKubectlContext(), Kubectl: filepath.Join(p.config.Binaries, "kubectl"),
		Binaries: p.config.Binaries, Dir: p.config.Dir, NoDaemonSetController: p.config.NoDaemonSetController, PID: os.Getpid(),
	}
	return p.state.Kubeconfig, nil
}

// start runs kind. kind knows no context: when ctx ends, its containers are taken away from under it until it gives up.
func (p *Provider) start(parent context.Context, configuration *v1alpha4.Cluster) error {
	ctx, cancel := context.WithTimeoutCause(parent, createTimeout, fmt.Errorf("not up after %v", createTimeout))
	defer cancel()
	var failure error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		failure = p.kind.Create(p.config.Name,
			kindcluster.CreateWithV1Alpha4Config(configuration),
			kindcluster.CreateWithKubeconfigPath(p.GetKubeconfig()),
			kindcluster.CreateWithRetain(true)) // after a failure its logs are wanted; abandon removes it
	}()
	select {
	case <-ended:
		return failure
	case <-ctx.Done():
	}
	cause := context.Cause(ctx)
	if parent.Err() == nil { // it was too slow: keep what says why before it is gone
		p.collectFailure(context.WithoutCancel(ctx))
	}
	removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		removeErr := p.removeContainers(removing)
		select {
		case <-ended: // what kind says of vanished containers is noise
			return errors.Join(cause, p.removeContainers(removing))
		case <-removing.Done():
			return errors.Join(cause, fmt.Errorf("kind has not given up: %w", removing.Err()), removeErr)
		case <-tick.C:
		}
	}
}

// furnish does what kind does not: stand-in images, and all nodes ready. It returns the API server's version.
func (p *Provider) furnish(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("not ready after %v", readyTimeout))
	defer cancel()
	client, err := p.client()
	if err != nil {
		return "", err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return "", fmt.Errorf("asking the API server for its version: %w", err)
	}
	if !p.upstreamImages {
		if err := p.loadStandIns(ctx, standin.Tags...); err != nil {
			return "", err
		}
	}
	if err := waitUntil(ctx, func() (string, error) { return p.notFurnished(ctx, client) }); err != nil {
		return "", err
	}
	return version.GitVersion, nil
}

// notFurnished says what is still missing before specs can run; "" if nothing is.
func (p *Provider) notFurnished(ctx context.Context, client kubernetes.Interface) (string, error) {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("listing nodes: %w", err)
	}
	if want := p.config.Nodes + 1; len(nodes.Items) < want {
		return fmt.Sprintf("%d of %d nodes have registered", len(nodes.Items), want), nil
	}
	for i := range nodes.Items {
		if why := notReady(&nodes.Items[i]); why != "" {
			return why, nil
		}
	}
	_, err = client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "there is no default service account", nil
	}
	return "", err
}

// notReady says why a node cannot run pods yet; "" if it can. The control plane's own taint stays.
func notReady(node *corev1.Node) string {
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeNotReady || taint.Key == corev1.TaintNodeUnreachable {
			return fmt.Sprintf("node %s has the taint %s", node.Name, taint.Key)
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return ""
		}
	}
	return fmt.Sprintf("node %s is not ready", node.Name)
}

// abandon removes a cluster whose creation failed, and returns why it failed and what of it could not be removed.
func (p *Provider) abandon(ctx context.Context, failure error) error {
	interrupted := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
	defer cancel()
	if interrupted {
		return errors.Join(failure, p.Destroy(ctx))
	}
	if p.collectFailure(ctx) {
		failure = fmt.Errorf("%w (the nodes' logs are in %s)", failure, p.failureLogs())
	}
	return errors.Join(failure, p.Destroy(ctx))
}

// failureLogs is beside the cluster's folder, because that goes with the cluster.
func (p *Provider) failureLogs() string { return p.config.Dir + ".logs" }

// collectFailure writes the nodes' logs, as far as they can be had, and says whether there are any.
func (p *Provider) collectFailure(ctx context.Context) bool {
	if containers, err := p.containers(ctx); err == nil && len(containers) > 0 {
		if err := p.ExportLogs(ctx, p.failureLogs()); err != nil {
			fmt.Fprintf(p.config.Log, "collecting the logs of kind cluster %q: %v\n", p.config.Name, err)
		}
	}
	_, err := os.Stat(p.failureLogs())
	return err == nil
}

// waitUntil asks until missing says "" and returns its last word if ctx ends before. An error is asked again too: an API server that
// has just started may refuse a few requests.
func waitUntil(ctx context.Context, missing func() (string, error)) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for last := ""; ; {
		why, err := missing()
		switch {
		case ctx.Err() != nil: // the question was cut short; the answer before it says more
		case err != nil:
			last = err.Error()
		case why == "":
			return nil
		default:
			last = why
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", context.Cause(ctx), last)
		case <-tick.C:
		}
	}
}
