package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/onsi/ginkgo/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

// Press writes into the status of a node that the spec leased alone that it is under pressure (MemoryPressure, …), as its kubelet would
// report it, and the control plane taints the node for it. A real kubelet finds soon that it is not; else it is so until the spec ends.
func (r *R) Press(ctx context.Context, node string, pressure corev1.NodeConditionType) {
	ginkgo.GinkgoHelper()
	e := r.Environment
	var before *corev1.NodeCondition // nil for a node that says nothing of it
	ginkgo.DeferCleanup(func(ctx context.Context) error {
		err := e.writeNodeStatus(ctx, node, func(n *corev1.Node) { setCondition(n, pressure, before) })
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("taking %s from the status of node %s: %w", pressure, node, err)
		}
		return nil
	}, ginkgo.NodeTimeout(r.patience(request)))
	act := history.Act{Verb: "report", Object: nodeReference(node), Note: string(pressure), Disturbs: []history.Disturbance{history.NodesChanged}}
	r.Act(ctx, act, func(ctx context.Context) error {
		return e.writeNodeStatus(ctx, node, func(n *corev1.Node) {
			now := metav1.Now()
			before = setCondition(n, pressure, &corev1.NodeCondition{
				Type: pressure, Status: corev1.ConditionTrue, Reason: "Reported", LastHeartbeatTime: now, LastTransitionTime: now,
			})
		})
	})
}

// setCondition sets or, with nil, removes a condition and returns the one before.
func setCondition(n *corev1.Node, kind corev1.NodeConditionType, to *corev1.NodeCondition) (before *corev1.NodeCondition) {
	n.Status.Conditions = slices.DeleteFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		if c.Type == kind {
			before = &c
		}
		return c.Type == kind
	})
	if to != nil {
		n.Status.Conditions = append(n.Status.Conditions, *to)
	}
	return before
}
