package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
)

// patience are the recorder's time limits. None of them decides whether a history is complete: they only say when an
// attempt is given up and made again.
type patience struct {
	// start bounds each request of Start, list a whole list after a gap, request a list of one object or a watch until the
	// server answers it.
	start, list, request time.Duration
	// silent is how long a stream may say nothing before it is opened anew. The API server sends a bookmark about once a minute.
	silent time.Duration
	// short is the length of a stream that was opened for its bookmark, whole seconds, see barrier.go.
	short time.Duration
	// stale is how old the last resourceVersion may get before the next stream is a short one too, which brings a newer.
	stale time.Duration
	// settle is how long a barrier waits for a stream to arrive by itself before that stream is opened anew.
	settle time.Duration
	// nudge is how often a waiting barrier asks the API server again how far it is.
	nudge time.Duration
	// first and most are the least and the longest pause between two attempts; the pause doubles.
	first, most time.Duration
}

var usualPatience = patience{
	start:   time.Minute,
	list:    time.Minute,
	request: 15 * time.Second,
	silent:  90 * time.Second,
	short:   3 * time.Second,
	stale:   30 * time.Second,
	settle:  30 * time.Millisecond,
	nudge:   time.Second,
	first:   20 * time.Millisecond,
	most:    2 * time.Second,
}

// watchLength is how long an ordinary stream lives, in seconds. The API server sends a bookmark shortly before its end.
const watchLength = 8 * 60

// stream keeps one resource's part of the history up to date: it lists once and then watches from that list's
// resourceVersion, resuming after every broken stream from the last resourceVersion it was given.
//
// It is not client-go's RetryWatcher, for three reasons: that one swallows bookmarks, which the barrier needs; it waits a
// second before it resumes; and it cannot be told to open its stream anew, which is how a barrier gets its bookmark soon.
// It is no Reflector either: a Reflector relists silently, and what happened before the list is lost without a trace.
type stream struct {
	source
	log      *log
	marker   *marker
	patience patience
	// kick asks for the running stream, or the pause between two, to end now.
	kick chan struct{}

	mu sync.Mutex
	// last is the highest resourceVersion up to which everything was delivered.
	last string
	// fresh is when the API server last said how far it is, or could have.
	fresh time.Time
	// wanted is the highest resourceVersion that a barrier waits for.
	wanted string
	// problem is what went wrong last, until something was delivered again.
	problem error
	// moved is closed when last changes.
	moved chan struct{}
}

func newStream(source source, log *log, marker *marker, patience patience) *stream {
	return &stream{source: source, log: log, marker: marker, patience: patience, kick: make(chan struct{}, 1), moved: make(chan struct{})}
}

// errGone means that the API server no longer knows the events after the last resourceVersion.
var errGone = errors.New("the events after the last resourceVersion are gone")

// start lists the resource and opens the first stream. Its errors are the caller's: nothing is tried twice.
func (s *stream) start(ctx context.Context) (*opened, error) {
	if err := s.relist(ctx, s.patience.start); err != nil {
		return nil, err
	}
	// The stream must outlive the caller's context, which may be that of a single Ginkgo node.
	ctx, done := context.WithTimeout(ctx, s.patience.start)
	defer done()
	return s.open(context.WithoutCancel(ctx), ctx)
}

// relist records everything that exists now and makes the list's resourceVersion the point to watch from.
func (s *stream) relist(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	version, objects, err := s.list(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list %s: %w", s.resource, err)
	}
	if _, err := resourceversion.CompareResourceVersion(version, version); err != nil {
		return fmt.Errorf("list %s: the resourceVersion of the list is %q: it cannot be ordered", s.resource, version)
	}
	s.log.list(s.resource, objects)
	s.deliver(version)
	return nil
}

// run reads streams, one after the other, until ctx ends.
func (s *stream) run(ctx context.Context, current *opened) {
	pause := s.patience.first
	for ctx.Err() == nil {
		delivered, err := 0, error(nil)
		if current == nil {
			until, done := context.WithTimeout(ctx, s.patience.request)
			current, err = s.open(ctx, until)
			done()
		}
		if err == nil {
			delivered, err = s.read(ctx, current)
			if current.short && err == nil {
				s.confirm()
			}
			current.close()
			current = nil
		}
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errGone) {
			if err = s.bridge(ctx, err); err == nil {
				continue
			}
		}
		s.note(err)
		if delivered > 0 || err == nil {
			pause = s.patience.first
		}
		if delivered > 0 && err == nil {
			continue
		}
		s.rest(ctx, pause)
		pause = min(2*pause, s.patience.most)
	}
	if current != nil {
		current.close()
	}
}

