package simulated

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	coordinationlisters "k8s.io/client-go/listers/coordination/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/util/workqueue"
)

// register creates node-1 … node-n and returns once they take pods and kwok is in charge of them.
//
// kwok lets the events of a node's pods pass until it has seen that it holds the node's lease. It sees all leases in one stream, in the
// order of their creation: so the last node is created when the others have their leases, and when its simulated kubelet answers,
// kwok knows of all. To ask each would double the writes of a large cluster.
//
// Nodes and leases are looked up in caches that a watch each keeps: thousands of them, listed again and again, would keep the API
// server from its work.
func (p *Provider) register(ctx context.Context, client kubernetes.Interface, n int) error {
	caching, stop := context.WithCancel(ctx)
	factory := informers.NewSharedInformerFactory(client, 0)
	nodes, leases := factory.Core().V1().Nodes().Lister(), factory.Coordination().V1().Leases().Lister() // asking for a lister plans its cache
	factory.Start(caching.Done())
	defer factory.Shutdown() // waits for the caches to stop, so stop comes first
	defer stop()

	others := n - 1
	if err := create(ctx, client, 0, others); err != nil {
		return err
	}
	if err := each(ctx, others, func(name string) string { return withoutLease(leases, name) }); err != nil {
		return err
	}
	if err := create(ctx, client, others, n); err != nil {
		return err
	}
	if err := p.ask(ctx, client, nodeName(others), noFaults().Generation); err != nil {
		return err
	}
	return each(ctx, n, func(name string) string { return unregistered(nodes, name) })
}

func nodeName(i int) string { return fmt.Sprintf("node-%d", i+1) }

// create creates the nodes from up to, but not including, to. The first failure stops the others and is the one reported.
func create(ctx context.Context, client kubernetes.Interface, from, to int) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	workqueue.ParallelizeUntil(ctx, 32, to-from, func(i int) {
		i += from
		if _, err := client.CoreV1().Nodes().Create(ctx, node(nodeName(i), nodeAddress(i)), metav1.CreateOptions{}); err != nil {
			fail(fmt.Errorf("creating %s: %w", nodeName(i), err))
		}
	})
	return context.Cause(ctx)
}

// each returns once the first n nodes lack nothing. What one lacks is said when ctx ends before.
func each(ctx context.Context, n int, lacks func(name string) string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < n; {
		why := lacks(nodeName(i))
		if why == "" {
			i++
			continue
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d are ready: %s: %w", i, n, why, context.Cause(ctx))
		case <-tick.C:
		}
	}
	return nil
}

func withoutLease(leases coordinationlisters.LeaseLister, name string) string {
	lease, err := leases.Leases(corev1.NamespaceNodeLease).Get(name)
	if err != nil || lease.Spec.HolderIdentity == nil {
		return name + " has no lease"
	}
	return ""
}

func unregistered(nodes corelisters.NodeLister, name string) string {
	node, err := nodes.Get(name)
	if err != nil {
		return name + " is not registered"
	}
	return notReady(node)
}
