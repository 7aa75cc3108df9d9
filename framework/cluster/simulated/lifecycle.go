package simulated

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/e2e-framework/pkg/types"
)

// holderStopped holds the lease of a node that is stopped. kwok leaves a node alone whose lease another holds, and as nobody renews it
// the control plane sees that the node is gone.
const holderStopped = "stopped"

// replannedAnnotation is on pods that were touched when a fault began or ended; its value is when.
const replannedAnnotation = "simulated.rollcall.dev/replanned"

// StopNode silences a node's kubelet: no heartbeat, no write to its pods, whatever was about to happen to them. It returns at once;
// the control plane calls the node NotReady when its grace period is over (9 to 14 s later; 40 to 55 s in clusters of more than 200).
func (p *Provider) StopNode(ctx context.Context, n *types.Node, _ ...string) error {
	client, err := p.client()
	if err != nil {
		return err
	}
	if err := exists(ctx, client, n.Name); err != nil {
		return fmt.Errorf("stopping a node: %w", err)
	}
	if err := p.change(ctx, func(f *faults) { f.Stopped[n.Name] = "stopped" }); err != nil {
		return fmt.Errorf("stopping %s: %w", n.Name, err)
	}
	lease := fmt.Sprintf(`{"spec":{"holderIdentity":%q,"leaseDurationSeconds":1000000000}}`, holderStopped)
	if err := patchLease(ctx, client, n.Name, lease); err != nil {
		return fmt.Errorf("stopping %s: %w", n.Name, err)
	}
	if err := replan(ctx, client, on(n.Name), awaits); err != nil {
		return fmt.Errorf("stopping %s: %w", n.Name, err)
	}
	return nil
}

// StartNode lets a stopped node's kubelet go on, and returns when the node is Ready and takes pods again, a few seconds later.
func (p *Provider) StartNode(ctx context.Context, n *types.Node, _ ...string) error {
	client, err := p.client()
	if err != nil {
		return err
	}
	if err := exists(ctx, client, n.Name); err != nil {
		return fmt.Errorf("starting a node: %w", err)
	}
	// The Stages first: once kwok holds the lease again it looks at the node's pods once, and must find them its own by then.
	if err := p.change(ctx, func(f *faults) { delete(f.Stopped, n.Name) }); err != nil {
		return fmt.Errorf("starting %s: %w", n.Name, err)
	}
	lease, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, n.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("starting %s: %w", n.Name, err)
	}
	if lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity == holderStopped {
		if err := patchLease(ctx, client, n.Name, `{"spec":{"holderIdentity":null,"leaseDurationSeconds":1}}`); err != nil {
			return fmt.Errorf("starting %s: %w", n.Name, err)
		}
	}
	if err := p.waitNode(ctx, client, n.Name); err != nil {
		return fmt.Errorf("starting %s: %w", n.Name, err)
	}
	return nil
}

// waitNode returns once kwok is in charge of a node and its pods, and the node is Ready without taints.
func (p *Provider) waitNode(ctx context.Context, client kubernetes.Interface, name string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		why, err := lacking(ctx, client, name)
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		if err == nil && why == "" {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", why, ctx.Err())
		case <-tick.C:
		}
	}
	f, err := p.faults()
	if err != nil {
		return err
	}
	if err := p.ask(ctx, client, name, f.Generation); err != nil {
		return err
	}
	// kwok looked at the node's pods when it took the lease, but let some pass until it knew that it holds it.
	return replan(ctx, client, on(name), all)
}

// lacking says why a node takes no pods, or "".
func lacking(ctx context.Context, client kubernetes.Interface, name string) (string, error) {
	nobody := "nobody renews its lease"
	lease, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, name, metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == holderStopped {
		return nobody, err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nobody, err
	}
	return notReady(node), nil
}

func patchLease(ctx context.Context, client kubernetes.Interface, node, patch string) error {
	_, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Patch(ctx, node, apitypes.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// replan makes kwok plan anew for the pods that match, by a write to each. What it has planned for them already, with Stages that have been
// replaced since, is refused by the API server, because it was made from an older version of the pod (see stages.go).
func replan(ctx context.Context, client kubernetes.Interface, fields string, match func(*corev1.Pod) bool) error {
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: fields})
	if err != nil {
		return err
	}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, replannedAnnotation, time.Now().UTC().Format(time.RFC3339Nano))
	for i := range pods.Items {
		pod := &pods.Items[i]
		if !match(pod) {
			continue
		}
		_, err := client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, apitypes.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("planning anew for pod %s/%s: %w", pod.Namespace, pod.Name, err)
		}
	}
	return nil
}

func on(node string) string { return "spec.nodeName=" + node }

func all(*corev1.Pod) bool { return true }

// awaits reports whether something is planned for a pod: it is on its way up or down, or its program is going to end.
func awaits(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return true
	}
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return false
	}
	for _, c := range pod.Status.ContainerStatuses {
		if !c.Ready || strings.Contains(c.ContainerID, "&exits=") {
			return true
		}
	}
	return len(pod.Status.ContainerStatuses) == 0
}