// bridge records that events may be missing, and begins anew from a list so that the history continues.
func (s *stream) bridge(ctx context.Context, reason error) error {
	s.mu.Lock()
	after := s.last
	s.mu.Unlock()
	s.log.gap(s.resource, Gap{After: after, Reason: reason.Error()})
	pause := s.patience.first
	for {
		err := s.relist(ctx, s.patience.list)
		if err == nil || ctx.Err() != nil {
			return err
		}
		s.note(err)
		s.rest(ctx, pause)
		pause = min(2*pause, s.patience.most)
	}
}

// rest waits for the pause, a kick or the end.
func (s *stream) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.kick:
		// A barrier does not make us hammer a server that refuses us: the least pause stays.
		timer.Reset(s.patience.first)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
}

// read records a stream's events until it ends, and returns how many it brought, bookmarks included.
// A nil error is an ordinary end.
func (s *stream) read(ctx context.Context, w *opened) (delivered int, err error) {
	limit := s.patience.silent
	if w.short {
		limit = min(limit, s.patience.short+2*time.Second)
	}
	silence := time.NewTimer(limit)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return delivered, nil
		case <-s.kick:
			if !w.short {
				return delivered, nil
			}
		case <-silence.C:
			return delivered, fmt.Errorf("watch %s: nothing was heard for %s", s.resource, limit)
		case event, ok := <-w.ResultChan():
			if !ok {
				return delivered, nil
			}
			if err := s.accept(event); err != nil {
				return delivered, err
			}
			delivered++
			silence.Reset(limit)
		}
	}
}

// accept records one event.
func (s *stream) accept(event watch.Event) error {
	if event.Type == watch.Error {
		err := apierrors.FromObject(event.Object)
		if isGone(err) {
			return fmt.Errorf("%w: %w", errGone, err)
		}
		// Anything else, above all a frame cut in half, took nothing away: the next stream begins after the last whole event.
		return fmt.Errorf("watch %s: %w", s.resource, err)
	}
	object, ok := event.Object.(metav1.Object)
	if !ok {
		return fmt.Errorf("%w: the event %s carries a %T", errGone, event.Type, event.Object)
	}
	version := object.GetResourceVersion()
	newer, err := s.isNewer(version)
	if err != nil {
		return fmt.Errorf("%w: %s event with %w", errGone, event.Type, err)
	}
	if event.Type == watch.Bookmark {
		// One from a server that lags behind the last one says nothing.
		if newer {
			s.deliver(version)
		} else {
			s.confirm()
		}
		return nil
	}
	if !newer {
		return fmt.Errorf("%w: the stream went back to %s, %s %s", errGone, version, event.Type, object.GetName())
	}
	switch event.Type {
	case watch.Added, watch.Modified, watch.Deleted:
		s.log.event(Type(event.Type), s.resource, object)
	default:
		return fmt.Errorf("%w: an event of the unknown type %q", errGone, event.Type)
	}
	s.deliver(version)
	return nil
}

func isGone(err error) bool { return apierrors.IsGone(err) || apierrors.IsResourceExpired(err) }

// isNewer says whether version comes after everything delivered so far.
func (s *stream) isNewer(version string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	order, err := resourceversion.CompareResourceVersion(version, s.last)
	return order > 0, err
}

// deliver moves the stream to version: all events up to it are on record.
func (s *stream) deliver(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.fresh, s.problem = version, time.Now(), nil
	close(s.moved)
	s.moved = make(chan struct{})
}

// confirm notes that the last resourceVersion is as new as it can be now.
func (s *stream) confirm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = time.Now()
}

// outdated says whether the last resourceVersion is so old that a newer one is worth a short stream. A busy API server forgets events after
// 75 seconds, and sends its bookmarks once a minute: a resource to which nothing happens, and whose streams are all cut before that, could not
// be resumed in the end. The caller holds the lock.
func (s *stream) outdated() bool { return time.Since(s.fresh) > s.patience.stale }

// note keeps what went wrong for whoever waits in vain. Nil is ignored.
func (s *stream) note(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem = err
}

// waitedFor says whether a barrier waits for more than was delivered. The caller holds the lock.
func (s *stream) waitedFor() bool {
	if s.wanted == "" {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(s.wanted, s.last)
	return err == nil && order > 0
}
