package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// AddNode adds a node to the cluster for this spec alone, with the label by which the spec's DaemonSets choose nodes, and returns
// its name once it is Ready. The node goes when the spec ends. The spec must have leased another node alone before: that keeps
// specs away that use every node there is. Skips where the provider cannot add nodes.
func (r *R) AddNode(ctx context.Context) string {
	ginkgo.GinkgoHelper()
	lifecycle := r.nodeLifecycle()
	name := fmt.Sprintf("rollcall-%s-%s-%d", r.Run, specID(ginkgo.CurrentSpecReport().FullText()), len(r.nodes))
	gomega.Expect(r.reserve(ctx, name)).To(gomega.Succeed(), "leasing node %s before it exists", name)
	r.nodes = append(r.nodes, name)
	r.recorder.Lease(name)
	r.takeAwayLater(lifecycle, name)
	act := history.Act{Verb: "add node", Object: nodeReference(name), Disturbs: []history.Disturbance{history.NodesChanged}}
	r.Act(ctx, act, func(ctx context.Context) error { return r.join(ctx, lifecycle, name) })
	return name
}

// RemoveNode removes a node that the spec leased alone, as when a machine is taken away for good: its pods are left for the garbage
// collector. The node is there again when the spec ends.
func (r *R) RemoveNode(ctx context.Context, name string) {
	ginkgo.GinkgoHelper()
	lifecycle := r.nodeLifecycle()
	r.bringBackLater(lifecycle, name)
	act := history.Act{Verb: "remove node", Object: nodeReference(name), Disturbs: []history.Disturbance{history.NodesChanged, history.NodesDown}}
	r.Act(ctx, act, func(ctx context.Context) error { return lifecycle.RemoveNode(ctx, &types.Node{Name: name}) })
}

// ReturnNode makes a node again that RemoveNode removed, under its old name, and returns when it is Ready.
func (r *R) ReturnNode(ctx context.Context, name string) {
	ginkgo.GinkgoHelper()
	lifecycle := r.nodeLifecycle()
	act := history.Act{Verb: "add node", Object: nodeReference(name), Disturbs: []history.Disturbance{history.NodesChanged}}
	r.Act(ctx, act, func(ctx context.Context) error { return r.join(ctx, lifecycle, name) })
}

// StopNode silences the node's kubelet: nothing happens to its pods any more, and the control plane calls it NotReady some time
// later. It runs again when the spec ends.
func (r *R) StopNode(ctx context.Context, name string) {
	ginkgo.GinkgoHelper()
	lifecycle := r.nodeLifecycle()
	r.EndLater(name, func(ctx context.Context) error {
		if err := lifecycle.StartNode(ctx, &types.Node{Name: name}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		return nil
	})
	act := history.Act{Verb: "stop node", Object: nodeReference(name), Disturbs: []history.Disturbance{history.NodesDown, history.ReadinessFlaps, history.NodesChanged}}
	r.Act(ctx, act, func(ctx context.Context) error { return lifecycle.StopNode(ctx, &types.Node{Name: name}) })
}

// StartNode lets a stopped node go on, and returns when it is Ready.
func (r *R) StartNode(ctx context.Context, name string) {
	ginkgo.GinkgoHelper()
	lifecycle := r.nodeLifecycle()
	act := history.Act{Verb: "start node", Object: nodeReference(name), Disturbs: []history.Disturbance{history.NodesDown, history.ReadinessFlaps, history.NodesChanged}}
	r.Act(ctx, act, func(ctx context.Context) error { return lifecycle.StartNode(ctx, &types.Node{Name: name}) })
}

// nodeLifecycle is the provider's, on a cluster whose nodes may be taken from other specs for minutes. kind has three, and its real
// kubelets and node controller need a minute to notice and another to mend: there the spec is skipped.
func (r *R) nodeLifecycle() cluster.NodeLifecycle {
	ginkgo.GinkgoHelper()
	if r.Provider.State().Provider == "kind" {
		ginkgo.Skip("on kind the few nodes that all specs share are not stopped, added or removed; PROVIDER=simulated does that")
	}
	return Need[cluster.NodeLifecycle](r)
}

func nodeReference(name string) history.Reference {
	return history.Reference{Resource: history.Nodes, Name: name}
}

// join adds the node, with the label of the spec's lease where the provider can give a new node one, and else afterwards.
func (r *R) join(ctx context.Context, lifecycle cluster.NodeLifecycle, name string) error {
	key, value := leaseLabel(r.holder()), r.Run
	if err := lifecycle.AddNode(ctx, &types.Node{Name: name}, "label="+key+"="+value); err != nil {
		return err
	}
	return r.writeNode(ctx, name, func(n *corev1.Node) { metav1.SetMetaDataLabel(&n.ObjectMeta, key, value) })
}

// takeAwayLater removes an added node at the spec's end: after the DaemonSets, whose pods on it could not end without it.
func (r *R) takeAwayLater(lifecycle cluster.NodeLifecycle, name string) {
	e, namespace := r.Environment, r.Namespace
	ginkgo.DeferCleanup(func(ctx context.Context) error {
		if e.goesAway() {
			return nil
		}
		if err := cluster.DeleteDaemonSets(ctx, e.Client, namespace, e.Run); err != nil {
			return err
		}
		return lifecycle.RemoveNode(ctx, &types.Node{Name: name})
	}, ginkgo.NodeTimeout(r.cleaning(len(r.nodes))))
}

// bringBackLater makes a removed node again at the spec's end, for the container's next spec too where that has leased it.
func (r *R) bringBackLater(lifecycle cluster.NodeLifecycle, name string) {
	e, kept := r.Environment, slices.Contains(r.kept, name)
	ginkgo.DeferCleanup(func(ctx context.Context) error {
		if e.goesAway() {
			return nil
		}
		_, err := e.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		switch {
		case !apierrors.IsNotFound(err):
			return err
		case kept:
			return r.join(ctx, lifecycle, name)
		}
		return lifecycle.AddNode(ctx, &types.Node{Name: name})
	}, ginkgo.NodeTimeout(r.patience(5*time.Minute)))
}

// reserve leases a node that does not exist yet, so that no other spec takes it when it appears.
func (r *R) reserve(ctx context.Context, name string) error {
	for {
		table, err := r.tables().Get(ctx, leasesName, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("reading the node leases: %w", err)
		}
		known := parseLeases(table.Data)
		if !slices.ContainsFunc(r.nodes, func(n string) bool { return known[n].Alone == r.entry(r.holder()) }) {
			return fmt.Errorf("the spec has leased no node alone")
		}
		known[name] = holders{Alone: r.entry(r.holder())}
		if err := r.writeLeases(ctx, table, known); !apierrors.IsConflict(err) {
			return err
		}
	}
}
