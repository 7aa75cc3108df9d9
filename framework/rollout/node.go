package rollout

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// What these acts leave on a node carries the run's id, is taken away again when the spec ends, and is found by cluster.EndRun if
// the spec is killed. The node has to be leased alone.

// taintKey is the key of a taint that a spec names.
func taintKey(name string) string { return cluster.TaintPrefix + name }

// Taint gives the node a taint that no fixture tolerates; name tells several of one spec apart.
func (r *R) Taint(ctx context.Context, node, name string, effect corev1.TaintEffect) {
	ginkgo.GinkgoHelper()
	r.TaintWith(ctx, node, name, r.Run, effect)
}

// TaintWith is Taint with a value, in place of the one that the taint had if the node has it already. It returns the taint's key.
func (r *R) TaintWith(ctx context.Context, node, name, value string, effect corev1.TaintEffect) (key string) {
	ginkgo.GinkgoHelper()
	taint := corev1.Taint{Key: taintKey(name), Value: value, Effect: effect}
	r.mendLater(node, func(n *corev1.Node) { removeTaint(n, taint.Key) })
	var disturbs []history.Disturbance
	if effect != corev1.TaintEffectPreferNoSchedule { // which changes no node's eligibility
		disturbs = append(disturbs, history.NodesChanged)
	}
	r.changeNode(ctx, history.Act{Verb: "taint", Disturbs: disturbs, Note: taint.Key + ":" + string(effect)}, node, func(n *corev1.Node) {
		removeTaint(n, taint.Key)
		n.Spec.Taints = append(n.Spec.Taints, taint)
	})
	return taint.Key
}

// Untaint takes a taint of Taint away.
func (r *R) Untaint(ctx context.Context, node, name string) {
	ginkgo.GinkgoHelper()
	act := history.Act{Verb: "untaint", Disturbs: []history.Disturbance{history.NodesChanged}, Note: taintKey(name)}
	r.changeNode(ctx, act, node, func(n *corev1.Node) { removeTaint(n, taintKey(name)) })
}

func removeTaint(n *corev1.Node, key string) {
	n.Spec.Taints = slices.DeleteFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key })
}

// Cordon makes the node unschedulable, as kubectl cordon does. A DaemonSet's nodes stay the same, so nothing is excused by it.
func (r *R) Cordon(ctx context.Context, node string) {
	ginkgo.GinkgoHelper()
	r.mendLater(node, func(n *corev1.Node) {
		delete(n.Annotations, cluster.CordonAnnotation)
		n.Spec.Unschedulable = false
	})
	r.changeNode(ctx, history.Act{Verb: "cordon"}, node, func(n *corev1.Node) {
		metav1.SetMetaDataAnnotation(&n.ObjectMeta, cluster.CordonAnnotation, r.Run)
		n.Spec.Unschedulable = true
	})
}

// nodeLabel is the label, key and value, that LabelNode sets. name tells several of one spec apart.
func (r *R) nodeLabel(name string) (key, value string) {
	return leaseLabel(r.holder()) + "-" + name, r.Run
}

// NodesLabelled has the template's pods run only on nodes that LabelNode gave the label.
func (r *R) NodesLabelled(name string) Change {
	return func(ds *appsv1.DaemonSet) {
		key, value := r.nodeLabel(name)
		ds.Spec.Template.Spec.NodeSelector[key] = value
	}
}

// LabelNode gives the node a label, for NodesLabelled. name tells several of one spec apart.
func (r *R) LabelNode(ctx context.Context, node, name string) {
	ginkgo.GinkgoHelper()
	key, value := r.nodeLabel(name)
	r.mendLater(node, func(n *corev1.Node) { delete(n.Labels, key) })
	act := history.Act{Verb: "label", Disturbs: []history.Disturbance{history.NodesChanged}, Note: key}
	r.changeNode(ctx, act, node, func(n *corev1.Node) { metav1.SetMetaDataLabel(&n.ObjectMeta, key, value) })
}

