package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// Shards is the id of what all shards on a cluster have in common: the table of node leases, in the namespace RunNamespace(Shards). Each shard
// is a run of its own besides, with its own id on what it makes and its own heartbeat, so that one that was killed is cleaned up after while
// the others go on. The shards of several runs have it in common too: nodes are nodes.
const Shards = "shards"

// membersName is the ConfigMap that has a key for the id of each run that takes part. Without any it is never written again: the last
// one to leave has emptied it and takes the namespace away, and whoever comes then makes both anew.
const membersName = "members"

// errEnding says that what shards have in common is being taken away.
var errEnding = errors.New("earlier shards have not ended yet")

// JoinShards makes the run one of the shards on the cluster. KeepShards has to follow.
func JoinShards(ctx context.Context, client kubernetes.Interface, run string) error {
	for {
		uid, err := enter(ctx, client, run)
		switch {
		case err == nil:
			return nil
		case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
			continue // another shard was faster
		case !errors.Is(err, errEnding):
			return fmt.Errorf("joining the other shards: %w", err)
		}
		if err := removeShards(ctx, client, uid); err != nil {
			return fmt.Errorf("joining after earlier shards: %w", err)
		}
	}
}

// KeepShards keeps what the shards have in common from being swept until ctx ends.
func KeepShards(ctx context.Context, client kubernetes.Interface) { go beat(ctx, client, Shards) }

// enter returns the UID of the namespace that it found or made.
func enter(ctx context.Context, client kubernetes.Interface, run string) (types.UID, error) {
	labels := map[string]string{RunLabel: Shards}
	namespace, err := client.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: RunNamespace(Shards), Labels: labels}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		namespace, err = client.CoreV1().Namespaces().Get(ctx, RunNamespace(Shards), metav1.GetOptions{})
	}
	if err != nil {
		return "", err
	}
	if namespace.DeletionTimestamp != nil {
		return namespace.UID, errEnding
	}
	// Before the members, for without it a sweep would take a namespace that has some for one whose runs are dead.
	if err := createHeartbeat(ctx, client, Shards); err != nil && !apierrors.IsAlreadyExists(err) {
		return namespace.UID, orEnding(err)
	}
	maps := client.CoreV1().ConfigMaps(namespace.Name)
	members, err := maps.Get(ctx, membersName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		members = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: membersName, Labels: labels}, Data: map[string]string{run: ""}}
		_, err = maps.Create(ctx, members, metav1.CreateOptions{})
	case err != nil:
	case len(members.Data) == 0:
		err = errEnding
	default:
		members.Data[run] = ""
		_, err = maps.Update(ctx, members, metav1.UpdateOptions{})
	}
	return namespace.UID, orEnding(err)
}

func orEnding(err error) error {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return errEnding
	}
	return err
}

// removeShards deletes that namespace, and none that a faster shard made after it, and returns when it is gone.
func removeShards(ctx context.Context, client kubernetes.Interface, uid types.UID) error {
	only := metav1.ListOptions{LabelSelector: RunLabel + "=" + Shards}
	list, err := client.CoreV1().Namespaces().List(ctx, only)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list.Items, func(n corev1.Namespace) bool { return n.UID == uid }) {
		return nil
	}
	w, err := watchFrom(ctx, list.ResourceVersion, only, client.CoreV1().Namespaces().Watch)
	if err != nil {
		return err
	}
	defer w.Stop()
	err = client.CoreV1().Namespaces().Delete(ctx, RunNamespace(Shards), *metav1.NewPreconditionDeleteOptions(string(uid)))
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) { // a conflict: it is on its way already
		return err
	}
	return awaitDeleted(ctx, w, "what earlier shards had in common")
}

// LeaveShards is the opposite of JoinShards. The last one takes away what they had in common. It can be called again, and for a run that
// was killed.
func LeaveShards(ctx context.Context, client kubernetes.Interface, run string) error {
	for {
		uid, err := leave(ctx, client, run)
		switch {
		case apierrors.IsConflict(err):
			continue
		case apierrors.IsNotFound(err):
			return nil
		case err == nil && uid != "":
			err = removeShards(ctx, client, uid)
		}
		if err != nil {
			return fmt.Errorf("leaving the other shards: %w", err)
		}
		return nil
	}
}

// leave returns the UID of the namespace if nobody is left in it.
func leave(ctx context.Context, client kubernetes.Interface, run string) (types.UID, error) {
	namespace, err := client.CoreV1().Namespaces().Get(ctx, RunNamespace(Shards), metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	maps := client.CoreV1().ConfigMaps(namespace.Name)
	members, err := maps.Get(ctx, membersName, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	for member := range members.Data {
		// One that was killed after its end has no heartbeat. A silent one is left to whoever sweeps: it may only be slow.
		if member == run || NewVigil().Dead(ctx, client, member) {
			delete(members.Data, member)
		}
	}
	if _, err := maps.Update(ctx, members, metav1.UpdateOptions{}); err != nil || len(members.Data) > 0 {
		return "", err
	}
	return namespace.UID, nil
}
