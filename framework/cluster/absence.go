package cluster

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

const (
	// longestAbsence is for how long a request waits for an API server that is being restarted. On a busy machine that takes half a minute.
	longestAbsence = 2 * time.Minute
	// betweenAttempts is how often it is tried.
	betweenAttempts = 50 * time.Millisecond
)

// AwaitAPIServer has a client's requests wait for an API server that is being restarted, as if it were slow.
func AwaitAPIServer(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return awaiting{next} })
}

// awaiting repeats a request for which there was no connection, for nobody has seen that one, and one whose answer was lost on the way, if to
// obey it twice comes to the same. Anything else may have been obeyed, and its error is its sender's.
type awaiting struct{ next http.RoundTripper }

func (a awaiting) RoundTrip(request *http.Request) (*http.Response, error) {
	sendable, lost := request.Body == nil || request.GetBody != nil, false
	for began := time.Now(); ; {
		response, sent, err := a.attempt(request)
		if err == nil && lost && request.Method == http.MethodDelete && response.StatusCode == http.StatusNotFound {
			return deleted(response), nil // by the attempt whose answer was lost, or by somebody else: it was to be gone, and is
		}
		if err == nil || !sendable || sent && !sameTwice(request) || time.Since(began) > longestAbsence {
			return response, err
		}
		lost = lost || sent
		again := time.NewTimer(betweenAttempts)
		select {
		case <-again.C:
		case <-request.Context().Done():
			again.Stop()
			return nil, err
		}
	}
}

// attempt sends a request once, and says whether it got onto a connection. What may be repeated is answered whole or not at all.
func (a awaiting) attempt(request *http.Request) (response *http.Response, onItsWay bool, err error) {
	// A transport that repeats a request by itself, because its server said goodbye, asks for a connection anew.
	var sent atomic.Bool
	attempt := request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { sent.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	}))
	if request.GetBody != nil {
		if attempt.Body, err = request.GetBody(); err != nil {
			return nil, true, err
		}
	}
	response, err = a.next.RoundTrip(attempt)
	if err != nil || !sameTwice(request) {
		return response, sent.Load(), err
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, true, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, true, nil
}

// sameTwice says whether a request that is obeyed twice leaves the cluster as if it had been once. A watch is no such request, for its answer has no
// end; a creation makes two things where the server chooses the name, and a replacement is refused as in conflict with itself.
func sameTwice(request *http.Request) bool {
	switch request.Method {
	case http.MethodGet:
		return !request.URL.Query().Has("watch") && !strings.HasSuffix(request.URL.Path, "/log")
	case http.MethodDelete:
		return true
	case http.MethodPatch:
		return request.Header.Get("Content-Type") != string(types.JSONPatchType)
	}
	return false
}

// deleted is the API server's answer to a deletion that it obeys.
func deleted(response *http.Response) *http.Response {
	response.Body.Close()
	response.StatusCode, response.Status = http.StatusOK, "200 OK"
	response.Header = http.Header{"Content-Type": {"application/json"}}
	answer := `{"kind":"Status","apiVersion":"v1","status":"Success"}`
	response.Body, response.ContentLength = io.NopCloser(strings.NewReader(answer)), int64(len(answer))
	return response
}
