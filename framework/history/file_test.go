package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/klauspost/compress/zstd"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var began = time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)

// sample holds an entry of every kind.
func sample() *History {
	h := &History{Header: Header{Format: 1, Spec: "it rolls", Namespace: "ns", Seed: 7, Began: began, LeasedNodes: []string{"n1"}, Disturbances: []Disturbance{NodesDown}}}
	for _, e := range []Entry{
		{Type: Listed, Resource: Nodes, Node: node("n1")},
		{Type: Listed, Resource: DaemonSets, DaemonSet: &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "ds", Generation: 3}}},
		{Type: Added, Resource: ControllerRevisions, ControllerRevision: &appsv1.ControllerRevision{Revision: 2}},
		{Type: Acted, Act: &Act{ID: 1, Verb: "delete", Object: Reference{Resource: Pods, Name: "p"}, Disturbs: []Disturbance{PodsDeleted}}},
		{Type: Added, Resource: Pods, Pod: pod("p")},
		{Type: Modified, Resource: Pods, Pod: pod("p")},
		{Type: Acted, Act: &Act{ID: 1, Verb: "delete", Done: true, Error: "no"}},
		{Type: Gapped, Resource: Pods, Gap: &Gap{After: "5", Reason: "410 Gone"}},
		{Type: Deleted, Resource: Pods, Pod: pod("p")},
		{Type: Barred},
	} {
		e.Seq, e.At = len(h.Entries), began.Add(time.Duration(len(h.Entries))*time.Millisecond)
		h.Entries = append(h.Entries, e)
	}
	return h
}

func written(t testing.TB, h *History) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, h); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// flushed writes as a recorder does when nothing comes for a while after each entry.
func flushed(t testing.TB, h *History) []byte {
	t.Helper()
	var b bytes.Buffer
	encoder, err := newEncoder(&b)
	if err != nil {
		t.Fatal(err)
	}
	lines := []any{headerLine{h.Header}}
	for i := range h.Entries {
		lines = append(lines, &h.Entries[i])
	}
	for _, line := range lines {
		if err := errors.Join(writeLine(encoder, line), encoder.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// packed compresses lines as a file holds them.
func packed(t testing.TB, lines ...string) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	return encoder.EncodeAll([]byte(strings.Join(lines, "\n")), nil)
}

func TestWriteReadGivesTheSame(t *testing.T) {
	h := sample()
	got, err := Read(bytes.NewReader(written(t, h)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, h) {
		t.Errorf("read\n%+v\nwant\n%+v", got, h)
	}
}

// A file cut anywhere gives a prefix of the history and a gap, or says that there is nothing to read.
func TestReadCutFile(t *testing.T) {
	h := sample()
	h.Entries[7] = Entry{Seq: 7, At: h.Entries[7].At, Type: Barred} // no gap but that of the cut
	whole := flushed(t, h)
	kept := map[int]bool{}
	for n := 0; n < len(whole); n += 3 {
		got, err := Read(bytes.NewReader(whole[:n]))
		if err != nil {
			if !strings.Contains(err.Error(), "cut off before its header") {
				t.Errorf("%d of %d bytes: %v", n, len(whole), err)
			}
			continue
		}
		gap := got.Complete()
		if gap == nil || gap.Reason != "the file is cut off" {
			t.Errorf("%d of %d bytes: the gap is %v", n, len(whole), gap)
		}
		k := len(got.Entries) - 1
		kept[k] = true
		if k > 0 && !reflect.DeepEqual(got.Entries[:k], h.Entries[:k]) {
			t.Errorf("%d of %d bytes: the entries are not a prefix", n, len(whole))
		}
	}
	if len(kept) < len(h.Entries) {
		t.Errorf("the cuts left %d different lengths of %d entries: the test does not cut everywhere", len(kept), len(h.Entries))
	}
}

// What is on disk while the recorder runs can be read: a killed process leaves evidence.
func TestFileOfAKilledRecorder(t *testing.T) {
	api, url := newAPIServer(t)
	file := filepath.Join(t.TempDir(), "h.jsonl.zst")
	r := start(t, Options{Client: clientOf(t, url), File: file})
	for i := range 20 {
		api.put(Pods, pod(fmt.Sprintf("p%d", i)))
	}
	if err := r.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Expect(PodsDeleted) // a header in the middle
	r.saver.save()        // what the next tick would do
	copied := filepath.Join(t.TempDir(), "copy")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, text, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := Load(copied)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Entries) != 22 || h.Complete() == nil || len(h.Header.Disturbances) != 1 {
		t.Errorf("the unfinished file has %d entries, gap %v, disturbances %v; want 20 pods, a barrier, a gap and one disturbance",
			len(h.Entries), h.Complete(), h.Header.Disturbances)
	}
	if _, err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestReadRefuses(t *testing.T) {
	header := `{"header":{"format":1,"spec":"","namespace":"ns","began":"2026-11-22T12:00:00Z"}}`
	barrier := `{"seq":0,"at":"2026-11-22T12:00:00Z","type":"BARRIER"}`
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":           {nil, "cut off before its header"},
		"plain text":        {[]byte(header + "\n"), "not compressed with zstd"},
		"other lines":       {packed(t, "hello", ""), "this is not a history"},
		"other JSON":        {packed(t, `{"kind":"Pod"}`, ""), "does not begin with a header"},
		"no format":         {packed(t, `{"header":{}}`, ""), "no format"},
		"newer format":      {packed(t, `{"header":{"format":2}}`, ""), "format 2, this program reads up to 1"},
		"entry out of line": {packed(t, header, barrier, barrier, ""), "line 3: entry 0 stands where entry 1 belongs"},
		"no entry":          {packed(t, header, "{", ""), "line 2: read an entry"},
		"unknown type":      {packed(t, header, `{"seq":0,"type":"BORN"}`, ""), `its type is "BORN"`},
		"empty event":       {packed(t, header, `{"seq":0,"type":"ADDED","resource":"pods"}`, ""), "holds no object"},
		"wrong object":      {packed(t, header, `{"seq":0,"type":"ADDED","resource":"pods","node":{}}`, ""), "holds no object"},
		"two objects":       {packed(t, header, `{"seq":0,"type":"ADDED","resource":"pods","pod":{},"node":{}}`, ""), "nodes is set"},
		"act without act":   {packed(t, header, `{"seq":0,"type":"ACT"}`, ""), "act is set: false"},
		"endless line":      {packed(t, header, strings.Repeat(" ", maxLine+1), ""), "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(test.data))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Read returns %v, want one line with %q", err, test.want)
			}
		})
	}
	damaged := written(t, sample())
	damaged[len(damaged)/2] ^= 0x55
	if h, err := Read(bytes.NewReader(damaged)); err == nil && h.Complete() == nil {
		t.Error("a damaged file passes for a complete history")
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	if _, err := Load("/nowhere/h.jsonl.zst"); err == nil || !strings.Contains(err.Error(), "/nowhere/h.jsonl.zst") {
		t.Errorf("Load returns %v, want an error that names the file", err)
	}
}

