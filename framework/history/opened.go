package history

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// opened is a running stream.
type opened struct {
	watch.Interface
	end   context.CancelFunc
	short bool
}

// close ends the stream and returns when its goroutine has.
func (o *opened) close() {
	o.end()
	o.Stop()
	for range o.ResultChan() {
	}
}

// open starts a stream that lives until ctx ends or it is closed; until bounds only the wait for the server's answer.
func (s *stream) open(ctx, until context.Context) (*opened, error) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(until, cancel)

	s.mu.Lock()
	from, short := s.last, s.waitedFor() || s.outdated()
	s.mu.Unlock()
	seconds := int64(watchLength)
	if short {
		seconds = int64(s.patience.short / time.Second)
	}
	w, err := s.watch(ctx, metav1.ListOptions{ResourceVersion: from, AllowWatchBookmarks: true, TimeoutSeconds: &seconds})
	if !stop() && err == nil {
		w.Stop()
		err = until.Err()
	}
	if err != nil {
		cancel()
		if isGone(err) {
			return nil, fmt.Errorf("%w: %w", errGone, err)
		}
		return nil, fmt.Errorf("watch %s from resourceVersion %s: %w", s.resource, from, err)
	}
	return &opened{Interface: w, end: cancel, short: short}, nil
}
