package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

var hasty = patience{
	start: 10 * time.Second, list: time.Second, request: 150 * time.Millisecond, silent: 100 * time.Millisecond, short: 3 * time.Second, stale: time.Minute,
	settle: 2 * time.Millisecond, nudge: 20 * time.Millisecond, first: time.Millisecond, most: 10 * time.Millisecond,
}

func start(t testing.TB, o Options) *Recorder {
	t.Helper()
	if o.Header.Namespace == "" {
		o.Header.Namespace = "ns"
	}
	if o.patience == nil {
		o.patience = &hasty
	}
	r, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pod(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name)}}
}

func node(name string) *corev1.Node { return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}} }

// script says a history in short: "ADDED pods/a".
func script(h *History) []string {
	var lines []string
	for _, e := range h.Entries {
		switch object := e.object(); {
		case object != nil:
			lines = append(lines, fmt.Sprintf("%s %s/%s", e.Type, e.Resource, object.GetName()))
		case e.Act != nil:
			lines = append(lines, fmt.Sprintf("ACT %d %s %t %s", e.Act.ID, e.Act.Verb, e.Act.Done, e.Act.Error))
		default:
			lines = append(lines, string(e.Type))
		}
	}
	return lines
}

func expect(t *testing.T, h *History, want ...string) {
	t.Helper()
	if got := script(h); !reflect.DeepEqual(got, want) {
		t.Errorf("the history is\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestRecorderRecordsWhatHappens(t *testing.T) {
	api, url := newAPIServer(t)
	api.put(Nodes, node("n1"))
	api.put(Nodes, node("n2"))
	api.put(Pods, pod("old"))
	file := filepath.Join(t.TempDir(), "sub", "h.jsonl.zst")
	r := start(t, Options{Client: clientOf(t, url), File: file, Header: Header{Spec: "s", LeasedNodes: []string{"n1"}}})

	refused := errors.New("refused")
	err := r.Act(t.Context(), Act{Verb: "delete"}, func(context.Context) error {
		api.put(DaemonSets, &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ds"}})
		if err := r.Until(t.Context(), func(v View) (bool, error) { return len(v.DaemonSets) == 1, nil }); err != nil {
			t.Error(err)
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("Act returns %v, want the function's own error", err)
	}
	api.put(Nodes, node("n2"))
	api.remove(Pods, pod("old"))
	if err := r.Until(t.Context(), func(v View) (bool, error) { return len(v.Pods) == 0, nil }); err != nil {
		t.Fatal(err)
	}
	if err := r.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Lease("n2", "n2", "n3")
	r.Expect(NodesDown)
	h, err := r.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	expect(t, h, "LISTED nodes/n1", "LISTED pods/old", "ACT 0 delete false ", "ADDED daemonsets/ds", "ACT 0 delete true refused",
		"DELETED pods/old", "BARRIER", "LISTED nodes/n2", "BARRIER")
	if gap := h.Complete(); gap != nil {
		t.Errorf("the history has a gap: %+v", gap)
	}
	if want := []string{"n1", "n2", "n3"}; !reflect.DeepEqual(h.Header.LeasedNodes, want) {
		t.Errorf("leased nodes are %v, want %v", h.Header.LeasedNodes, want)
	}

	loaded, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(loaded, h) {
		t.Errorf("the file says\n%v\nthe recorder\n%v", script(loaded), script(h))
	}
	if again, err := r.Stop(t.Context()); err != nil || len(again.Entries) != len(h.Entries) {
		t.Errorf("a second Stop gives %d entries and error %v, want %d and none", len(again.Entries), err, len(h.Entries))
	}
}

func TestBarrierWaitsForWhatIsUnderWay(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		t.Run(fmt.Sprintf("readOnly=%t", readOnly), func(t *testing.T) { barrierWaits(t, readOnly) })
	}
}

func barrierWaits(t *testing.T, readOnly bool) {
	api, url := newAPIServer(t)
	api.readOnly = readOnly
	r := start(t, Options{Client: clientOf(t, url)})
	for i := range 100 {
		api.put(Pods, pod(fmt.Sprintf("p%d", i)))
		if i%10 != 9 {
			continue
		}
		if err := r.Barrier(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(r.Snapshot().Pods); got != i+1 {
			t.Fatalf("after the barrier %d pods are on record, want %d", got, i+1)
		}
	}
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestBarriersAreQuickWhereNewPodsAreRefusedLater(t *testing.T) {
	api, url := newAPIServer(t)
	r := start(t, Options{Client: clientOf(t, url)})
	api.full.Store(true)
	if r.marker.touch(t.Context()) == "" {
		t.Error("there is nothing to write to for a barrier")
	}
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A controller that only looks for pods to let go where there are some to adopt was hidden by the recorder's own pod, an orphan in every namespace.
func TestTheRecordersPodIsNobodysOrphan(t *testing.T) {
	api, url := newAPIServer(t)
	r := start(t, Options{Client: clientOf(t, url)})
	if !api.has(Pods, r.marker.name) {
		t.Fatal("the recorder made no pod")
	}
	api.mu.Lock()
	text := api.objects[Pods][r.marker.name]
	api.mu.Unlock()
	var made metav1.PartialObjectMetadata
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	if owner := metav1.GetControllerOf(&made); owner == nil || owner.Kind != "Namespace" || owner.APIVersion != "v1" || owner.UID != "u-1" {
		t.Errorf("its owners are %v", made.OwnerReferences)
	}
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestGoneIsAGapAndTheHistoryContinues(t *testing.T) {
	api, url := newAPIServer(t)
	api.put(Pods, pod("a"))
	r := start(t, Options{Client: clientOf(t, url)})
	api.put(Pods, pod("b"))
	api.compact() // the running streams have no part in what comes next
	if err := r.Until(t.Context(), func(v View) (bool, error) {
		for _, e := range v.Entries {
			if e.Type == Gapped && e.Resource == Pods {
				return true, nil
			}
		}
		return false, nil
	}); err != nil {
		t.Fatal(err)
	}
	api.put(Pods, pod("c"))
	h, err := r.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if gap := h.Complete(); gap == nil {
		t.Error("the history passes for complete")
	}
	if got := len(r.Snapshot().Pods); got != 3 {
		t.Errorf("after the gap %d pods are known, want 3", got)
	}
}

func TestStartMeetsBadInputEarly(t *testing.T) {
	_, url := newAPIServer(t)
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"no client":        {Options{Header: Header{Namespace: "ns"}}, "no client"},
		"no namespace":     {Options{Client: clientOf(t, url)}, "no namespace"},
		"nobody listening": {Options{Client: clientOf(t, "http://127.0.0.1:1"), Header: Header{Namespace: "ns"}}, "list nodes"},
		"no such folder":   {Options{Client: clientOf(t, url), Header: Header{Namespace: "ns"}, File: "/dev/null/x"}, "make the folder"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(t.Context(), test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Start returns %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestStopWithoutBarrierLeavesAGap(t *testing.T) {
	_, url := newAPIServer(t)
	r := start(t, Options{Client: clientOf(t, url)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h, err := r.Stop(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if gap := h.Complete(); gap == nil || !strings.Contains(gap.Reason, "without a barrier") || strings.Contains(gap.Reason, "\n") {
		t.Errorf("the gap is %+v, want one line that says that there was no barrier", gap)
	}
}

func TestRecorderOutlivesTheContextOfStart(t *testing.T) {
	api, url := newAPIServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Start(ctx, Options{Client: clientOf(t, url), Header: Header{Namespace: "ns"}, patience: &hasty})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	api.put(Pods, pod("a"))
	h, err := r.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	expect(t, h, "ADDED pods/a", "BARRIER")
}

func TestStopEndsAllGoroutines(t *testing.T) {
	_, url := newAPIServer(t)
	client := clientOf(t, url)
	before := recorderGoroutines()
	for range 5 {
		r := start(t, Options{Client: client, File: filepath.Join(t.TempDir(), "h")})
		if _, err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if after := recorderGoroutines(); after != before {
		t.Errorf("%d goroutines of the recorder run after Stop, %d before", after, before)
	}
}

// recorderGoroutines counts goroutines that run code of a recorder; those of the HTTP client end when its connections do.
func recorderGoroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	count := 0
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(stack, "history.(*stream)") || strings.Contains(stack, "history.(*saver)") || strings.Contains(stack, "watch.(*StreamWatcher)") {
			count++
		}
	}
	return count
}

func TestActRecordsAPanic(t *testing.T) {
	_, url := newAPIServer(t)
	r := start(t, Options{Client: clientOf(t, url)})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = r.Act(t.Context(), Act{Verb: "taint"}, func(context.Context) error { panic("a failed assertion") })
	}()
	h, err := r.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	expect(t, h, "ACT 0 taint false ", "ACT 0 taint true it did not return", "BARRIER")
}
