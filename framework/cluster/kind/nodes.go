package kind

import (
	"context"
	"fmt"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/types"
)

// nodeTimeout bounds how long a kubelet that was started takes until its node is ready.
const nodeTimeout = 2 * time.Minute

// StopNode stops a node's kubelet: no heartbeat, and nothing more happens to its pods as far as the API server sees; their containers
// go on. It returns at once; the control plane calls the node NotReady when its grace period is over (40 to 60 s later).
func (p *Provider) StopNode(ctx context.Context, n *types.Node, _ ...string) error {
	if err := p.kubelet(ctx, n.Name, "stop"); err != nil {
		return fmt.Errorf("stopping a node: %w", err)
	}
	return nil
}

// StartNode starts a stopped node's kubelet and returns when the node is ready.
func (p *Provider) StartNode(ctx context.Context, n *types.Node, _ ...string) error {
	began := time.Now()
	if err := p.kubelet(ctx, n.Name, "start"); err != nil {
		return fmt.Errorf("starting a node: %w", err)
	}
	return p.waitNode(ctx, n.Name, began)
}

// RemoveNode stops a node's kubelet and deletes its Node object. The container stays, so that AddNode can bring the node back.
func (p *Provider) RemoveNode(ctx context.Context, n *types.Node, _ ...string) error {
	if err := p.kubelet(ctx, n.Name, "stop"); err != nil {
		return fmt.Errorf("removing a node: %w", err)
	}
	client, err := p.client()
	if err != nil {
		return err
	}
	if err := client.CoreV1().Nodes().Delete(ctx, n.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("removing node %s: %w", n.Name, err)
	}
	return nil
}

// AddNode brings back a node that RemoveNode took away: its kubelet registers it anew. A kind cluster cannot get nodes that it was not
// made with.
func (p *Provider) AddNode(ctx context.Context, n *types.Node, _ ...string) error {
	began := time.Now()
	if err := p.kubelet(ctx, n.Name, "restart"); err != nil {
		return fmt.Errorf("adding a node (a kind cluster can only get back a node that was removed): %w", err)
	}
	return p.waitNode(ctx, n.Name, began)
}

// ListNode lists the nodes that pods can run on, which leaves the control plane's own out.
func (p *Provider) ListNode(ctx context.Context, _ ...string) ([]types.Node, error) {
	client, err := p.client()
	if err != nil {
		return nil, err
	}
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "!node-role.kubernetes.io/control-plane"})
	if err != nil {
		return nil, fmt.Errorf("listing the nodes of kind cluster %q: %w", p.config.Name, err)
	}
	var nodes []types.Node
	for i := range list.Items {
		node := types.Node{Name: list.Items[i].Name, Role: "worker", Cluster: p.config.Name, State: "Ready"}
		if notReady(&list.Items[i]) != "" {
			node.State = "NotReady"
		}
		for _, address := range list.Items[i].Status.Addresses {
			if address.Type == corev1.NodeInternalIP {
				node.IP = net.ParseIP(address.Address)
			}
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

// kubelet runs systemctl for the kubelet in a node of this cluster; no other container is touched.
func (p *Provider) kubelet(ctx context.Context, node, command string) error {
	if err := p.inCluster(ctx, node); err != nil {
		return err
	}
	_, err := docker(ctx, "exec", node, "systemctl", command, "kubelet")
	return err
}

func (p *Provider) inCluster(ctx context.Context, node string) error {
	found, err := docker(ctx, "ps", "--quiet", "--filter", "label="+clusterLabel+"="+p.config.Name, "--filter", "name=^/?"+node+"$")
	if err != nil {
		return fmt.Errorf("looking for node %s: %w", node, err)
	}
	if found == "" {
		return fmt.Errorf("kind cluster %q has no running node %q", p.config.Name, node)
	}
	return nil
}

// waitNode returns once a kubelet that was started after began has said that its node is ready.
func (p *Provider) waitNode(ctx context.Context, name string, began time.Time) error {
	client, err := p.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, nodeTimeout, fmt.Errorf("not after %v", nodeTimeout))
	defer cancel()
	err = waitUntil(ctx, func() (string, error) {
		node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		for _, condition := range node.Status.Conditions {
			// The control plane may not have noticed the stop yet: Ready from before it proves nothing. API times have no fractions.
			if condition.Type == corev1.NodeReady && condition.LastHeartbeatTime.Time.Before(began.Truncate(time.Second)) {
				return "its kubelet has not reported yet", nil
			}
		}
		return notReady(node), nil
	})
	if err != nil {
		return fmt.Errorf("waiting until node %s is ready: %w", name, err)
	}
	return nil
}
