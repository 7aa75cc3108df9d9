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
// previous is only read. Afterwards neither may be changed by anybody. previous may be another object of the kind: what is equal is shared.
//
// Dropped: managedFields (except a DaemonSet's: M-13 reads there who wrote what), and the images and volumes that a node's
// status lists. Everything else stays, above all every label, annotation, owner, finalizer, spec and condition.
func trim(object, previous metav1.Object) {
	switch object := object.(type) {
	case *corev1.Pod:
		object.ManagedFields = nil
		if previous, ok := previous.(*corev1.Pod); ok {
			shareMeta(&object.ObjectMeta, &previous.ObjectMeta)
			shareSpec(&object.Spec, &previous.Spec)
			shareStatus(&object.Status, &previous.Status)
		}
		fit(&object.Spec.Containers)
		fit(&object.Spec.Volumes)
		fit(&object.Spec.Tolerations)
		fit(&object.Status.Conditions)
		fit(&object.Status.ContainerStatuses)
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

// alike is what an object of that name may share with: its own last state, or else that of any other; a DaemonSet's pods differ in little.
func alike(name string, states map[string]metav1.Object) metav1.Object {
	if own, ok := states[name]; ok {
		return own
	}
	for _, other := range states {
		return other
	}
	return nil
}

func shareMeta(now, before *metav1.ObjectMeta) {
	share(&now.Name, &before.Name)
	share(&now.GenerateName, &before.GenerateName)
	share(&now.Namespace, &before.Namespace)
	share(&now.UID, &before.UID)
	share(&now.Labels, &before.Labels)
	share(&now.Annotations, &before.Annotations)
	share(&now.OwnerReferences, &before.OwnerReferences)
	share(&now.Finalizers, &before.Finalizers)
}

// shareSpec goes by parts, too: binding a pod to its node changes one field of its spec.
func shareSpec(now, before *corev1.PodSpec) {
	if share(now, before) {
		return
	}
	share(&now.InitContainers, &before.InitContainers)
	share(&now.Containers, &before.Containers)
	share(&now.Volumes, &before.Volumes)
	share(&now.Tolerations, &before.Tolerations)
	share(&now.Affinity, &before.Affinity)
	share(&now.SecurityContext, &before.SecurityContext)
}

// shareStatus goes down to the words: one condition changes and all come anew.
func shareStatus(now, before *corev1.PodStatus) {
	share(&now.Phase, &before.Phase)
	share(&now.HostIP, &before.HostIP)
	share(&now.PodIP, &before.PodIP)
	share(&now.QOSClass, &before.QOSClass)
	share(&now.HostIPs, &before.HostIPs)
	share(&now.PodIPs, &before.PodIPs)
	share(&now.InitContainerStatuses, &before.InitContainerStatuses)
	if !share(&now.Conditions, &before.Conditions) {
		for i := range min(len(now.Conditions), len(before.Conditions)) {
			share(&now.Conditions[i].Type, &before.Conditions[i].Type)
			share(&now.Conditions[i].Status, &before.Conditions[i].Status)
			share(&now.Conditions[i].Reason, &before.Conditions[i].Reason)
		}
	}
	if !share(&now.ContainerStatuses, &before.ContainerStatuses) {
		for i := range min(len(now.ContainerStatuses), len(before.ContainerStatuses)) {
			share(&now.ContainerStatuses[i].Name, &before.ContainerStatuses[i].Name)
			share(&now.ContainerStatuses[i].Image, &before.ContainerStatuses[i].Image)
			share(&now.ContainerStatuses[i].ImageID, &before.ContainerStatuses[i].ImageID)
			share(&now.ContainerStatuses[i].ContainerID, &before.ContainerStatuses[i].ContainerID)
		}
	}
}

// shareManagers shares the field sets, which are most of the bytes; an entry's time changes with every write.
func shareManagers(now, before []metav1.ManagedFieldsEntry) {
	for i := range now {
		if i < len(before) && now[i].FieldsV1 != nil && before[i].FieldsV1 != nil && bytes.Equal(now[i].FieldsV1.GetRawBytes(), before[i].FieldsV1.GetRawBytes()) {
			now[i].FieldsV1 = before[i].FieldsV1
		}
	}
}

// share makes now the very memory of before if the two are equal, and says whether they are.
func share[T any](now, before *T) bool {
	equal := reflect.DeepEqual(now, before)
	if equal {
		*now = *before
	}
	return equal
}

// fit frees the room that a decoder has left at the end of a list: it makes room for twice as many whenever there is none.
func fit[T any](s *[]T) {
	if cap(*s) > len(*s) {
		*s = append(make([]T, 0, len(*s)), *s...)
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
	trim(object, alike(object.GetName(), p[e.Resource]))
	p[e.Resource][object.GetName()] = object
}
