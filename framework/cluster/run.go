package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

const (
	// LeaseLabelPrefix begins the node label of a spec that leased the node; the label's value is the run's id.
	LeaseLabelPrefix = "lease.rollcall.dev/"
	// TaintPrefix begins the key of every taint that a spec sets; the taint's value is the run's id.
	TaintPrefix = "taint.rollcall.dev/"
	// CordonAnnotation is on a node that a spec cordoned; its value is the run's id.
	CordonAnnotation = "rollcall.dev/cordoned"

	heartbeatName = "heartbeat"
	// heartbeatEvery is how often a run says that it lives; after deadAfter without a word it is taken for dead.
	heartbeatEvery = 15 * time.Second
	deadAfter      = 2 * time.Minute
)

// RunNamespace is the namespace that a run keeps its own business in: its heartbeat and its node leases.
func RunNamespace(run string) string { return "rollcall-" + run }

// BeginRun creates the run's namespace and keeps its heartbeat going until ctx ends.
func BeginRun(ctx context.Context, client kubernetes.Interface, run string) error {
	labels := map[string]string{RunLabel: run}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: RunNamespace(run), Labels: labels}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the run's namespace: %w", err)
	}
	if err := createHeartbeat(ctx, client, run); err != nil {
		return err
	}
	go beat(ctx, client, run)
	return nil
}

func createHeartbeat(ctx context.Context, client kubernetes.Interface, run string) error {
	now := metav1.NowMicro()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: heartbeatName, Labels: map[string]string{RunLabel: run}},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &run, RenewTime: &now},
	}
	if _, err := client.CoordinationV1().Leases(RunNamespace(run)).Create(ctx, lease, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the run's heartbeat: %w", err)
	}
	return nil
}

// beat keeps the heartbeat going until ctx ends.
func beat(ctx context.Context, client kubernetes.Interface, run string) {
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			patch := fmt.Sprintf(`{"spec":{"renewTime":%q}}`, now.UTC().Format(metav1.RFC3339Micro))
			// A beat that is lost, because the API server is being restarted say, is made up for by the next.
			_, _ = client.CoordinationV1().Leases(RunNamespace(run)).Patch(ctx, heartbeatName, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		}
	}
}

// DeadRuns returns the ids of the runs that left something behind and no longer beat.
func DeadRuns(ctx context.Context, client kubernetes.Interface) ([]string, error) {
	seen := map[string]bool{}
	note := func(labels map[string]string) {
		if run := labels[RunLabel]; run != "" {
			seen[run] = true
		}
	}
	namespaces, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: RunLabel})
	if err != nil {
		return nil, fmt.Errorf("listing namespaces: %w", err)
	}
	for i := range namespaces.Items {
		note(namespaces.Items[i].Labels)
	}
	daemonSets, err := client.AppsV1().DaemonSets("").List(ctx, metav1.ListOptions{LabelSelector: RunLabel})
	if err != nil {
		return nil, fmt.Errorf("listing DaemonSets: %w", err)
	}
	for i := range daemonSets.Items {
		note(daemonSets.Items[i].Labels)
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	for i := range nodes.Items {
		for _, run := range runsOn(&nodes.Items[i]) {
			seen[run] = true
		}
	}
	var dead []string
	for run := range seen {
		lease, err := client.CoordinationV1().Leases(RunNamespace(run)).Get(ctx, heartbeatName, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && lease.Spec.RenewTime != nil && time.Since(lease.Spec.RenewTime.Time) > deadAfter:
			dead = append(dead, run)
		case err != nil:
			return nil, fmt.Errorf("looking for the heartbeat of run %s: %w", run, err)
		}
	}
	return dead, nil
}

// EndRun removes everything that carries the run's id, waits until it is gone, and says what it removed. It can be called
// again, and for a run that was killed half-way.
func EndRun(ctx context.Context, client kubernetes.Interface, run string) (removed []string, err error) {
	selector := metav1.ListOptions{LabelSelector: RunLabel + "=" + run}
	problems := []error{deletePolicies(ctx, client, selector)}

	daemonSets, err := deleteDaemonSets(ctx, client, metav1.NamespaceAll, run)
	removed = append(removed, daemonSets...)
	problems = append(problems, err)

	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return removed, errors.Join(append(problems, fmt.Errorf("listing nodes: %w", err))...)
	}
	for i := range nodes.Items {
		if patch := cleanNode(&nodes.Items[i], run); patch != nil {
			if _, err := client.CoreV1().Nodes().Patch(ctx, nodes.Items[i].Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil && !apierrors.IsNotFound(err) {
				problems = append(problems, fmt.Errorf("taking the run's marks from node %s: %w", nodes.Items[i].Name, err))
				continue
			}
			removed = append(removed, "marks on node "+nodes.Items[i].Name)
		}
	}

	problems = append(problems, deleteMarkers(ctx, client, selector))
	// Kubelets write some events after the pod is gone.
	problems = append(problems, deleteEvents(ctx, client, sharedNamespace, sharedName))
	gone, err := deleteNamespaces(ctx, client, selector)
	return append(removed, gone...), errors.Join(append(problems, err)...)
}

