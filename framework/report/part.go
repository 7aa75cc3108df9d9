package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Plan is what a run intends, written before its first spec: without it nobody could tell what a killed run left out.
type Plan struct {
	// Report has the fields that are known beforehand: Date, Suite, Implementation, Cluster, Reproduce, Configuration, and of
	// Behaviours the whole catalog (ID, Level, Area, Statement).
	Report ConformanceReport `json:"report"`
	// Specs are the specs that the run's selection includes, with Name and Behaviours. Verdicts are not read.
	Specs []Spec `json:"specs"`
	// Shard says which of several shards this plan is of, if it is one's: Specs are its share then.
	Shard *Shard `json:"shard,omitempty"`
	// Shares are those of all shards, so that any of them tells what was to be run.
	Shares [][]Spec `json:"shares,omitempty"`
}

const (
	planFile    = "plan.json"
	partPattern = "*.jsonl"
	outcomeFile = "outcome"
	leftFile    = "left-behind"
)

// Save writes the plan into dir, which is made if need be. It is there whole or not at all.
func (p *Plan) Save(dir string) error {
	text, err := json.MarshalIndent(p, "", " ")
	if err == nil {
		err = writeWhole(filepath.Join(dir, planFile), text)
	}
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	return nil
}

// writeWhole writes a file so that a reader, or whoever comes after a crash, sees all of it or what was there before.
func writeWhole(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// LoadPlan reads what Save wrote.
func LoadPlan(dir string) (*Plan, error) {
	text, err := os.ReadFile(filepath.Join(dir, planFile))
	if err != nil {
		return nil, fmt.Errorf("load the plan: %w", err)
	}
	p := &Plan{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("load the plan %s: %w", filepath.Join(dir, planFile), err)
	}
	return p, nil
}

// Line is one line of a part: a spec that began, or one that ended.
type Line struct {
	// Began is the name of a spec that began. If no line with its result follows, it was cut short.
	Began string `json:"began,omitempty"`
	// At is when.
	At time.Time `json:"at"`
	// Result is a spec that ended.
	Result *Spec `json:"result,omitempty"`
}

// Part is one process's share of the results, appended as they come, so that a killed run leaves those it had.
// It is used by one goroutine at a time.
type Part struct{ f *os.File }

// OpenPart opens the part of a process, 1 and up, in dir. What an earlier repetition left there stays.
func OpenPart(dir string, process int) (*Part, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open part %d: %w", process, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(process)+".jsonl"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open part %d: %w", process, err)
	}
	// A line that an earlier process was killed in must not swallow the next one.
	if size, err := f.Seek(0, io.SeekEnd); err == nil && size > 0 {
		last := []byte{0}
		if _, err := f.ReadAt(last, size-1); err == nil && last[0] != '\n' {
			_, _ = f.Write([]byte{'\n'})
		}
	}
	return &Part{f: f}, nil
}

// Begin notes that a spec begins now.
func (p *Part) Begin(name string) error {
	return p.append(Line{Began: name, At: time.Now()})
}

// Append notes the result of a spec that ended now.
func (p *Part) Append(result Spec) error {
	return p.append(Line{Result: &result, At: time.Now()})
}

func (p *Part) append(l Line) error {
	text, err := json.Marshal(l)
	if err == nil {
		_, err = p.f.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("append to %s: %w", p.f.Name(), err)
	}
	return nil
}

// Close closes the file.
func (p *Part) Close() error { return p.f.Close() }

// ReadPart reads a part. A line that was torn by a kill is left out: its spec has no result then. Anything else that is no
// line of a part is an error, returned beside all the lines that are.
func ReadPart(r io.Reader) ([]Line, error) {
	var lines []Line
	var faults []error
	buffered := bufio.NewReader(r)
	for n := 1; ; n++ {
		text, err := buffered.ReadBytes('\n')
		if len(bytes.TrimSpace(text)) > 0 {
			l, fault := decodeLine(text)
			switch {
			case errors.Is(fault, io.ErrUnexpectedEOF):
			case fault != nil:
				faults = append(faults, fmt.Errorf("line %d: %w", n, fault))
			case l.Began == "" && l.Result == nil:
				faults = append(faults, fmt.Errorf("line %d has neither a beginning nor a result", n))
			default:
				lines = append(lines, l)
			}
		}
		if errors.Is(err, io.EOF) {
			return lines, errors.Join(faults...)
		}
		if err != nil {
			return lines, errors.Join(append(faults, err)...)
		}
	}
}

// decodeLine returns io.ErrUnexpectedEOF for a line that ends too early, which is how a killed writer's last line looks.
func decodeLine(text []byte) (Line, error) {
	var l Line
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimRight(text, "\r\n")))
	if err := decoder.Decode(&l); err != nil {
		return l, err
	}
	if decoder.More() {
		return l, errors.New("there is more on it than one entry")
	}
	return l, nil
}

// readParts reads all parts of a folder, in the order of their names.
func readParts(dir string) ([]Line, error) {
	paths, err := fs.Glob(os.DirFS(dir), partPattern)
	if err != nil {
		return nil, err
	}
	var all []Line
	var faults []error
	for _, path := range paths {
		f, err := os.Open(filepath.Join(dir, path))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		lines, err := ReadPart(f)
		if err := errors.Join(err, f.Close()); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", path, err))
		}
		all = append(all, lines...)
	}
	return all, errors.Join(faults...)
}
