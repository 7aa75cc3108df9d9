package history

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// Barrier returns nil once every stream has delivered all that happened before the call, and records that.
// It gives up when ctx ends or after Options.BarrierTimeout, whichever is first, and then names the streams that lag and why.
//
// It writes to none of the recorded resources, so it disturbs neither what is judged nor a quota, an admission rule or a
// node, and needs no more permission than the recording itself. Per resource it makes a consistent list of one object, whose
// resourceVersion is at least that of every write answered before, and waits until the stream has delivered an event or a
// bookmark with that resourceVersion or a later one: resourceVersions of one resource are ordered (KEP-5504), and a stream
// delivers in that order.
//
// On a quiet stream only a bookmark can prove that nothing is under way. The API server sends one each minute, but also two
// seconds before a watch's time is up; so a stream that does not get there by itself is resumed as a watch of three
// seconds, and the bookmark is there within one to three. Two more things matter to how long that takes, not to what it
// proves: see pulse; and an API server that does not ask etcd for progress (before 1.31) needs etcd's own progress
// notifications (kubeadm sets 5 s, --experimental-watch-progress-notify-interval), else a quiet resource never gets there.
func (r *Recorder) Barrier(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.barrierTimeout)
	defer cancel()
	r.pulse.beat(ctx)
	failures := make(chan error, len(r.streams))
	for _, s := range r.streams {
		go func() { failures <- s.catchUp(ctx) }()
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
	version, err := s.now(ctx)
	if err != nil {
		return err
	}
	return s.reach(ctx, version)
}

// now returns a resourceVersion that no earlier write to the resource exceeds.
func (s *stream) now(ctx context.Context) (string, error) {
	pause := s.patience.first
	for {
		version, err := s.consistent(ctx)
		if err == nil || ctx.Err() != nil || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			return version, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return "", err
		}
		pause = min(2*pause, s.patience.most)
	}
}

func (s *stream) consistent(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience.request)
	defer cancel()
	// An unset resourceVersion asks for the newest state, unlike "0", which any cache may answer.
	version, _, err := s.list(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return "", fmt.Errorf("ask for the newest resourceVersion of %s: %w", s.resource, err)
	}
	if _, err := resourceversion.CompareResourceVersion(version, version); err != nil {
		return "", fmt.Errorf("ask for the newest resourceVersion of %s: %w", s.resource, err)
	}
	return version, nil
}

// reach waits until the stream has delivered everything up to version, and hurries it if it does not get there by itself.
func (s *stream) reach(ctx context.Context, version string) error {
	settle := time.NewTimer(s.patience.settle)
	defer settle.Stop()
	nudge := time.NewTicker(s.patience.nudge)
	defer nudge.Stop()
	for {
		s.mu.Lock()
		order, err := resourceversion.CompareResourceVersion(s.last, version)
		last, problem, moved := s.last, s.problem, s.moved
		s.mu.Unlock()
		if err != nil || order >= 0 {
			return err
		}
		select {
		case <-moved:
		case <-settle.C:
			s.want(version)
		case <-nudge.C:
			// The API server's cache learns of a later resourceVersion only if somebody asks. What we wait for stays the same,
			// and how the question fares does not matter.
			s.pulse.beat(ctx)
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

// pulse moves the cluster's resourceVersion by writing a Lease in the spec's namespace, which nobody reads. Without it a
// barrier may have to wait until somebody else writes something: the API server sends no bookmark for the very
// resourceVersion of the last event that it went through when the watch began, even if that event was in another namespace.
// It only saves time, so a refusal (no permission, a dying namespace) is no failure.
type pulse struct {
	leases coordination.LeaseInterface
	// limit is the longest that a beat may take: it must not keep a barrier from what it is really waiting for.
	limit  time.Duration
	beaten atomic.Bool
}

const pulseName = "rollcall-barrier"

func (p *pulse) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	lease := fmt.Appendf(nil, `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":%q},"spec":{"renewTime":%q}}`,
		pulseName, time.Now().UTC().Format(metav1.RFC3339Micro))
	options := metav1.PatchOptions{FieldManager: "rollcall", Force: new(true)}
	if _, err := p.leases.Patch(ctx, pulseName, types.ApplyPatchType, lease, options); err == nil {
		p.beaten.Store(true)
	}
}

// remove deletes the Lease. A failure leaves it to the namespace's end.
func (p *pulse) remove(ctx context.Context) {
	if p.beaten.Load() {
		ctx, cancel := context.WithTimeout(ctx, p.limit)
		defer cancel()
		_ = p.leases.Delete(ctx, pulseName, metav1.DeleteOptions{})
	}
}
