package main

import (
	"context"
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
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

// concerns says whether the DaemonSet controls an object or may adopt it.
func concerns(set *appsv1.DaemonSet, object metav1.Object) bool {
	if metav1.GetControllerOf(object) == nil {
		return object.GetDeletionTimestamp() == nil && selects(set, object)
	}
	return metav1.IsControlledBy(object, set)
}

// claimed says that there is nothing to adopt and nothing to release.
func claimed(v *view) bool {
	for _, object := range v.objects() {
		if !metav1.IsControlledBy(object, v.set) || !selects(v.set, object) {
			return false
		}
	}
	return true
}

func (v *view) objects() (all []metav1.Object) {
	for _, pod := range v.pods {
		all = append(all, pod)
	}
	for _, revision := range v.revisions {
		all = append(all, revision)
	}
	return all
}

// claim adopts what matches the selector and belongs to nobody, and lets go of what it no longer matches. The patches name the object's UID,
// so that they never meet a successor of the same name.
func (c *controller) claim(ctx context.Context, v *view) error {
	pods := v.pods[:0]
	for _, pod := range v.pods {
		owner := owners(v.set, pod)
		if owner != nil {
			_, err := c.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, owner, metav1.PatchOptions{})
			if gone(err) {
				continue
			}
			if err != nil {
				return err
			}
		}
		if selects(v.set, pod) {
			pods = append(pods, pod)
		}
	}
	revisions := v.revisions[:0]
	for _, revision := range v.revisions {
		owner := owners(v.set, revision)
		if owner != nil {
			_, err := c.client.AppsV1().ControllerRevisions(revision.Namespace).Patch(ctx, revision.Name, types.StrategicMergePatchType, owner, metav1.PatchOptions{})
			if gone(err) {
				continue
			}
			if err != nil {
				return err
			}
		}
		if selects(v.set, revision) {
			revisions = append(revisions, revision)
		}
	}
	v.pods, v.revisions = pods, revisions
	return nil
}

// gone says that an object is no longer there, or no longer the same one.
func gone(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsInvalid(err) }

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
