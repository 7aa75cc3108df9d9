package suites

import (
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// cutting ends every watch of the suite's own about so long after it began, as a network does that drops connections. What has come until
// then is whole. For runs that show that nothing is lost or misjudged by it.
type cutting struct {
	next  http.RoundTripper
	every time.Duration
}

func (c cutting) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	if err != nil || request.URL.Query().Get("watch") == "" {
		return response, err
	}
	stream := &cutStream{ReadCloser: response.Body}
	stream.cut = time.AfterFunc(c.every/2+rand.N(c.every), func() { _ = stream.ReadCloser.Close() })
	response.Body = stream
	return response, nil
}

type cutStream struct {
	io.ReadCloser
	cut  *time.Timer
	once sync.Once
}

func (s *cutStream) Close() (err error) {
	s.once.Do(func() {
		s.cut.Stop()
		err = s.ReadCloser.Close()
	})
	return err
}
