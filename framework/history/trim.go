package history

import (
	"bytes"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// trim drops from an object what no invariant reads, and shares with the object's previous state (nil if there is none)
// what did not change, so that a pod's spec is kept once however often its status is written. It changes object in place;
// previous is only read. Afterwards neither may be changed by anybody.
//
// Dropped: managedFields (except a DaemonSet's: M-13 reads there who wrote what), and the images and volumes that a node's
// status lists. Everything else stays, above all every label, annotation, owner, finalizer, spec and condition.
func trim(object, previous metav1.Object) {
	switch object := object.(type) {
	case *corev1.Pod:
		object.ManagedFields = nil
		if previous, ok := previous.(*corev1.Pod); ok {
			shareMeta(&object.ObjectMeta, &previous.ObjectMeta)
			share(&object.Spec, &previous.Spec)
			share(&object.Status.Conditions, &previous.Status.Conditions)
			share(&object.Status.ContainerStatuses, &previous.Status.ContainerStatuses)
			share(&object.Status.InitContainerStatuses, &previous.Status.InitContainerStatuses)
		}
	case *appsv1.DaemonSet:
		if previous, ok := previous.(*appsv1.DaemonSet); ok {
			shareMeta(&object.ObjectMeta, &previous.ObjectMeta)
			shareManagers(object.ManagedFields, previous.ManagedFields)
			share(&object.Spec, &previous.Spec)
		}
	case *appsv1.ControllerRevision:
		object.ManagedFields = nil
		if previous, ok := previous.(*appsv1.ControllerRevision); ok {
			shareMeta(&object.ObjectMeta, &previous.ObjectMeta)
			share(&object.Data, &previous.Data)
		}
	case *corev1.Node:
		object.ManagedFields = nil
		object.Status.Images, object.Status.VolumesInUse, object.Status.VolumesAttached = nil, nil, nil
		if previous, ok := previous.(*corev1.Node); ok {
			shareMeta(&object.ObjectMeta, &previous.ObjectMeta)
			share(&object.Spec, &previous.Spec)
			share(&object.Status.Capacity, &previous.Status.Capacity)
			share(&object.Status.Allocatable, &previous.Status.Allocatable)
			share(&object.Status.Addresses, &previous.Status.Addresses)
		}
	}
}

func shareMeta(now, before *metav1.ObjectMeta) {
	share(&now.Labels, &before.Labels)
	share(&now.Annotations, &before.Annotations)
	share(&now.OwnerReferences, &before.OwnerReferences)
	share(&now.Finalizers, &before.Finalizers)
}

// shareManagers shares the field sets, which are most of the bytes; an entry's time changes with every write.
func shareManagers(now, before []metav1.ManagedFieldsEntry) {
	for i := range now {
		if i < len(before) && now[i].FieldsV1 != nil && before[i].FieldsV1 != nil && bytes.Equal(now[i].FieldsV1.GetRawBytes(), before[i].FieldsV1.GetRawBytes()) {
			now[i].FieldsV1 = before[i].FieldsV1
		}
	}
}

// share makes now the very memory of before if the two are equal.
func share[T any](now, before *T) {
	if reflect.DeepEqual(now, before) {
		*now = *before
	}
}

// past holds the last state of each object by resource and name, to share memory while a file is read.
type past map[Resource]map[string]metav1.Object

func (p past) share(e *Entry) {
	object := e.object()
	if object == nil {
		return
	}
	if p[e.Resource] == nil {
		p[e.Resource] = map[string]metav1.Object{}
	}
	trim(object, p[e.Resource][object.GetName()])
	p[e.Resource][object.GetName()] = object
}
