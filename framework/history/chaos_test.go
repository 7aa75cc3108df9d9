package history

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// chaos stands between the recorder and an API server and breaks what it forwards, driven by a seed. It never changes
// what it passes on, nor leaves anything out of the middle: a connection can break, not lie.
type chaos struct {
	next http.Handler
	// gone allows 410 as an answer.
	gone bool
	// calm switches everything off, dead lets nothing through any more.
	calm, dead atomic.Bool
	done       chan struct{}
	server     *httptest.Server

	mu     sync.Mutex
	random *rand.Rand
	// left is how many requests are still drawn for. Then there is calm, so that even the slowest machine comes to an end.
	left int
	// did counts what was done.
	did map[fault]int
}

type fault string

const (
	none        fault = "nothing"
	refuse      fault = "connection closed before the answer"
	unavailable fault = "503"
	expired     fault = "410"
	expiredLate fault = "410 as an event"
	cut         fault = "connection cut"
	cutClean    fault = "ordinary end in the middle of an event"
	stall       fault = "stalled for good"
	slow        fault = "slow"
)

// newChaos returns a calm one in front of target, and its URL.
func newChaos(t testing.TB, target string, transport http.RoundTripper, seed uint64, gone bool) (*chaos, string) {
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		FlushInterval: -1,
		Transport:     transport,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	c := &chaos{next: forward, gone: gone, random: rand.New(rand.NewPCG(seed, 1)), left: 30, did: map[fault]int{}, done: make(chan struct{})}
	c.calm.Store(true)
	c.server = httptest.NewServer(c)
	t.Cleanup(func() {
		close(c.done)
		c.server.CloseClientConnections()
		c.server.Close()
	})
	return c, c.server.URL
}

// begin ends the calm, and the streams that were opened in it.
func (c *chaos) begin() {
	c.calm.Store(false)
	c.server.CloseClientConnections()
}

// faults returns how many faults there were, and how many of them were 410.
func (c *chaos) faults() (all, gone int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for f, n := range c.did {
		if f != none {
			all += n
		}
	}
	return all, c.did[expired] + c.did[expiredLate]
}

// decide draws what happens to a request: a fault, and after how many bytes of the answer.
func (c *chaos) decide(watch bool) (fault, int, time.Duration) {
	if c.dead.Load() {
		return stall, 0, 0
	}
	if c.calm.Load() {
		return none, 0, 0
	}
	faults := []fault{none, none, refuse, unavailable, cut, stall, slow}
	if watch {
		faults = []fault{none, refuse, unavailable, cut, cut, cut, cutClean, cutClean, stall, slow}
		if c.gone {
			faults = append(faults, expired, expiredLate)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 {
		return none, 0, 0
	}
	c.left--
	f := faults[c.random.IntN(len(faults))]
	c.did[f]++
	return f, c.random.IntN(6000), time.Duration(c.random.IntN(3000)) * time.Microsecond
}

func (c *chaos) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, bytes, pause := c.decide(r.URL.Query().Get("watch") != "")
	switch f {
	case refuse:
		panic(http.ErrAbortHandler)
	case unavailable:
		http.Error(w, "chaos", http.StatusServiceUnavailable)
		return
	case expired:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusGone)
		_, _ = w.Write(goneStatus())
		return
	}
	broken := &brokenWriter{ResponseWriter: w, chaos: c, fault: f, left: bytes, pause: pause, hungUp: r.Context().Done()}
	if f == none {
		broken.left = 1 << 40
	}
	defer func() {
		if p := recover(); p != nil && !broken.clean {
			panic(p)
		}
	}()
	c.next.ServeHTTP(broken, r)
}

// brokenWriter forwards an answer until its bytes are used up.
type brokenWriter struct {
	http.ResponseWriter
	chaos  *chaos
	fault  fault
	left   int
	pause  time.Duration
	hungUp <-chan struct{}
	// clean means that the answer ends as if that were its end.
	clean bool
}

func (b *brokenWriter) Flush() { b.ResponseWriter.(http.Flusher).Flush() }

func (b *brokenWriter) Write(p []byte) (int, error) {
	if b.chaos.dead.Load() {
		b.fault, b.left = stall, 0
	}
	if b.fault == slow {
		b.wait(b.pause)
		return b.ResponseWriter.Write(p)
	}
	if len(p) <= b.left {
		b.left -= len(p)
		return b.ResponseWriter.Write(p)
	}
	if b.fault == stall {
		b.wait(time.Hour)
		panic(http.ErrAbortHandler)
	}
	if b.fault == expiredLate {
		// Between two events, as a server does it: the answer so far ends with a whole line.
		_, _ = fmt.Fprintf(b.ResponseWriter, `{"type":"ERROR","object":%s}`+"\n", goneStatus())
	} else if _, err := b.ResponseWriter.Write(p[:b.left]); err != nil {
		return 0, err
	}
	b.Flush()
	b.clean = b.fault != cut
	panic(http.ErrAbortHandler)
}

// wait lasts until the client hangs up or the test ends, at most d.
func (b *brokenWriter) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.hungUp:
	case <-b.chaos.done:
	}
}
