package history

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// TestBarrierOnARealAPIServer measures how long a barrier takes, while other resources are written and these are not.
func TestBarrierOnARealAPIServer(t *testing.T) {
	config := realAPIServer(t)
	client := kubernetes.NewForConfigOrDie(config)
	namespace(t, client, "quiet")
	namespace(t, client, "busy")
	r, err := Start(t.Context(), Options{Client: client, Header: Header{Namespace: "quiet"}})
	if err != nil {
		t.Fatal(err)
	}
	var took [2][]time.Duration
	for i := range 10 {
		// Both move etcd's revision without an event on the recorded streams; the second one is a pod all the same.
		if i%2 == 0 {
			namespace(t, client, fmt.Sprintf("other-%d", i))
		} else if _, err := client.CoreV1().Pods("busy").Create(t.Context(), plainPod("busy", fmt.Sprint("p", i)), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := r.Barrier(t.Context()); err != nil {
			t.Fatal(err)
		}
		took[i%2] = append(took[i%2], time.Since(begin).Round(time.Millisecond))
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	t.Logf("barriers took %v where nothing moved but etcd, %v where pods elsewhere did", took[0], took[1])
	h, err := r.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if gap := h.Complete(); gap != nil {
		t.Errorf("the history has a gap: %+v", gap)
	}
}

// TestLossOnARealAPIServer is TestLoss with the real thing and a second, undisturbed watch as the truth.
func TestLossOnARealAPIServer(t *testing.T) {
	config := realAPIServer(t)
	direct := kubernetes.NewForConfigOrDie(config)
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	var complete, gaps atomic.Int64
	var seeds sync.WaitGroup
	for seed := uint64(1); seed <= 12; seed++ {
		seeds.Go(func() {
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				if oneRealLoss(t, config.Host, transport, direct, seed) {
					complete.Add(1)
				} else {
					gaps.Add(1)
				}
			})
		})
	}
	seeds.Wait()
	t.Logf("%d histories complete, %d with a gap", complete.Load(), gaps.Load())
	if complete.Load() == 0 || gaps.Load() == 0 {
		t.Error("the runs are not what they are meant to be: all of one kind")
	}
}

// oneRealLoss says whether the history was complete.
func oneRealLoss(t *testing.T, host string, transport http.RoundTripper, direct kubernetes.Interface, seed uint64) bool {
	name := fmt.Sprintf("loss-%d", seed)
	namespace(t, direct, name)
	between, url := newChaos(t, host, transport, seed, seed%3 == 0)
	client := kubernetes.NewForConfigOrDie(&rest.Config{Host: url, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
	impatient := usualPatience
	impatient.request, impatient.silent, impatient.most = 5*time.Second, 4*time.Second, 100*time.Millisecond
	r, err := Start(t.Context(), Options{Client: client, Header: Header{Namespace: name}, patience: &impatient})
	if err != nil {
		t.Fatal(err)
	}
	truth := watchUndisturbed(t, direct, name)
	between.begin()
	writeRollout(t, direct, name, rand.New(rand.NewPCG(seed, 3)))
	between.calm.Store(true) // streams that stall already do so for good
	h, err := r.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, got := truth(), recorded(h, Pods)
	faults, expiries := between.faults()
	t.Logf("%d pod events, %d faults, %d of them 410", len(got), faults, expiries)
	if gap := h.Complete(); gap != nil {
		if expiries == 0 {
			t.Errorf("nothing was ever forgotten, and still the history has a gap: %s", gap.Reason)
		}
		if !isSubsequence(got, want) {
			t.Error("the history has events that never were, or their order is wrong")
		}
		return false
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the history passes for complete, but it differs:\nrecorded:\n\t%s\nthe truth:\n\t%s",
			strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	return true
}

// watchUndisturbed watches pods straight from the server and returns what ends that and gives the events.
func watchUndisturbed(t *testing.T, client kubernetes.Interface, namespace string) func() []string {
	t.Helper()
	list, err := client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := client.CoreV1().Pods(namespace).Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	return func() []string {
		// A pod that is written last marks the end; it is no part of the comparison.
		marker, err := client.CoreV1().Pods(namespace).Create(t.Context(), plainPod(namespace, "marker"), metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
		for event := range w.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok || event.Type == watch.Error {
				t.Fatalf("the undisturbed watch was disturbed: %v", apierrors.FromObject(event.Object))
			}
			if order, err := resourceversion.CompareResourceVersion(pod.ResourceVersion, marker.ResourceVersion); err != nil || order >= 0 {
				return events
			}
			if isMarker(Pods, pod) {
				continue
			}
			events = append(events, fmt.Sprintf("%s %s %s", event.Type, pod.Name, pod.ResourceVersion))
		}
		t.Fatal("the undisturbed watch ended")
		return nil
	}
}

// writeRollout creates, changes and deletes pods and DaemonSets, some within a millisecond.
func writeRollout(t *testing.T, client kubernetes.Interface, namespace string, random *rand.Rand) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pods := client.CoreV1().Pods(namespace)
	for i := range 60 {
		name := fmt.Sprintf("p%d", i)
		_, err := pods.Create(t.Context(), plainPod(namespace, name), metav1.CreateOptions{})
		must(err)
		_, err = pods.Patch(t.Context(), name, types.MergePatchType, []byte(`{"status":{"phase":"Running"}}`), metav1.PatchOptions{}, "status")
		must(err)
		if random.IntN(2) == 0 {
			must(pods.Delete(t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
		}
		pause := time.NewTimer(time.Duration(random.IntN(20)) * time.Millisecond)
		select {
		case <-pause.C:
		case <-t.Context().Done():
		}
	}
}

func plainPod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "registry.k8s.io/pause:3.10"}}},
	}
}

func namespace(t testing.TB, client kubernetes.Interface, name string) {
	t.Helper()
	_, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}
