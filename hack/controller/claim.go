package main

import (
	"context"
	"encoding/json"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

var kind = appsv1.SchemeGroupVersion.WithKind("DaemonSet")

func selects(set *appsv1.DaemonSet, object metav1.Object) bool {
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	return err == nil && !selector.Empty() && selector.Matches(labels.Set(object.GetLabels()))
}

// concerning keeps what the DaemonSet controls or may adopt.
func concerning[T metav1.Object](set *appsv1.DaemonSet, all []T) []T {
	return slices.DeleteFunc(slices.Clone(all), func(object T) bool {
		if metav1.GetControllerOf(object) == nil {
			return object.GetDeletionTimestamp() != nil || !selects(set, object)
		}
		return !metav1.IsControlledBy(object, set)
	})
}

// unselected keeps what does not match the DaemonSet's selector.
func unselected[T metav1.Object](set *appsv1.DaemonSet, all []T) []T {
	return slices.DeleteFunc(slices.Clone(all), func(object T) bool { return selects(set, object) })
}

// claimed says that there is nothing to adopt and nothing to release.
func claimed(v *view) bool {
	foreign := func(o metav1.Object) bool { return !metav1.IsControlledBy(o, v.set) || !selects(v.set, o) }
	return !slices.ContainsFunc(v.pods, func(p *corev1.Pod) bool { return foreign(p) }) &&
		!slices.ContainsFunc(v.revisions, func(r *appsv1.ControllerRevision) bool { return foreign(r) })
}

// claim adopts what matches the selector and belongs to nobody, and lets go of what it no longer matches. The patches name the object's UID,
// so that they never meet a successor of the same name.
func (c *controller) claim(ctx context.Context, v *view) (err error) {
	strategic, options := types.StrategicMergePatchType, metav1.PatchOptions{}
	if v.pods, err = claimEach(v, v.pods, func(name string, patch []byte) error {
		_, err := c.client.CoreV1().Pods(v.set.Namespace).Patch(ctx, name, strategic, patch, options)
		return err
	}); err != nil {
		return err
	}
	v.revisions, err = claimEach(v, v.revisions, func(name string, patch []byte) error {
		_, err := c.client.AppsV1().ControllerRevisions(v.set.Namespace).Patch(ctx, name, strategic, patch, options)
		return err
	})
	return err
}

// claimEach returns those that are the DaemonSet's afterwards.
func claimEach[T metav1.Object](v *view, all []T, patch func(name string, patch []byte) error) (kept []T, err error) {
	for _, object := range all {
		if owner := owners(v.set, object); owner != nil {
			err := patch(object.GetName(), owner)
			if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
				continue // it is no longer there, or no longer the same
			}
			if err != nil {
				return nil, err
			}
		}
		if selects(v.set, object) {
			kept = append(kept, object)
		}
	}
	return kept, nil
}

// owners is the patch that adopts or releases an object, nil where neither is needed.
func owners(set *appsv1.DaemonSet, object metav1.Object) []byte {
	controlled, wanted := metav1.IsControlledBy(object, set), selects(set, object)
	if controlled == wanted {
		return nil
	}
	reference := any(metav1.NewControllerRef(set, kind))
	if controlled {
		reference = map[string]any{"$patch": "delete", "uid": set.UID}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": object.GetUID(), "ownerReferences": []any{reference}}})
	if err != nil {
		panic(err) // strings and booleans always can be written
	}
	return patch
}
