package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Options say what is recorded and where it goes.
type Options struct {
	// Client reads the cluster. It needs list and watch on pods, DaemonSets and ControllerRevisions of the namespace, and
	// on nodes; create, patch and delete on pods make barriers faster, and get on the namespace lets it own the pod that is made
	// for them. A barrier makes a few requests at once: leave its rate limit some room.
	Client kubernetes.Interface
	// Header is the history's. Namespace is required; Format and Began are filled in.
	// LeasedNodes limits the recorded nodes; empty records all, unless LeaseLater is set.
	Header Header
	// Labels are put on what the recorder itself creates: one pod, which Stop deletes.
	Labels map[string]string
	// LeaseLater records no node until Recorder.Lease names some.
	LeaseLater bool
	// File is where the history is written as it grows (by convention <name>.jsonl.zst); an older file is replaced and
	// missing folders are made. Empty keeps the history in memory only.
	File string
	// BarrierTimeout is the longest that a barrier may take, default 1 minute.
	BarrierTimeout time.Duration

	patience *patience // of tests
}

// Recorder records a history from Start to Stop. Its methods may be called from several goroutines.
type Recorder struct {
	log            *log
	streams        []*stream
	marker         *marker
	saver          *saver
	barrierTimeout time.Duration

	end     context.CancelFunc
	running sync.WaitGroup
	ended   sync.Once
	err     error

	mu     sync.Mutex
	header Header
}

// Start lists each resource and opens a watch from that list's resourceVersion, and returns when all four streams run:
// what happens after it is on record. A resource that cannot be listed or watched is an error.
// ctx limits the start only, so that the context of a set-up node may be given; the recording goes on until Stop.
func Start(ctx context.Context, o Options) (*Recorder, error) {
	if o.Client == nil {
		return nil, errors.New("start recorder: no client")
	}
	if o.Header.Namespace == metav1.NamespaceAll {
		return nil, errors.New("start recorder: no namespace")
	}
	limits := usualPatience
	if o.patience != nil {
		limits = *o.patience
	}
	header := o.Header
	header.Format, header.Began = Format, time.Now().UTC().Round(0)

	r := &Recorder{log: newLog(leasedNodes(o)), header: header, barrierTimeout: o.BarrierTimeout}
	if r.barrierTimeout <= 0 {
		r.barrierTimeout = time.Minute
	}
	r.marker = newMarker(o.Client.CoreV1().Pods(header.Namespace), o.Labels, limits.nudge)
	if namespace, err := o.Client.CoreV1().Namespaces().Get(ctx, header.Namespace, metav1.GetOptions{}); err == nil {
		r.marker.ownedBy(namespace)
	}
	live, end := context.WithCancel(context.WithoutCancel(ctx))
	r.end = end

	var open []*opened
	abandon := func() {
		end()
		for _, w := range open {
			w.close()
		}
	}
	for _, source := range sources(o.Client, header.Namespace) {
		s := newStream(source, r.log, r.marker, limits)
		w, err := s.start(ctx)
		if err != nil {
			abandon()
			return nil, fmt.Errorf("start recorder: %w", err)
		}
		r.streams, open = append(r.streams, s), append(open, w)
	}
	if o.File != "" {
		saver, err := newSaver(o.File, header, r.log)
		if err != nil {
			abandon()
			return nil, fmt.Errorf("start recorder: %w", err)
		}
		r.saver = saver
		r.running.Go(func() { saver.run(live) })
	}
	r.marker.touchWithin(ctx, limits.request)
	for i, s := range r.streams {
		r.running.Go(func() { s.run(live, open[i]) })
	}
	return r, nil
}

func leasedNodes(o Options) map[string]bool {
	if len(o.Header.LeasedNodes) == 0 && !o.LeaseLater {
		return nil
	}
	leased := map[string]bool{}
	for _, name := range o.Header.LeasedNodes {
		leased[name] = true
	}
	return leased
}

// Lease records the named nodes from now on too. Each that exists is listed with its state of now.
func (r *Recorder) Lease(nodes ...string) {
	r.log.lease(nodes)
	r.amend(func(h *Header) {
		for _, name := range nodes {
			h.LeasedNodes = appendNew(h.LeasedNodes, name)
		}
	})
}