func TestTrim(t *testing.T) {
	managed := []metav1.ManagedFieldsEntry{{Manager: "m", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{}}`)}}
	meta := func() metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Name: "x", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: "{}"},
			Finalizers: []string{"f"}, ManagedFields: append([]metav1.ManagedFieldsEntry(nil), managed...),
			OwnerReferences: []metav1.OwnerReference{{Name: "o"}},
		}
	}
	p := &corev1.Pod{ObjectMeta: meta(), Spec: corev1.PodSpec{NodeName: "n"}}
	trim(p, nil)
	want := meta()
	want.ManagedFields = nil
	if !reflect.DeepEqual(p.ObjectMeta, want) || p.Spec.NodeName != "n" {
		t.Errorf("of the pod remains %+v", p)
	}
	n := &corev1.Node{ObjectMeta: meta(), Status: corev1.NodeStatus{Images: make([]corev1.ContainerImage, 3), Conditions: make([]corev1.NodeCondition, 1)}}
	trim(n, nil)
	if n.Status.Images != nil || n.ManagedFields != nil || len(n.Status.Conditions) != 1 {
		t.Errorf("of the node remains %+v", n)
	}
	ds, next := &appsv1.DaemonSet{ObjectMeta: meta()}, &appsv1.DaemonSet{ObjectMeta: meta()}
	next.ManagedFields[0].FieldsV1 = metav1.NewFieldsV1(`{"f:spec":{}}`)
	trim(ds, nil)
	trim(next, ds)
	if !reflect.DeepEqual(ds.ObjectMeta, meta()) {
		t.Errorf("of the DaemonSet remains %+v", ds)
	}
	if next.ManagedFields[0].FieldsV1 != ds.ManagedFields[0].FieldsV1 {
		t.Error("two states of the DaemonSet do not share their managed fields")
	}
}

// Whatever pods share, each stays what it was.
func TestShare(t *testing.T) {
	l := newLog(nil)
	var want []*corev1.Pod
	for state := range states {
		for i := range 3 {
			sent := rolledPod(i, state)
			sent.ManagedFields = nil
			want = append(want, decoded(t, sent))
			l.event(Modified, Pods, decoded(t, sent))
		}
	}
	first := l.entries[0].Pod.Spec
	for i, e := range l.entries {
		if !reflect.DeepEqual(e.Pod, want[i]) {
			t.Errorf("entry %d is not what was sent:\n%+v\n%+v", i, e.Pod, want[i])
		}
		if unsafe.SliceData(e.Pod.Spec.Tolerations) != unsafe.SliceData(first.Tolerations) {
			t.Errorf("entry %d has tolerations of its own", i)
		}
		if bound := l.entries[i%3].Pod.Spec; unsafe.SliceData(e.Pod.Spec.Containers) != unsafe.SliceData(bound.Containers) {
			t.Errorf("entry %d has other containers than its pod before it was bound", i)
		}
		if c := e.Pod.Status.Conditions; cap(c) > len(c) {
			t.Errorf("entry %d keeps room for %d conditions beside its %d", i, cap(c)-len(c), len(c))
		}
	}
}

// FuzzRead: no input makes Read panic, and what it accepts is written and read back the same.
func FuzzRead(f *testing.F) {
	whole := written(f, sample())
	f.Add(whole, false)
	f.Add(whole[:len(whole)/2], false)
	text, err := json.Marshal(headerLine{sample().Header})
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range sample().Entries {
		line, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		text = append(append(text, '\n'), line...)
	}
	f.Add(append(text, '\n'), true)
	f.Add([]byte("{}\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, plain bool) {
		if plain { // the interesting half: what is behind the compression
			data = packed(t, string(data))
		}
		h, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := Write(&b, h); err != nil {
			return // a time beyond the year 9999, for example, can be read but not written
		}
		again, err := Read(&b)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		first, second := new(bytes.Buffer), new(bytes.Buffer)
		if err := Write(first, h); err != nil {
			t.Fatal(err)
		}
		if err := Write(second, again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Error("written, read and written again, the history is another")
		}
	})
}
