package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"
)

// view is all that decisions about one DaemonSet are made from.
type view struct {
	set       *appsv1.DaemonSet
	nodes     []*corev1.Node
	pods      []*corev1.Pod                // those that it controls or may adopt
	revisions []*appsv1.ControllerRevision // likewise
}

// sync looks in the cache first, which costs nothing. Where there is something to do it asks the API server how things are, and acts on the
// answer: so it never acts twice because it has not seen its own act yet, and needs no books of what it expects to see.
func (c *controller) sync(ctx context.Context, key cache.ObjectName) (again time.Duration, err error) {
	set, err := c.sets.DaemonSets(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil || set.DeletionTimestamp != nil {
		return 0, err // what a DaemonSet leaves behind is the garbage collector's
	}
	v, err := c.cached(set)
	if err != nil {
		return 0, err
	}
	if claimed(v) && v.current() != nil && len(v.surplusRevisions()) == 0 {
		if p := c.plan(v); p.idle() {
			return p.wake, c.writeStatus(ctx, v)
		}
	}
	if v, err = c.live(ctx, v); err != nil || v == nil {
		return 0, err
	}
	if err := c.claim(ctx, v); err != nil {
		return 0, err
	}
	if err := c.ensureRevision(ctx, v); err != nil {
		return 0, err
	}
	p := c.plan(v)
	acted := c.act(ctx, v, p)
	// The status tells how things are also where something was refused.
	told := c.writeStatus(ctx, v)
	if err := errors.Join(acted, told); err != nil {
		return 0, err
	}
	return p.wake, c.deleteRevisions(ctx, v)
}

func (c *controller) cached(set *appsv1.DaemonSet) (*view, error) {
	v := &view{set: set}
	pods, err := c.pods.Pods(set.Namespace).List(labels.Everything())
	if err != nil {
		return nil, err
	}
	revisions, err := c.revisions.ControllerRevisions(set.Namespace).List(labels.Everything())
	if err != nil {
		return nil, err
	}
	v.pods, v.revisions = concerning(set, pods), concerning(set, revisions)
	v.nodes, err = c.nodes.List(labels.Everything())
	return v, err
}

// live is the same from the API server, nil where the DaemonSet is no longer the one that was meant. Nodes are as the cache has them: no
// controller can know better than a moment ago what becomes of a node.
func (c *controller) live(ctx context.Context, old *view) (*view, error) {
	set, err := c.client.AppsV1().DaemonSets(old.set.Namespace).Get(ctx, old.set.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && (set.UID != old.set.UID || set.DeletionTimestamp != nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	matching := metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(set.Spec.Selector)}
	pods, err := c.client.CoreV1().Pods(set.Namespace).List(ctx, matching)
	if err != nil {
		return nil, err
	}
	revisions, err := c.client.AppsV1().ControllerRevisions(set.Namespace).List(ctx, matching)
	if err != nil {
		return nil, err
	}
	v := &view{set: set, nodes: old.nodes}
	// What it controls and no longer selects, to be released, these lists do not have.
	v.pods = append(concerning(set, pointers(pods.Items)), unselected(set, old.pods)...)
	v.revisions = append(concerning(set, pointers(revisions.Items)), unselected(set, old.revisions)...)
	return v, nil
}

func pointers[T any](items []T) (all []*T) {
	for i := range items {
		all = append(all, &items[i])
	}
	return all
}

// act carries a plan out: first what has to go, then what is missing, and only where nothing was refused the next step of an update. An
// update that went on while its pods cannot be created would take down one node after another.
func (c *controller) act(ctx context.Context, v *view, p *plan) error {
	var problems []error
	stuck := map[string]bool{}
	for _, pod := range p.remove {
		if err := c.deletePod(ctx, v.set, pod); err != nil {
			problems = append(problems, err)
			stuck[target(pod)] = true
		}
	}
	// One by one at first, and twice as many each time that all went well: a quota refuses one pod, not a thousand.
	batch, refused := 1, false
	for missing := p.create; len(missing) > 0; batch *= 2 {
		n := min(batch, len(missing))
		errs := make(chan error, n)
		for _, node := range missing[:n] {
			go func() {
				if stuck[node] {
					errs <- nil
					return
				}
				errs <- c.createPod(ctx, v, node)
			}()
		}
		missing = missing[n:]
		for range n {
			if err := <-errs; err != nil {
				problems, refused = append(problems, err), true
			}
		}
		if refused {
			break
		}
	}
	if !refused {
		for _, pod := range p.replace {
			if err := c.deletePod(ctx, v.set, pod); err != nil {
				problems = append(problems, err)
			}
		}
	}
	return errors.Join(problems...)
}

// deletePod deletes exactly what was judged: a pod that has changed since, even if only in its readiness, is looked at again.
func (c *controller) deletePod(ctx context.Context, set *appsv1.DaemonSet, pod *corev1.Pod) error {
	if terminal(pod) {
		reason := "FailedDaemonPod"
		if pod.Status.Phase == corev1.PodSucceeded {
			reason = "SucceededDaemonPod"
		}
		c.events.Eventf(set, corev1.EventTypeWarning, reason, "pod %s on node %s has ended and is replaced", pod.Name, target(pod))
		c.failures.note(keyOf(set, pod), time.Now())
	}
	err := c.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &pod.UID, ResourceVersion: &pod.ResourceVersion},
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("deleting pod %s: %w", pod.Name, err)
	}
	now := metav1.Now()
	pod.DeletionTimestamp = &now // in our copy, so that the status tells of it
	c.events.Eventf(set, corev1.EventTypeNormal, "SuccessfulDelete", "Deleted pod: %s", pod.Name)
	return nil
}

func (c *controller) createPod(ctx context.Context, v *view, node string) error {
	pod, err := c.client.CoreV1().Pods(v.set.Namespace).Create(ctx, newPod(v.set, node, v.current().Labels[hashLabel]), metav1.CreateOptions{})
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil // nothing will ever come of it
	case err != nil:
		c.events.Eventf(v.set, corev1.EventTypeWarning, "FailedCreate", "Error creating: %v", err)
		return fmt.Errorf("creating a pod for node %s: %w", node, err)
	}
	c.events.Eventf(v.set, corev1.EventTypeNormal, "SuccessfulCreate", "Created pod: %s", pod.Name)
	return nil
}
