package cluster

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRequestsWaitForAServerThatIsAway: the body arrives whole when it is back.
func TestRequestsWaitForAServerThatIsAway(t *testing.T) {
	listener := listen(t, "127.0.0.1:0")
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	var tries atomic.Int32
	refusing := roundTripper(func(r *http.Request) (*http.Response, error) {
		if tries.Add(1) == 3 {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
			server.Listener = listen(t, address)
			server.Start()
			t.Cleanup(server.Close)
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	response, err := (&http.Client{Transport: awaiting{refusing}}).Post("http://"+address, "text/plain", strings.NewReader("whole"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "whole" || tries.Load() < 3 {
		t.Errorf("after %d tries the server got %q, %v", tries.Load(), body, err)
	}
}

// TestARequestThatMayHaveBeenObeyedIsSentOnce: the server read it and ended without a word.
func TestARequestThatMayHaveBeenObeyedIsSentOnce(t *testing.T) {
	var seen atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	client := &http.Client{Transport: awaiting{http.DefaultTransport}}
	if response, err := client.Post(server.URL, "text/plain", strings.NewReader("once")); err == nil {
		response.Body.Close()
		t.Error("no error")
	}
	if seen.Load() != 1 {
		t.Errorf("the server saw it %d times", seen.Load())
	}
}

func TestWaitingEndsWithTheRequest(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := (awaiting{http.DefaultTransport}).RoundTrip(request); err == nil {
		response.Body.Close()
		t.Error("no error")
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}
