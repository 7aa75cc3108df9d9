package cluster

import (
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

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

// awaiting repeats a request for which there was no connection: nobody has seen that one, so nothing is done twice. One that was lost on the
// way may have been obeyed, and its error is its sender's.
type awaiting struct{ next http.RoundTripper }

func (a awaiting) RoundTrip(request *http.Request) (*http.Response, error) {
	repeatable := request.Body == nil || request.GetBody != nil
	for began := time.Now(); ; {
		// A transport that repeats a request by itself, because its server said goodbye, asks for a connection anew.
		var sent atomic.Bool
		attempt := request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
			GetConn: func(string) { sent.Store(false) },
			GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
		}))
		if request.GetBody != nil {
			body, err := request.GetBody()
			if err != nil {
				return nil, err
			}
			attempt.Body = body
		}
		response, err := a.next.RoundTrip(attempt)
		if err == nil || sent.Load() || !repeatable || time.Since(began) > longestAbsence {
			return response, err
		}
		again := time.NewTimer(betweenAttempts)
		select {
		case <-again.C:
		case <-request.Context().Done():
			again.Stop()
			return nil, err
		}
	}
}