// deleteMarkers deletes the recorder's pods in a namespace that outlives the run; those elsewhere go with theirs.
func deleteMarkers(ctx context.Context, client kubernetes.Interface, selector metav1.ListOptions) error {
	pods, err := client.CoreV1().Pods(sharedNamespace).List(ctx, selector)
	if err != nil {
		return fmt.Errorf("listing the run's pods: %w", err)
	}
	var problems []error
	for i := range pods.Items {
		err := client.CoreV1().Pods(sharedNamespace).Delete(ctx, pods.Items[i].Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		if err != nil && !apierrors.IsNotFound(err) {
			problems = append(problems, fmt.Errorf("deleting the run's pod %s: %w", pods.Items[i].Name, err))
		}
	}
	return errors.Join(problems...)
}

// DeleteDaemonSets deletes a run's DaemonSets in a namespace and returns when their pods and revisions are gone too.
func DeleteDaemonSets(ctx context.Context, client kubernetes.Interface, namespace, run string) error {
	_, err := deleteDaemonSets(ctx, client, namespace, run)
	return err
}

func deleteDaemonSets(ctx context.Context, client kubernetes.Interface, namespace, run string) (removed []string, err error) {
	list, err := client.AppsV1().DaemonSets(namespace).List(ctx, metav1.ListOptions{LabelSelector: RunLabel + "=" + run})
	if err != nil {
		return nil, fmt.Errorf("listing the run's DaemonSets: %w", err)
	}
	var problems []error
	foreground := metav1.DeletePropagationForeground
	for i := range list.Items {
		ds := &list.Items[i]
		// Foreground: when the DaemonSet is gone, so are its pods and revisions.
		if err := deleteAndWait(ctx, client, ds.Namespace, ds.Name, metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
			problems = append(problems, err)
			continue
		}
		removed = append(removed, "DaemonSet "+ds.Namespace+"/"+ds.Name)
		if !strings.HasPrefix(ds.Namespace, "rollcall-") { // else they go with the namespace
			problems = append(problems, deleteEvents(ctx, client, ds.Namespace, ds.Name))
		}
	}
	return removed, errors.Join(problems...)
}

// deleteEvents deletes the events about a DaemonSet that is gone and its pods, which would outlive them by an hour. What is there still is somebody
// else's, whatever its name begins with.
func deleteEvents(ctx context.Context, client kubernetes.Interface, namespace, name string) error {
	events, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing events about %s: %w", name, err)
	}
	there, err := living(ctx, client, namespace)
	if err != nil {
		return err
	}
	var problems []error
	for i := range events.Items {
		about := events.Items[i].InvolvedObject.Name
		if about != name && !strings.HasPrefix(about, name+"-") || there[events.Items[i].InvolvedObject.UID] {
			continue
		}
		if err := client.CoreV1().Events(namespace).Delete(ctx, events.Items[i].Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			problems = append(problems, fmt.Errorf("deleting an event about %s: %w", about, err))
		}
	}
	return errors.Join(problems...)
}

// living are the DaemonSets and pods of a namespace.
func living(ctx context.Context, client kubernetes.Interface, namespace string) (map[types.UID]bool, error) {
	there := map[types.UID]bool{}
	daemonSets, err := client.AppsV1().DaemonSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing DaemonSets: %w", err)
	}
	for i := range daemonSets.Items {
		there[daemonSets.Items[i].UID] = true
	}
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	for i := range pods.Items {
		there[pods.Items[i].UID] = true
	}
	return there, nil
}

