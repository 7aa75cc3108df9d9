package simulated

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/types"
)

// AddNode adds a node and returns when it is Ready and takes pods. Each argument changes it from an ordinary one:
//
//	label=KEY=VALUE            adds a label
//	taint=KEY=VALUE:EFFECT     adds a taint; VALUE may be empty
//	allocatable=NAME=QUANTITY  sets a resource, in capacity too: allocatable=cpu=500m
func (p *Provider) AddNode(ctx context.Context, n *types.Node, args ...string) error {
	address := n.IP
	if address == nil {
		// Apart from those that Create gives; two added nodes rarely share one, and nothing but pods in the host's network would show it.
		h := fnv.New32()
		_, _ = h.Write([]byte(n.Name))
		address = net.IPv4(10, 1, byte(h.Sum32()>>8), byte(h.Sum32()%250+1))
	}
	object := node(n.Name, address)
	for _, arg := range args {
		if err := amend(object, arg); err != nil {
			return fmt.Errorf("adding node %q: %w", n.Name, err)
		}
	}
	client, err := p.client()
	if err != nil {
		return err
	}
	if err := p.letGo(ctx, n.Name); err != nil {
		return fmt.Errorf("adding node %q: %w", n.Name, err)
	}
	if _, err := client.CoreV1().Nodes().Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("adding node %q: %w", n.Name, err)
	}
	if err := p.waitNode(ctx, client, n.Name); err != nil {
		return fmt.Errorf("waiting for the new node %q: %w", n.Name, err)
	}
	return nil
}

func amend(node *corev1.Node, arg string) error {
	kind, rest, _ := strings.Cut(arg, "=")
	key, value, ok := strings.Cut(rest, "=")
	if !ok || key == "" {
		return fmt.Errorf("argument %q: want label=KEY=VALUE, taint=KEY=VALUE:EFFECT or allocatable=NAME=QUANTITY", arg)
	}
	switch kind {
	case "label":
		node.Labels[key] = value
	case "taint":
		value, effect, _ := strings.Cut(value, ":")
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)})
	case "allocatable":
		quantity, err := resource.ParseQuantity(value)
		if err != nil {
			return fmt.Errorf("argument %q: %w", arg, err)
		}
		node.Status.Capacity = maps.Clone(node.Status.Capacity)
		node.Status.Capacity[corev1.ResourceName(key)] = quantity
		node.Status.Allocatable = node.Status.Capacity
	default:
		return fmt.Errorf("argument %q: want label=, taint= or allocatable=", arg)
	}
	return nil
}

// RemoveNode deletes the Node object, as when a machine is taken away for good. Its pods are left to the pod garbage collector. A node that
// is not there is no error.
func (p *Provider) RemoveNode(ctx context.Context, n *types.Node, _ ...string) error {
	client, err := p.client()
	if err != nil {
		return err
	}
	defer func() { p.removed.Store(n.Name, time.Now()) }()
	err = client.CoreV1().Nodes().Delete(ctx, n.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("removing node %q: %w", n.Name, err)
	}
	// A lease that outlived its node would decide over a new node of the same name.
	err = client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Delete(ctx, n.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("removing the lease of node %q: %w", n.Name, err)
	}
	return p.change(ctx, func(f *faults) {
		delete(f.Stopped, n.Name)
		delete(f.Clocks, n.Name)
		delete(f.Rejecting, n.Name)
	})
}

// letGo waits until kwok has nothing to do any more for a node of this name that was removed a moment ago. A renewal of its lease that was
// under way comes back to kwok's queue once more; with a new node of the same name it would stand there twice, and an item that stands twice
// is never taken from the head again (kwok 0.8.0, pkg/utils/heap): no node's lease would be renewed any more.
func (p *Provider) letGo(ctx context.Context, name string) error {
	at, ok := p.removed.Load(name)
	if !ok {
		return nil
	}
	const inFlight = 4 * time.Second
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Until(at.(time.Time).Add(p.heartbeats().lease/4 + inFlight))):
		return nil
	}
}

// ListNode lists the nodes; State is "running" (Ready) or "stopped" (not Ready).
func (p *Provider) ListNode(ctx context.Context, _ ...string) ([]types.Node, error) {
	client, err := p.client()
	if err != nil {
		return nil, err
	}
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	nodes := make([]types.Node, 0, len(list.Items))
	for i := range list.Items {
		n := &list.Items[i]
		state := "stopped"
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				state = "running"
			}
		}
		one := types.Node{Name: n.Name, Role: "worker", Cluster: p.config.Name, State: state}
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				one.IP = net.ParseIP(a.Address)
			}
		}
		nodes = append(nodes, one)
	}
	return nodes, nil
}
