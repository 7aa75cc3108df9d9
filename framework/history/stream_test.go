package history

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// TestAccept says for each kind of event whether it is recorded, moves the stream, breaks it, or makes a gap.
func TestAccept(t *testing.T) {
	at := func(version string) *corev1.Pod {
		p := pod("p")
		p.ResourceVersion = version
		return p
	}
	status := func(code int32, reason metav1.StatusReason) runtime.Object {
		return &metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason}
	}
	gone := status(http.StatusGone, metav1.StatusReasonGone)
	for name, test := range map[string]struct {
		event     watch.Event
		entries   int
		last      string
		fails, is bool // is: the error is a gap
	}{
		"an event":                     {watch.Event{Type: watch.Added, Object: at("101")}, 1, "101", false, false},
		"a deletion":                   {watch.Event{Type: watch.Deleted, Object: at("101")}, 1, "101", false, false},
		"a longer number":              {watch.Event{Type: watch.Modified, Object: at("1000")}, 1, "1000", false, false},
		"a bookmark":                   {watch.Event{Type: watch.Bookmark, Object: at("150")}, 0, "150", false, false},
		"a bookmark of a slow server":  {watch.Event{Type: watch.Bookmark, Object: at("99")}, 0, "100", false, false},
		"an event a second time":       {watch.Event{Type: watch.Modified, Object: at("100")}, 0, "100", true, true},
		"an event from before":         {watch.Event{Type: watch.Modified, Object: at("99")}, 0, "100", true, true},
		"an event without a version":   {watch.Event{Type: watch.Modified, Object: at("")}, 0, "100", true, true},
		"an event of an unknown type":  {watch.Event{Type: "MOVED", Object: at("101")}, 0, "100", true, true},
		"410 Gone":                     {watch.Event{Type: watch.Error, Object: gone}, 0, "100", true, true},
		"410 Expired":                  {watch.Event{Type: watch.Error, Object: status(http.StatusGone, metav1.StatusReasonExpired)}, 0, "100", true, true},
		"a frame that is cut":          {watch.Event{Type: watch.Error, Object: status(500, metav1.StatusReasonInternalError)}, 0, "100", true, false},
		"a server that is overwhelmed": {watch.Event{Type: watch.Error, Object: status(504, metav1.StatusReasonTimeout)}, 0, "100", true, false},
		"something without metadata":   {watch.Event{Type: watch.Added, Object: gone}, 0, "100", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(nil)
			s := newStream(source{resource: Pods}, l, nil, hasty)
			s.last = "100"
			err := s.accept(test.event)
			if (err != nil) != test.fails || errors.Is(err, errGone) != test.is {
				t.Errorf("the error is %v; want one: %t, a gap: %t", err, test.fails, test.is)
			}
			if len(l.entries) != test.entries || s.last != test.last {
				t.Errorf("%d entries, the stream is at %s; want %d and %s", len(l.entries), s.last, test.entries, test.last)
			}
		})
	}
}

// A list whose versions cannot be ordered cannot be watched from without doubt.
func TestRelistRefusesVersionsWithoutOrder(t *testing.T) {
	for _, version := range []string{"", "0", "abc", "01"} {
		s := newStream(source{resource: Pods, list: func(context.Context, metav1.ListOptions) (string, []metav1.Object, error) {
			return version, nil, nil
		}}, newLog(nil), nil, hasty)
		if err := s.relist(t.Context(), hasty.list); err == nil {
			t.Errorf("a list at resourceVersion %q is accepted", version)
		}
	}
	s := newStream(source{resource: Pods, list: func(context.Context, metav1.ListOptions) (string, []metav1.Object, error) {
		return "", nil, apierrors.NewForbidden(corev1.Resource("pods"), "", errors.New("no"))
	}}, newLog(nil), nil, hasty)
	if err := s.relist(t.Context(), hasty.list); !apierrors.IsForbidden(err) {
		t.Errorf("the error is %v, want the API server's", err)
	}
}

// TestQuietStreamThatIsAlwaysCutAsksHowFarTheServerIs: else what the stream is to be resumed after would be forgotten one day.
func TestQuietStreamThatIsAlwaysCutAsksHowFarTheServerIs(t *testing.T) {
	limits := hasty
	limits.stale = 10 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	lengths := make(chan int64)
	s := newStream(source{resource: Pods, watch: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		w := watch.NewFakeWithChanSize(1, false)
		length := *options.TimeoutSeconds
		if length == 3 {
			w.Action(watch.Bookmark, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "150"}})
		}
		w.Stop() // what is in the channel still arrives
		select {
		case lengths <- length:
		case <-ctx.Done():
		}
		return w, nil
	}}, newLog(nil), nil, limits)
	s.deliver("100")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.run(ctx, nil)
	}()
	for want := []int64{watchLength, 3, watchLength}; len(want) > 0; {
		select {
		case length := <-lengths:
			if length == want[0] {
				want = want[1:]
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no stream of %d seconds", want[0])
		}
	}
	stop()
	<-ended
	if s.last != "150" {
		t.Errorf("the stream is at %s, want the bookmark's 150", s.last)
	}
}
