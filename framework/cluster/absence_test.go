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

// TestWhatIsTheSameTwiceIsSentAgain: the server obeys, and its first answer is lost, before it begins or in the middle.
func TestWhatIsTheSameTwiceIsSentAgain(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPatch} {
		for _, answered := range []string{"", "wh"} {
			t.Run(method+" after "+answered, func(t *testing.T) {
				var seen atomic.Int32
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if seen.Add(1) == 1 {
						w.Header().Set("Content-Length", "5")
						_, _ = io.WriteString(w, answered)
						panic(http.ErrAbortHandler)
					}
					_, _ = io.WriteString(w, "whole")
				}))
				defer server.Close()
				if code, body := ask(t, method, server.URL); code != http.StatusOK || body != "whole" || seen.Load() != 2 {
					t.Errorf("after %d requests the answer is %d, %q", seen.Load(), code, body)
				}
			})
		}
	}
}

// TestADeletionWhoseAnswerIsLostHasDeleted: when it is sent again there is nothing any more. Where nothing was lost, that is an error.
func TestADeletionWhoseAnswerIsLostHasDeleted(t *testing.T) {
	for lost, want := range []int{http.StatusNotFound, http.StatusOK} {
		var seen atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if int(seen.Add(1)) <= lost {
				panic(http.ErrAbortHandler)
			}
			http.NotFound(w, r)
		}))
		if code, body := ask(t, http.MethodDelete, server.URL); code != want {
			t.Errorf("with %d answers lost the answer is %d, %q", lost, code, body)
		}
		server.Close()
	}
}

// TestAWatchIsNotRepeated: its events are read as they come, and who reads them knows where to go on.
func TestAWatchIsNotRepeated(t *testing.T) {
	var seen atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		_, _ = io.WriteString(w, "event")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	response, err := (&http.Client{Transport: awaiting{http.DefaultTransport}}).Get(server.URL + "?watch=true")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err == nil || string(body) != "event" || seen.Load() != 1 {
		t.Errorf("after %d requests it read %q, %v", seen.Load(), body, err)
	}
}

func ask(t *testing.T, method, url string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: awaiting{http.DefaultTransport}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
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
