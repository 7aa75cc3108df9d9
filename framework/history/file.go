package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Format is the layout that this package writes, and the newest that it reads: a zstd stream of JSON lines. The first
// line is {"header": Header}, each further one an Entry, or a header again that replaces the one before.
const Format = 1

// maxLine bounds one line, in bytes: etcd refuses objects beyond 1.5 MiB, so anything longer is not ours.
const maxLine = 16 << 20

// headerLine is the first line of a file.
type headerLine struct {
	Header Header `json:"header"`
}

// line is any line of a file.
type line struct {
	Header *Header `json:"header,omitempty"`
	Entry
}

// Load reads a saved history. Of a file that is cut off, because its writer was killed or still writes, it returns what
// can be read, with a gap at the end. A newer format, or a file that is no history, is an error.
func Load(path string) (*History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load history: %w", err)
	}
	defer f.Close()
	h, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("load history %s: %w", path, err)
	}
	return h, nil
}

// Read reads a history as Load does.
func Read(r io.Reader) (*History, error) {
	decoder, err := zstd.NewReader(bufio.NewReaderSize(r, 1<<16), zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	defer decoder.Close()
	h := &History{}
	lines := bufio.NewReaderSize(decoder, 1<<16)
	past := past{}
	for n := 1; ; n++ {
		text, err := readLine(lines)
		if err == nil {
			err = h.readLine(text, n == 1, past)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			continue
		}
		switch {
		case errors.Is(err, zstd.ErrMagicMismatch):
			return nil, errors.New("this is not a history: it is not compressed with zstd")
		case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("line %d: %w", n, err)
		case n == 1:
			return nil, errors.New("this is not a history, or it was cut off before its header")
		case errors.Is(err, io.ErrUnexpectedEOF):
			h.cut()
		}
		return h, nil
	}
}

// readLine returns the next line without its end. At a clean end of the data the error is io.EOF, at a cut io.ErrUnexpectedEOF.
func readLine(r *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(text)+len(part) > maxLine {
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		}
		if err == nil && text == nil {
			return part[:len(part)-1], nil
		}
		text = append(text, part...)
		switch {
		case err == nil:
			return text[:len(text)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(text) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

func (h *History) readLine(text []byte, first bool, past past) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		if first {
			return fmt.Errorf("this is not a history: %w", err)
		}
		return fmt.Errorf("read an entry: %w", err)
	}
	if l.Header != nil {
		if l.Header.Format > Format {
			return fmt.Errorf("the history has format %d, this program reads up to %d", l.Header.Format, Format)
		}
		if l.Header.Format < 1 {
			return errors.New("this is not a history: its header has no format")
		}
		h.Header = *l.Header
		return nil
	}
	if first {
		return errors.New("this is not a history: it does not begin with a header")
	}
	if l.Seq != len(h.Entries) {
		return fmt.Errorf("entry %d stands where entry %d belongs", l.Seq, len(h.Entries))
	}
	if err := l.Entry.check(); err != nil {
		return fmt.Errorf("entry %d: %w", l.Seq, err)
	}
	past.share(&l.Entry)
	h.Entries = append(h.Entries, l.Entry)
	return nil
}

// cut ends the history with a gap.
func (h *History) cut() {
	e := Entry{Seq: len(h.Entries), Type: Gapped, Gap: &Gap{Reason: "the file is cut off"}, At: h.Header.Began}
	if e.Seq > 0 {
		e.At = h.Entries[e.Seq-1].At
	}
	h.Entries = append(h.Entries, e)
}

// check returns an error unless exactly that is set which Type and Resource say.
func (e *Entry) check() error {
	content := map[string]bool{
		string(Pods): e.Pod != nil, string(DaemonSets): e.DaemonSet != nil, string(ControllerRevisions): e.ControllerRevision != nil,
		string(Nodes): e.Node != nil, "act": e.Act != nil, "gap": e.Gap != nil,
	}
	want := ""
	switch e.Type {
	case Listed, Added, Modified, Deleted:
		want = string(e.Resource)
		if !content[want] {
			return fmt.Errorf("it is %s and holds no object of %q", e.Type, e.Resource)
		}
	case Acted:
		want = "act"
	case Gapped:
		want = "gap"
	case Barred:
	default:
		return fmt.Errorf("its type is %q", e.Type)
	}
	for what, set := range content {
		if set != (what == want) {
			return fmt.Errorf("it is %s and %s is set: %t", e.Type, what, set)
		}
	}
	return nil
}

// object returns the object of a list or watch entry, else nil.
func (e *Entry) object() metav1.Object {
	switch {
	case e.Pod != nil:
		return e.Pod
	case e.DaemonSet != nil:
		return e.DaemonSet
	case e.ControllerRevision != nil:
		return e.ControllerRevision
	case e.Node != nil:
		return e.Node
	}
	return nil
}

// Write writes a history in the form that Read reads.
func Write(w io.Writer, h *History) error {
	encoder, err := newEncoder(w)
	if err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	err = writeLine(encoder, headerLine{h.Header})
	for i := 0; i < len(h.Entries) && err == nil; i++ {
		err = writeLine(encoder, &h.Entries[i])
	}
	if err := errors.Join(err, encoder.Close()); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

// newEncoder compresses with one goroutine and a small window: many recorders run beside what they record.
func newEncoder(w io.Writer) (*zstd.Encoder, error) {
	return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderLevel(zstd.SpeedFastest))
}

func writeLine(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// oneLine makes an error fit the reason of a gap.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
