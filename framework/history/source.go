package history

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// source is how one resource is read. It hides that the typed clients share no interface.
type source struct {
	resource Resource
	// list returns the list's resourceVersion and its objects, which are not nil.
	list  func(context.Context, metav1.ListOptions) (string, []metav1.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// sources returns the recorded resources in the order in which they are listed: what a pod refers to comes before it.
func sources(client kubernetes.Interface, namespace string) []source {
	return []source{
		sourceOf(Nodes, client.CoreV1().Nodes()),
		sourceOf(DaemonSets, client.AppsV1().DaemonSets(namespace)),
		sourceOf(ControllerRevisions, client.AppsV1().ControllerRevisions(namespace)),
		sourceOf(Pods, client.CoreV1().Pods(namespace)),
	}
}

type listWatcher[L runtime.Object] interface {
	List(context.Context, metav1.ListOptions) (L, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
}

func sourceOf[L runtime.Object](resource Resource, client listWatcher[L]) source {
	return source{
		resource: resource,
		watch:    client.Watch,
		list: func(ctx context.Context, options metav1.ListOptions) (string, []metav1.Object, error) {
			list, err := client.List(ctx, options)
			if err != nil {
				return "", nil, err
			}
			return itemsOf(list)
		},
	}
}

func itemsOf(list runtime.Object) (string, []metav1.Object, error) {
	accessor, err := meta.ListAccessor(list)
	if err != nil {
		return "", nil, fmt.Errorf("reading a list: %w", err)
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return "", nil, fmt.Errorf("reading a list: %w", err)
	}
	objects := make([]metav1.Object, 0, len(items))
	for _, item := range items {
		object, ok := item.(metav1.Object)
		if !ok {
			return "", nil, fmt.Errorf("reading a list: %T has no metadata", item)
		}
		objects = append(objects, object)
	}
	return accessor.GetResourceVersion(), objects, nil
}
