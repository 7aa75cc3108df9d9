package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// Barrier returns nil once every stream has delivered all that happened before the call, and records that.
// It gives up when ctx ends or after Options.BarrierTimeout, whichever is first, and then names the streams that lag and why.
//
// For pods it writes to one of its own, see marker: when the stream delivers that write, it has delivered all before it,
// since resourceVersions of one resource are ordered (KEP-5504) and a stream delivers in that order.
//
// It does not write to the other three resources, whose controllers would take notice. It makes a consistent list, which is
// at least as new as every write answered before, and waits until the stream has either delivered an event or a bookmark
// with the list's resourceVersion or a later one, or has delivered every listed object in the listed version and the
// deletion of all others. Only an object that came and went since the stream's last event could hide behind the second; a
// node, a DaemonSet and a revision that do so within the milliseconds of a delivery are no controller's promise.
//
// Where neither comes by itself (no permission for the pod, more objects than a short list holds), the stream is resumed as
// a watch of three seconds: the API server sends a bookmark each minute, but also two seconds before a watch's time is up,
// so it is there within one to three. An API server that does not ask etcd for progress (before 1.31) needs etcd's own
// progress notifications for that (kubeadm sets 5 s, --experimental-watch-progress-notify-interval).
func (r *Recorder) Barrier(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.barrierTimeout)
	defer cancel()
	marked := r.marker.touch(ctx)
	failures := make(chan error, len(r.streams))
	for _, s := range r.streams {
		go func() {
			if s.resource == Pods && marked != "" {
				failures <- s.reach(ctx, marked, nil)
				return
			}
			failures <- s.catchUp(ctx)
		}()
	}
	var err error
	for range r.streams {
		err = errors.Join(err, <-failures)
	}
	if err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	r.log.append(Entry{Type: Barred})
	return nil
}

// catchUp returns once the stream has delivered everything that happened before the call.
func (s *stream) catchUp(ctx context.Context) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	return s.reach(ctx, now.version, now.objects)
}

// newest is the answer to a consistent list: no earlier write to the resource exceeds version.
type newest struct {
	version string
	// objects are all there are, nil if they were too many to be listed.
	objects []metav1.Object
}

func (s *stream) now(ctx context.Context) (newest, error) {
	pause := s.patience.first
	for {
		now, err := s.consistent(ctx)
		if err == nil || ctx.Err() != nil || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			return now, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return newest{}, err
		}
		pause = min(2*pause, s.patience.most)
	}
}

// mostListed is how many objects a barrier lists at most. Beyond it a bookmark is the cheaper proof.
const mostListed = 500

func (s *stream) consistent(ctx context.Context) (newest, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience.request)
	defer cancel()
	few := s.resource != Pods && s.log.count(s.resource) <= mostListed
	limit := int64(1)
	if few {
		limit = mostListed + 1
	}
	// An unset resourceVersion asks for the newest state, unlike "0", which any cache may answer.
	version, objects, err := s.list(ctx, metav1.ListOptions{Limit: limit})
	if err == nil {
		_, err = resourceversion.CompareResourceVersion(version, version)
	}
	if err != nil {
		return newest{}, fmt.Errorf("ask for the newest resourceVersion of %s: %w", s.resource, err)
	}
	if !few || len(objects) > mostListed {
		objects = nil
	}
	return newest{version: version, objects: objects}, nil
}

// reach waits until the stream has delivered everything up to version, or exactly objects if they are given, and hurries it
// if it does not get there by itself.
func (s *stream) reach(ctx context.Context, version string, objects []metav1.Object) error {
	settle := time.NewTimer(s.patience.settle)
	defer settle.Stop()
	nudge := time.NewTicker(s.patience.nudge)
	defer nudge.Stop()
	for {
		s.mu.Lock()
		order, err := resourceversion.CompareResourceVersion(s.last, version)
		last, problem, moved := s.last, s.problem, s.moved
		s.mu.Unlock()
		if err != nil || order >= 0 || objects != nil && s.log.holds(s.resource, objects) {
			return err
		}
		select {
		case <-moved:
		case <-settle.C:
			s.want(version)
		case <-nudge.C:
			// The API server's cache learns of a later resourceVersion only if somebody asks, and a bookmark comes only if something was
			// written after the watch began. What we wait for stays the same, and how the question fares does not matter.
			s.marker.touch(ctx)
			_, _ = s.consistent(ctx)
		case <-ctx.Done():
			err := fmt.Errorf("%s: waited for resourceVersion %s, the last one delivered is %s: %w", s.resource, version, last, ctx.Err())
			if problem != nil {
				err = fmt.Errorf("%w (the stream's last problem: %w)", err, problem)
			}
			return err
		}
	}
}

// want has the stream opened anew for a bookmark at version or later.
func (s *stream) want(version string) {
	s.mu.Lock()
	if order, err := resourceversion.CompareResourceVersion(version, s.wanted); err != nil || order > 0 {
		s.wanted = version
	}
	s.mu.Unlock()
	select {
	case s.kick <- struct{}{}:
	default: // a kick is under way already
	}
}
