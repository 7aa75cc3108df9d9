package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// manager is the name that this controller has in managed fields and events.
const manager = "example-daemonset-controller"

// controller turns what the informers see into keys of DaemonSets to look at.
type controller struct {
	client    kubernetes.Interface
	factory   informers.SharedInformerFactory
	sets      appslisters.DaemonSetLister
	revisions appslisters.ControllerRevisionLister
	pods      corelisters.PodLister
	nodes     corelisters.NodeLister
	queue     workqueue.TypedRateLimitingInterface[cache.ObjectName]
	events    record.EventRecorder
	failures  failures
	lag       time.Duration // how long it may take until an event is acted on, each its own time
}

func newController(ctx context.Context, client kubernetes.Interface, lag time.Duration) (*controller, error) {
	// Nothing is looked at again merely because time passes: what time alone makes true (a pod has been ready for long enough, a failed one
	// has waited) has a wake-up of its own.
	factory := informers.NewSharedInformerFactory(client, 0)
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	c := &controller{
		client: client, factory: factory,
		sets:      factory.Apps().V1().DaemonSets().Lister(),
		revisions: factory.Apps().V1().ControllerRevisions().Lister(),
		pods:      factory.Core().V1().Pods().Lister(),
		nodes:     factory.Core().V1().Nodes().Lister(),
		// What was refused is tried again after half a minute at most: nobody tells a controller that a quota has been raised.
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](20*time.Millisecond, 30*time.Second)),
		events:   broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: manager}),
		failures: failures{known: map[failureKey]failure{}},
		lag:      lag,
	}
	for _, watched := range []struct {
		informer cache.SharedIndexInformer
		notice   func(old, new any)
	}{
		{factory.Apps().V1().DaemonSets().Informer(), c.noticeSet},
		{factory.Apps().V1().ControllerRevisions().Informer(), c.noticeOwned},
		{factory.Core().V1().Pods().Informer(), c.noticeOwned},
		{factory.Core().V1().Nodes().Informer(), c.noticeNode},
	} {
		if _, err := watched.informer.AddEventHandler(handler(watched.notice)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// handler tells of every kind of event in one way: what was there before, and what is there now, nil where there is nothing.
func handler(notice func(old, new any)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { notice(nil, o) },
		UpdateFunc: notice,
		DeleteFunc: func(o any) {
			if missed, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = missed.Obj
			}
			notice(o, nil)
		},
	}
}

func (c *controller) noticeSet(old, new any) {
	if ds, ok := new.(*appsv1.DaemonSet); ok {
		c.enqueue(ds)
	}
}

// noticeOwned looks at the owners, before and now, of a pod or a revision; or at those that may want to adopt it.
func (c *controller) noticeOwned(old, new any) {
	for _, one := range []any{old, new} {
		object, ok := one.(metav1.Object)
		if !ok {
			continue
		}
		owner := metav1.GetControllerOf(object)
		sets, _ := c.sets.DaemonSets(object.GetNamespace()).List(labels.Everything())
		for _, ds := range sets {
			if owner != nil && owner.UID == ds.UID || owner == nil && selects(ds, object) {
				c.enqueue(ds)
			}
		}
	}
}

// noticeNode looks at every DaemonSet when a node comes, goes, or changes in what placement asks for.
func (c *controller) noticeNode(old, new any) {
	before, _ := old.(*corev1.Node)
	after, _ := new.(*corev1.Node)
	if before != nil && after != nil && reflect.DeepEqual(before.Labels, after.Labels) && reflect.DeepEqual(before.Spec.Taints, after.Spec.Taints) {
		return
	}
	sets, _ := c.sets.List(labels.Everything())
	for _, ds := range sets {
		c.enqueue(ds)
	}
}

func (c *controller) enqueue(ds *appsv1.DaemonSet) {
	if c.lag > 0 {
		c.queue.AddAfter(cache.MetaObjectToName(ds), rand.N(c.lag))
		return
	}
	c.queue.Add(cache.MetaObjectToName(ds))
}

func (c *controller) run(ctx context.Context, workers int) error {
	c.factory.StartWithContext(ctx)
	for kind, ok := range c.factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			return errors.New("the cache of " + kind.String() + " did not fill")
		}
	}
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for c.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	c.queue.ShutDown()
	all.Wait()
	return nil
}

// next looks after one DaemonSet. The queue never gives the same one to two workers.
func (c *controller) next(ctx context.Context) bool {
	key, stopped := c.queue.Get()
	if stopped {
		return false
	}
	defer c.queue.Done(key)
	again, err := c.sync(ctx, key)
	switch {
	case ctx.Err() != nil:
	case apierrors.IsConflict(err): // somebody was faster: look again at what there is now
		c.queue.AddRateLimited(key)
	case err != nil:
		klog.Errorf("%s: %v", key, err)
		c.queue.AddRateLimited(key)
	default:
		c.queue.Forget(key)
		if again > 0 {
			c.queue.AddAfter(key, again)
		}
	}
	return true
}