// Expect declares disturbances for the whole history, past and to come.
func (r *Recorder) Expect(disturbances ...Disturbance) {
	r.amend(func(h *Header) {
		for _, d := range disturbances {
			h.Disturbances = appendNew(h.Disturbances, d)
		}
	})
}

func (r *Recorder) amend(change func(*Header)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.header)
	if r.saver != nil {
		r.saver.amend(r.header)
	}
}

// appendNew copies: an older header may be on its way to the file.
func appendNew[T comparable](list []T, item T) []T {
	for _, have := range list {
		if have == item {
			return list
		}
	}
	return append(list[:len(list):len(list)], item)
}

// Act records that the suite is about to do something, does it, and records the answer. It returns do's error as it is.
// ID and Done are filled in. A panic of do is recorded and goes on.
func (r *Recorder) Act(ctx context.Context, act Act, do func(context.Context) error) (err error) {
	r.log.mu.Lock()
	act.ID, act.Done, act.Error = r.log.acts, false, ""
	r.log.acts++
	before := act
	r.log.add(Entry{Type: Acted, Act: &before})
	r.log.mu.Unlock()

	after := act
	after.Done, after.Error = true, "it did not return"
	defer func() { r.log.append(Entry{Type: Acted, Act: &after}) }()
	err = do(ctx)
	after.Error = ""
	if err != nil {
		after.Error = err.Error()
	}
	return err
}

// View is a history at one moment. Nothing in it may be changed.
type View struct {
	// Entries are all entries so far.
	Entries []Entry
	// What exists now, sorted by name. Nodes are the leased ones.
	Pods                []*corev1.Pod
	DaemonSets          []*appsv1.DaemonSet
	ControllerRevisions []*appsv1.ControllerRevision
	Nodes               []*corev1.Node
}

// Snapshot returns the history so far.
func (r *Recorder) Snapshot() View { return r.log.view() }

// Changed returns a channel that is closed when the next entry is recorded. Take it before the snapshot, then nothing is missed.
func (r *Recorder) Changed() <-chan struct{} { return r.log.changes() }

// Until waits for the cluster to get somewhere: it calls condition at once and then after new entries (several that come
// together count as one change) until it returns true or an error, or ctx ends; then it returns why.
// It sees states, not each entry: what must hold at every instant is an invariant's business.
func (r *Recorder) Until(ctx context.Context, condition func(View) (bool, error)) error {
	for {
		changed := r.Changed()
		view := r.Snapshot()
		done, err := condition(view)
		if done || err != nil {
			return err
		}
		// To look at thousands of objects takes milliseconds, and their changes never pause: between two looks it rests, or
		// waiting would keep a core of the cluster's machine busy.
		rested := time.After(restPerObject * time.Duration(len(view.Pods)+len(view.Nodes)))
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for a change: %w", context.Cause(ctx))
		}
		select {
		case <-rested:
		case <-ctx.Done():
			return fmt.Errorf("wait for a change: %w", context.Cause(ctx))
		}
	}
}

// restPerObject is a hundred times what it costs to look at an object, garbage collection not counted: a fifth of a second for a thousand nodes
// with a pod each, half a millisecond for the few objects that most specs have.
const restPerObject = 100 * time.Microsecond

// Stop makes a last barrier, ends all streams, completes the file and returns the history. If the barrier cannot be
// reached within ctx, the history ends with a gap that says why: History.Complete returns it. The error is about the file
// alone, and the history is whole even then. Further calls return the same history.
func (r *Recorder) Stop(ctx context.Context) (*History, error) {
	r.ended.Do(func() {
		if err := r.Barrier(ctx); err != nil {
			r.log.gap("", Gap{Reason: "the recording ended without a barrier: " + oneLine(err)})
		}
		r.end()
		r.running.Wait()
		r.marker.remove(ctx)
		if r.saver != nil {
			r.err = r.saver.close()
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	return &History{Header: r.header, Entries: r.log.since(0)}, r.err
}
