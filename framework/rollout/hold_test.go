package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"rollcall.dev/framework/cluster"
)

// configMaps keeps ConfigMaps as an API server does and client-go's fake does not: nobody overwrites what has changed since he read it, a list
// has what is asked for, and a watch has what happened since the list.
type configMaps struct {
	mu      sync.Mutex
	tracker clienttesting.ObjectTracker
	version int
}

func (c *configMaps) write(action clienttesting.Action) (bool, runtime.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := action.(clienttesting.CreateAction).GetObject().(*corev1.ConfigMap).DeepCopy() // an update looks the same
	resource := action.GetResource()
	before, err := c.tracker.Get(resource, action.GetNamespace(), m.Name)
	if action.GetVerb() == "update" && err == nil && before.(*corev1.ConfigMap).ResourceVersion != m.ResourceVersion {
		return true, nil, apierrors.NewConflict(resource.GroupResource(), m.Name, errors.New("it has changed"))
	}
	c.version++
	m.ResourceVersion = strconv.Itoa(c.version)
	if action.GetVerb() == "create" {
		return true, m, c.tracker.Create(resource, m, action.GetNamespace())
	}
	return true, m, c.tracker.Update(resource, m, action.GetNamespace())
}

func (c *configMaps) list(action clienttesting.Action) (bool, runtime.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := &corev1.ConfigMapList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(c.version)}}
	name, _ := action.(clienttesting.ListAction).GetListRestrictions().Fields.RequiresExactMatch("metadata.name")
	if m, err := c.tracker.Get(action.GetResource(), action.GetNamespace(), name); err == nil {
		list.Items = append(list.Items, *m.(*corev1.ConfigMap))
	}
	return true, list, nil
}

func (c *configMaps) watch(action clienttesting.Action) (bool, watch.Interface, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if since := action.(clienttesting.WatchAction).GetWatchRestrictions().ResourceVersion; since != strconv.Itoa(c.version) {
		missed := watch.NewFakeWithChanSize(1, false)
		missed.Modify(&corev1.ConfigMap{})
		return true, missed, nil
	}
	w, err := c.tracker.Watch(action.GetResource(), action.GetNamespace())
	return true, w, err
}

func newClient(t *testing.T, objects ...runtime.Object) kubernetes.Interface {
	t.Helper()
	client := fake.NewClientset(objects...)
	c := &configMaps{tracker: client.Tracker(), version: 1}
	client.PrependReactor("create", "configmaps", c.write)
	client.PrependReactor("update", "configmaps", c.write)
	client.PrependReactor("list", "configmaps", c.list)
	client.PrependWatchReactor("configmaps", c.watch)
	client.PrependReactor("list", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &corev1.NamespaceList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, nil
	})
	return client
}

func TestASerialSpecHasTheClusterAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, client := t.Context(), newClient(t)
		var inside, serial, most atomic.Int32
		var shards sync.WaitGroup
		for shard := range 3 {
			e := &Environment{Run: fmt.Sprintf("run%d", shard), Client: client, Sharded: true}
			renew(ctx, t, client, e.Run)
			for process := range 4 {
				shards.Go(func() {
					for spec := range 10 {
						alone := process == 0 && spec%5 == 4
						holder := fmt.Sprintf("spec-%d-%d", process, spec)
						if err := e.holdCluster(ctx, holder, alone); err != nil {
							t.Error(err)
							return
						}
						now := inside.Add(1)
						most.Store(max(most.Load(), now))
						if alone {
							serial.Add(1)
						}
						if alone && now > 1 || !alone && serial.Load() > 0 {
							t.Errorf("%s of %s: %d specs are under way, of which serial: %d", holder, e.Run, now, serial.Load())
						}
						<-time.After(time.Second) // of the bubble's time
						if alone {
							serial.Add(-1)
						}
						inside.Add(-1)
						if err := e.returnCluster(ctx, holder); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		shards.Wait()
		if most.Load() < 2 {
			t.Error("no two specs were ever under way together")
		}
	})
}

// A serial spec that waited for the moment when nobody is under way would wait for the end of all other shards.
func TestASerialSpecIsLetInBeforeThoseThatComeLater(t *testing.T) {
	h, had := holders{Shared: []string{"a/one"}}.with("b/serial", true)
	if had || h.Wanted != "b/serial" {
		t.Fatalf("got %+v, %v", h, had)
	}
	if later, had := h.with("a/two", false); had || !slices.Equal(later.Shared, h.Shared) {
		t.Errorf("a spec that came later is let in: %+v", later)
	}
	if other, had := h.with("c/serial", true); had || other.Wanted != "b/serial" {
		t.Errorf("a second serial spec takes the first one's turn: %+v", other)
	}
	h.Shared = nil
	if h, had = h.with("b/serial", true); !had || h.Alone != "b/serial" || h.Wanted != "" {
		t.Errorf("it is not let in when the others have left: %+v, %v", h, had)
	}
}

func ready(name string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}}
}

func TestShardsSeeEachOthersLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, client := t.Context(), newClient(t, ready("node-1"), ready("node-2"), ready("node-3"))
		one := &Environment{Run: "one", Client: client, Sharded: true}
		two := &Environment{Run: "two", Client: client, Sharded: true}
		alone, err := one.lease(ctx, "spec", 2, true)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := two.lease(ctx, "spec", 1, true)
		if err != nil || slices.Contains(alone, rest[0]) {
			t.Fatalf("one run has %v alone, and the other one gets %v (%v)", alone, rest, err)
		}
		got := make(chan error)
		go func() {
			_, err := two.lease(ctx, "all", 0, false)
			got <- err
		}()
		synctest.Wait()
		select {
		case err := <-got:
			t.Fatalf("all nodes are leased while a spec has some alone: %v", err)
		default:
		}
		// The same name in another run is another holder.
		if err := two.release(ctx, "spec", rest); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := one.release(ctx, "spec", alone); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

// A shard that was killed keeps its nodes for two minutes, and then what it left there is removed; one that is only slow keeps them.
func TestADeadShardsNodesAreGivenBack(t *testing.T) {
	for name, test := range map[string]struct {
		alive func(context.Context, kubernetes.Interface)
		freed bool
	}{
		"it was killed": {func(context.Context, kubernetes.Interface) {}, true},
		"it goes on":    {beating, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				client := newClient(t, ready("node-1"), ready("node-2"))
				left := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: cluster.RunNamespace("dead"), Labels: map[string]string{cluster.RunLabel: "dead"}}}
				if err := client.(*fake.Clientset).Tracker().Add(left); err != nil {
					t.Fatal(err)
				}
				renew(ctx, t, client, "dead")
				test.alive(ctx, client)
				dead := &Environment{Run: "dead", Client: client, Sharded: true}
				if _, err := dead.lease(ctx, "spec", 2, true); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				limited, cancel := context.WithTimeout(ctx, 5*time.Minute)
				defer cancel()
				nodes, err := (&Environment{Run: "other", Client: client, Sharded: true}).lease(limited, "spec", 1, true)
				switch took := time.Since(began); {
				case !test.freed && err == nil:
					t.Errorf("it gets %v after %v, although the holder lives", nodes, took)
				case test.freed && err != nil:
					t.Error(err)
				case test.freed && (took < 2*time.Minute || took > 3*time.Minute):
					t.Errorf("it gets the nodes after %v", took)
				}
				stop()
				synctest.Wait()
			})
		})
	}
}

func renew(ctx context.Context, t *testing.T, client kubernetes.Interface, run string) {
	now := metav1.NowMicro()
	beat := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "heartbeat"}, Spec: coordinationv1.LeaseSpec{RenewTime: &now}}
	if _, err := client.CoordinationV1().Leases(cluster.RunNamespace(run)).Create(ctx, beat, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// beating renews every minute: slow, and alive.
func beating(ctx context.Context, client kubernetes.Interface) {
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case at := <-time.After(time.Minute):
				beat := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "heartbeat"}, Spec: coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: at}}}
				_, _ = client.CoordinationV1().Leases(cluster.RunNamespace("dead")).Update(ctx, beat, metav1.UpdateOptions{})
			}
		}
	}()
}
