package history

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// second is how long a second of timeoutSeconds lasts on the test API server.
const second = 10 * time.Millisecond

// apiServer answers list and watch as a Kubernetes API server does: one counter for all writes, events in its order, a
// bookmark two seconds before a watch's end, 410 for what was compacted, and nothing else before a watch's time is up.
type apiServer struct {
	mu       sync.Mutex
	revision int64
	objects  map[Resource]map[string]json.RawMessage
	events   map[Resource][]apiEvent
	// compacted is the revision up to which events are forgotten.
	compacted map[Resource]int64
	// readOnly refuses the recorder's marker.
	readOnly bool
	// full refuses new pods.
	full atomic.Bool
	// owners are what the marker was given last.
	owners  atomic.Value
	changed chan struct{}
	done    chan struct{}
}

type apiEvent struct {
	Type     string
	Name     string
	Revision int64
	Object   json.RawMessage
}

func newAPIServer(t testing.TB) (*apiServer, string) {
	a := &apiServer{
		revision: 100, objects: map[Resource]map[string]json.RawMessage{}, events: map[Resource][]apiEvent{},
		compacted: map[Resource]int64{}, changed: make(chan struct{}), done: make(chan struct{}),
	}
	server := httptest.NewServer(a)
	t.Cleanup(func() {
		close(a.done)
		server.Close()
	})
	return a, server.URL
}

func clientOf(t testing.TB, url string) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host: url, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (a *apiServer) has(r Resource, name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, has := a.objects[r][name]
	return has
}

// put creates or changes an object, remove deletes it.
func (a *apiServer) put(r Resource, object metav1.Object) { a.write(r, object, false) }

func (a *apiServer) remove(r Resource, object metav1.Object) { a.write(r, object, true) }

func (a *apiServer) write(r Resource, object metav1.Object, remove bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revision++
	object.SetResourceVersion(strconv.FormatInt(a.revision, 10))
	text, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	text = fmt.Appendf(nil, `{"apiVersion":%q,"kind":%q,%s`, kinds[r][0], kinds[r][1], text[1:]) // as a server sends it
	if a.objects[r] == nil {
		a.objects[r] = map[string]json.RawMessage{}
	}
	event := apiEvent{Type: "ADDED", Name: object.GetName(), Revision: a.revision, Object: text}
	_, exists := a.objects[r][object.GetName()]
	switch {
	case remove:
		event.Type = "DELETED"
		delete(a.objects[r], object.GetName())
	case exists:
		event.Type = "MODIFIED"
		fallthrough
	default:
		a.objects[r][object.GetName()] = text
	}
	a.events[r] = append(a.events[r], event)
	close(a.changed)
	a.changed = make(chan struct{})
}

// compact forgets all events so far.
func (a *apiServer) compact() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range []Resource{Pods, DaemonSets, ControllerRevisions, Nodes} {
		a.compacted[r] = a.revision
	}
}

// after returns the events of a resource after a revision, the revision of now, and what closes with the next write.
func (a *apiServer) after(r Resource, revision int64) (events []apiEvent, now int64, gone bool, changed chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.events[r] {
		if e.Revision > revision {
			events = append(events, e)
		}
	}
	return events, a.revision, revision < a.compacted[r], a.changed
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	resource := Resource(parts[len(parts)-1])
	w.Header().Set("Content-Type", "application/json")
	if r.Method != http.MethodGet {
		a.mark(w, r)
		return
	}
	if len(parts) > 1 && parts[len(parts)-2] == "namespaces" {
		json.NewEncoder(w).Encode(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]string{"name": parts[len(parts)-1], "uid": "u-1"}})
		return
	}
	if r.URL.Query().Get("watch") == "" {
		a.list(w, resource)
		return
	}
	a.watch(w, r, resource)
}

// mark answers a recorder's writes to its own pod; a read-only API server refuses them.
func (a *apiServer) mark(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSuffix(r.URL.Path, "/status")
	name = name[strings.LastIndex(name, "/")+1:]
	if a.readOnly || a.full.Load() && !a.has(Pods, name) || !strings.HasPrefix(name, MarkerPrefix) {
		http.Error(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`, http.StatusForbidden)
		return
	}
	marker := pod(name)
	var sent metav1.PartialObjectMetadata
	if err := json.NewDecoder(r.Body).Decode(&sent); err == nil && len(sent.OwnerReferences) > 0 {
		a.owners.Store(sent.OwnerReferences)
	}
	marker.OwnerReferences, _ = a.owners.Load().([]metav1.OwnerReference)
	if r.Method == http.MethodDelete {
		a.remove(Pods, marker)
	} else {
		a.put(Pods, marker)
	}
	marker.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
	json.NewEncoder(w).Encode(marker)
}

var kinds = map[Resource][2]string{
	Pods: {"v1", "Pod"}, Nodes: {"v1", "Node"}, DaemonSets: {"apps/v1", "DaemonSet"}, ControllerRevisions: {"apps/v1", "ControllerRevision"},
}

func (a *apiServer) list(w http.ResponseWriter, resource Resource) {
	a.mu.Lock()
	items := []json.RawMessage{}
	for _, object := range a.objects[resource] {
		items = append(items, object)
	}
	revision := a.revision
	a.mu.Unlock()
	json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": kinds[resource][0], "kind": kinds[resource][1] + "List",
		"metadata": map[string]string{"resourceVersion": strconv.FormatInt(revision, 10)}, "items": items,
	})
}

func (a *apiServer) watch(w http.ResponseWriter, r *http.Request, resource Resource) {
	from, err := strconv.ParseInt(r.URL.Query().Get("resourceVersion"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	seconds, err := strconv.Atoi(r.URL.Query().Get("timeoutSeconds"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	end := time.NewTimer(time.Duration(seconds) * second)
	defer end.Stop()
	bookmark := time.NewTimer(time.Duration(seconds-2) * second)
	defer bookmark.Stop()
	flush := func() { w.(http.Flusher).Flush() }
	flush()
	for {
		events, _, gone, changed := a.after(resource, from)
		if gone {
			fmt.Fprintf(w, `{"type":"ERROR","object":%s}`+"\n", goneStatus())
			return
		}
		for _, e := range events {
			fmt.Fprintf(w, `{"type":%q,"object":%s}`+"\n", e.Type, e.Object)
			from = e.Revision
		}
		flush()
		select {
		case <-changed:
		case <-bookmark.C:
			// Only what was sent is promised: an event may have come since.
			now := from
			if events, latest, _, _ := a.after(resource, from); len(events) == 0 {
				now = latest
			}
			fmt.Fprintf(w, `{"type":"BOOKMARK","object":{"apiVersion":%q,"kind":%q,"metadata":{"resourceVersion":"%d"}}}`+"\n",
				kinds[resource][0], kinds[resource][1], now)
			flush()
		case <-end.C:
			return
		case <-r.Context().Done():
			return
		case <-a.done:
			return
		}
	}
}

func goneStatus() []byte {
	status := apierrors.NewResourceExpired("too old resource version").Status()
	status.APIVersion, status.Kind = "v1", "Status"
	text, err := json.Marshal(status)
	if err != nil {
		panic(err)
	}
	return text
}
