package history

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLoss is the recorder's reason to be: whatever happens to its connections while a rollout runs, its history either
// equals the API server's own sequence of events or has a gap. HISTORY_SEED=n runs the one seed n.
func TestLoss(t *testing.T) {
	first, count := uint64(1), uint64(200)
	if text := os.Getenv("HISTORY_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("HISTORY_SEED: %v", err)
		}
		first, count = seed, 1
	}
	var complete, gaps, cutShort, faults atomic.Int64
	one := func(t *testing.T, seed uint64) {
		api, url := newAPIServer(t)
		// Half of the runs have no permission to write a pod, and so go by bookmarks.
		api.readOnly = seed%2 == 0
		// A third of the runs has 410, a tenth loses the API server for good before the end.
		gone, dies := seed%3 == 0, seed%10 == 9
		between, broken := newChaos(t, url, nil, seed, gone)
		gap := oneLoss(t, api, between, broken, seed, dies)
		all, expiries := between.faults()
		faults.Add(int64(all))
		switch {
		case gap == nil && dies:
			t.Error("the API server was out of reach at the end, and the history passes for complete")
		case gap == nil:
			complete.Add(1)
		case dies:
			cutShort.Add(1)
		case expiries > 0:
			gaps.Add(1)
		default:
			t.Errorf("nothing was ever forgotten, and still the history has a gap: %s", gap.Reason)
		}
	}
	// More at once than there are processors: a run mostly waits.
	seeds := make(chan uint64)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for seed := range seeds {
				t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { one(t, seed) })
			}
		})
	}
	for seed := first; seed < first+count; seed++ {
		seeds <- seed
	}
	close(seeds)
	workers.Wait()
	t.Logf("seeds %d to %d: %d histories complete, %d with a gap, %d cut short; %d faults", first, first+count-1,
		complete.Load(), gaps.Load(), cutShort.Load(), faults.Load())
	if count > 1 && (complete.Load() < 50 || gaps.Load() < 10 || cutShort.Load() < 10) {
		t.Error("the runs are not what they are meant to be: too few of one kind")
	}
}

// oneLoss records a rollout through chaos, compares, and returns the first gap.
func oneLoss(t *testing.T, api *apiServer, between *chaos, url string, seed uint64, dies bool) *Gap {
	random := rand.New(rand.NewPCG(seed, 2))
	script := newRollout(api, random)
	script.setUp()
	limit := time.Minute
	if dies {
		limit = 100 * time.Millisecond
	}
	impatient := hasty
	impatient.silent, impatient.request, impatient.list = 40*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	r := start(t, Options{Client: clientOf(t, url), BarrierTimeout: limit, patience: &impatient})
	from := api.revisionNow()
	between.begin()
	script.run(t)
	if dies {
		between.dead.Store(true)
		script.step() // something that the recorder has no way to see
	}
	h, err := r.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gap := h.Complete()
	for _, resource := range []Resource{Pods, DaemonSets, ControllerRevisions, Nodes} {
		events, _, _, _ := api.after(resource, from)
		var want []string
		for _, e := range events {
			if strings.HasPrefix(e.Name, MarkerPrefix) {
				continue
			}
			want = append(want, fmt.Sprintf("%s %s %d", e.Type, e.Name, e.Revision))
		}
		got := recorded(h, resource)
		if gap == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the history passes for complete, but it differs:\nrecorded:\n\t%s\nthe server's:\n\t%s",
				resource, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
		if gap != nil && !isSubsequence(got, want) {
			t.Errorf("%s: the history has events that never were, or their order is wrong:\nrecorded:\n\t%s\nthe server's:\n\t%s",
				resource, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	}
	return gap
}

// recorded returns the watch events of a resource in the order of the history.
func recorded(h *History, resource Resource) []string {
	var lines []string
	for _, e := range h.Entries {
		if e.Resource == resource && (e.Type == Added || e.Type == Modified || e.Type == Deleted) {
			lines = append(lines, fmt.Sprintf("%s %s %s", e.Type, e.object().GetName(), e.object().GetResourceVersion()))
		}
	}
	return lines
}

func isSubsequence(part, whole []string) bool {
	for _, line := range whole {
		if len(part) > 0 && part[0] == line {
			part = part[1:]
		}
	}
	return len(part) == 0
}

func (a *apiServer) revisionNow() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.revision
}

// rollout writes what a rollout writes, by itself: nobody controls anything here.
type rollout struct {
	api    *apiServer
	random *rand.Rand
	pods   int
	daemon *appsv1.DaemonSet
}

func newRollout(api *apiServer, random *rand.Rand) *rollout {
	return &rollout{api: api, random: random, daemon: &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ds"}}}
}

func (o *rollout) setUp() {
	for i := range 3 {
		o.api.put(Nodes, node(fmt.Sprintf("n%d", i)))
		o.api.put(Pods, pod(fmt.Sprintf("old%d", i)))
	}
	o.api.put(DaemonSets, o.daemon)
}

// run writes for some ten milliseconds, in bursts.
func (o *rollout) run(t *testing.T) {
	for range 12 {
		for range 1 + o.random.IntN(6) {
			o.step()
		}
		pause := time.NewTimer(time.Duration(o.random.IntN(6000)) * time.Microsecond)
		select {
		case <-pause.C:
		case <-t.Context().Done():
		}
	}
}

// step is one write.
func (o *rollout) step() {
	switch o.random.IntN(6) {
	case 0:
		o.api.put(DaemonSets, o.daemon.DeepCopy())
	case 1:
		o.api.put(ControllerRevisions, &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("cr%d", o.random.IntN(3))}})
	case 2:
		o.api.put(Nodes, node(fmt.Sprintf("n%d", o.random.IntN(3))))
	default:
		// Whole short lives: what a list at the end would not show.
		p := pod(fmt.Sprintf("new%d", o.pods))
		o.pods++
		o.api.put(Pods, p.DeepCopy())
		p.Status.Phase = corev1.PodRunning
		o.api.put(Pods, p.DeepCopy())
		if o.random.IntN(2) == 0 {
			o.api.remove(Pods, p.DeepCopy())
		}
	}
}