func deleteAndWait(ctx context.Context, client kubernetes.Interface, namespace, name string, options metav1.DeleteOptions) error {
	only := metav1.ListOptions{FieldSelector: "metadata.name=" + name}
	list, err := client.AppsV1().DaemonSets(namespace).List(ctx, only)
	if err != nil {
		return fmt.Errorf("looking for DaemonSet %s/%s: %w", namespace, name, err)
	}
	w, err := watchFrom(ctx, list.ResourceVersion, only, client.AppsV1().DaemonSets(namespace).Watch)
	if err != nil {
		return fmt.Errorf("watching DaemonSet %s/%s: %w", namespace, name, err)
	}
	defer w.Stop()
	if err := client.AppsV1().DaemonSets(namespace).Delete(ctx, name, options); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("deleting DaemonSet %s/%s: %w", namespace, name, err)
	}
	return awaitDeleted(ctx, w, "DaemonSet "+namespace+"/"+name)
}

func deleteNamespaces(ctx context.Context, client kubernetes.Interface, selector metav1.ListOptions) (removed []string, err error) {
	list, err := client.CoreV1().Namespaces().List(ctx, selector)
	if err != nil {
		return nil, fmt.Errorf("listing the run's namespaces: %w", err)
	}
	w, err := watchFrom(ctx, list.ResourceVersion, selector, client.CoreV1().Namespaces().Watch)
	if err != nil {
		return nil, fmt.Errorf("watching the run's namespaces: %w", err)
	}
	defer w.Stop()
	var problems []error
	waiting := 0
	for i := range list.Items {
		name := list.Items[i].Name
		switch err := client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); {
		case err == nil || apierrors.IsConflict(err): // a conflict: it is on its way already
			waiting++
			removed = append(removed, "namespace "+name)
		case !apierrors.IsNotFound(err):
			problems = append(problems, fmt.Errorf("deleting namespace %s: %w", name, err))
		}
	}
	for range waiting {
		if err := awaitDeleted(ctx, w, "the run's namespaces"); err != nil {
			problems = append(problems, err)
			break
		}
	}
	return removed, errors.Join(problems...)
}

// watchFrom watches from a resourceVersion on, and goes on where it was when the connection ends.
func watchFrom(ctx context.Context, version string, selection metav1.ListOptions, open cache.WatchFuncWithContext) (watch.Interface, error) {
	return watchtools.NewRetryWatcherWithContext(ctx, version, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector, options.LabelSelector = selection.FieldSelector, selection.LabelSelector
			return open(ctx, options)
		},
	})
}

// awaitDeleted returns when the watch has delivered one deletion.
func awaitDeleted(ctx context.Context, w watch.Interface, what string) error {
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the end of %s: %w", what, context.Cause(ctx))
		case event, open := <-w.ResultChan():
			if !open {
				return fmt.Errorf("waiting for the end of %s: the watch was closed; make sweep tries again", what)
			}
			if event.Type == watch.Deleted {
				return nil
			}
		}
	}
}

func runsOn(node *corev1.Node) []string {
	var runs []string
	for key, run := range node.Labels {
		if strings.HasPrefix(key, LeaseLabelPrefix) {
			runs = append(runs, run)
		}
	}
	for _, t := range node.Spec.Taints {
		if strings.HasPrefix(t.Key, TaintPrefix) {
			runs = append(runs, t.Value)
		}
	}
	if run := node.Annotations[CordonAnnotation]; run != "" {
		runs = append(runs, run)
	}
	return runs
}

// cleanNode returns the merge patch that takes a run's marks from a node, nil where there are none. A list is replaced whole by a
// merge patch, so the resourceVersion guards taints that somebody else sets meanwhile.
func cleanNode(node *corev1.Node, run string) []byte {
	metadata, spec := map[string]any{}, map[string]any{}
	labels := map[string]any{}
	for key, value := range node.Labels {
		if strings.HasPrefix(key, LeaseLabelPrefix) && value == run {
			labels[key] = nil
		}
	}
	if len(labels) > 0 {
		metadata["labels"] = labels
	}
	kept := []corev1.Taint{}
	for _, t := range node.Spec.Taints {
		if !strings.HasPrefix(t.Key, TaintPrefix) || t.Value != run {
			kept = append(kept, t)
		}
	}
	if len(kept) < len(node.Spec.Taints) {
		spec["taints"] = kept
		metadata["resourceVersion"] = node.ResourceVersion
	}
	if node.Annotations[CordonAnnotation] == run {
		metadata["annotations"] = map[string]any{CordonAnnotation: nil}
		spec["unschedulable"] = nil
	}
	if len(metadata) == 0 {
		return nil
	}
	patch, _ := json.Marshal(map[string]any{"metadata": metadata, "spec": spec}) // maps of strings always encode
	return patch
}