// RelabelNode gives the label of LabelNode another value, which nothing selects.
func (r *R) RelabelNode(ctx context.Context, node, name string) {
	ginkgo.GinkgoHelper()
	key, value := r.nodeLabel(name)
	r.mendLater(node, func(n *corev1.Node) { delete(n.Labels, key) })
	act := history.Act{Verb: "label", Disturbs: []history.Disturbance{history.NodesChanged}, Note: key}
	r.changeNode(ctx, act, node, func(n *corev1.Node) { metav1.SetMetaDataLabel(&n.ObjectMeta, key, value+"-not") })
}

// UnlabelNode takes the label of LabelNode away.
func (r *R) UnlabelNode(ctx context.Context, node, name string) {
	ginkgo.GinkgoHelper()
	key, _ := r.nodeLabel(name)
	act := history.Act{Verb: "unlabel", Disturbs: []history.Disturbance{history.NodesChanged}, Note: key}
	r.changeNode(ctx, act, node, func(n *corev1.Node) { delete(n.Labels, key) })
}

// changeNode writes a node's metadata and spec as an act.
func (r *R) changeNode(ctx context.Context, act history.Act, node string, change func(*corev1.Node)) {
	ginkgo.GinkgoHelper()
	act.Object = history.Reference{Resource: history.Nodes, Name: node}
	r.Act(ctx, act, func(ctx context.Context) error { return r.writeNode(ctx, node, change) })
}

func (e *Environment) writeNode(ctx context.Context, name string, change func(*corev1.Node)) error {
	// Its kubelet and the node controllers write to it as well.
	return rewrite(func() error {
		node, err := e.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(node)
		_, err = e.Client.CoreV1().Nodes().Update(ctx, node, metav1.UpdateOptions{})
		return err
	})
}

// mendLater registers what takes an act on a node back, before the act: the spec may be interrupted in it.
func (r *R) mendLater(node string, change func(*corev1.Node)) {
	e := r.Environment
	ginkgo.DeferCleanup(func(ctx context.Context) error {
		if err := e.writeNode(ctx, node, change); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("taking the spec's marks from node %s: %w", node, err)
		}
		return nil
	}, ginkgo.NodeTimeout(r.patience(time.Minute)))
}

// Annotate gives the node an annotation with the run's id as its value.
func (r *R) Annotate(ctx context.Context, node, key string) {
	ginkgo.GinkgoHelper()
	r.mendLater(node, func(n *corev1.Node) { delete(n.Annotations, key) })
	r.changeNode(ctx, history.Act{Verb: "annotate", Note: key}, node, func(n *corev1.Node) { metav1.SetMetaDataAnnotation(&n.ObjectMeta, key, r.Run) })
}

// Report writes what kubelets and other agents report of a node into its status: so much of an extended resource, and a condition
// of the same name, which is True. Neither is anything that a pod is chosen by.
func (r *R) Report(ctx context.Context, node, resourceName, quantity string) {
	ginkgo.GinkgoHelper()
	e, name := r.Environment, corev1.ResourceName(resourceName)
	withdraw := func(n *corev1.Node) {
		delete(n.Status.Capacity, name)
		delete(n.Status.Allocatable, name)
		n.Status.Conditions = slices.DeleteFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool { return string(c.Type) == resourceName })
	}
	ginkgo.DeferCleanup(func(ctx context.Context) error {
		if err := e.writeNodeStatus(ctx, node, withdraw); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("taking %s from the status of node %s: %w", resourceName, node, err)
		}
		return nil
	}, ginkgo.NodeTimeout(r.patience(time.Minute)))
	r.Act(ctx, history.Act{Verb: "report", Object: nodeReference(node), Note: resourceName + ": " + quantity}, func(ctx context.Context) error {
		return e.writeNodeStatus(ctx, node, func(n *corev1.Node) {
			withdraw(n)
			n.Status.Capacity[name], n.Status.Allocatable[name] = resource.MustParse(quantity), resource.MustParse(quantity)
			n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{
				Type: corev1.NodeConditionType(resourceName), Status: corev1.ConditionTrue, Reason: "Reported",
				LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
			})
		})
	})
}

func (e *Environment) writeNodeStatus(ctx context.Context, name string, change func(*corev1.Node)) error {
	return rewrite(func() error {
		node, err := e.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(node)
		_, err = e.Client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
		return err
	})
}
