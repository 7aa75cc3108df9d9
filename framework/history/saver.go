package history

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// saveEvery is the shortest time between two flushes: what a killed process loses, and what keeps the blocks of the
// compressed stream from becoming tiny.
const saveEvery = 200 * time.Millisecond

// saver writes a history into a file while it grows. It follows the log by itself, so the streams never wait for a disk.
type saver struct {
	file *os.File
	log  *log

	mu      sync.Mutex
	encoder *zstd.Encoder
	// written counts the entries in the file.
	written int
	err     error
}

// newSaver creates the file with its header.
func newSaver(path string, header Header, log *log) (*saver, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the history: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create the history: %w", err)
	}
	encoder, err := newEncoder(file)
	if err == nil {
		err = errors.Join(writeLine(encoder, headerLine{header}), encoder.Flush())
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("write the history's header: %w", err)
	}
	return &saver{file: file, log: log, encoder: encoder}, nil
}

// run writes new entries until ctx ends.
func (s *saver) run(ctx context.Context) {
	pace := time.NewTicker(saveEvery)
	defer pace.Stop()
	for {
		changed := s.log.changes()
		s.save()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return
		}
	}
}

// save writes what is new and flushes it, so that everything up to here can be read even if the process is killed.
func (s *saver) save() {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := s.log.since(s.written)
	if len(entries) == 0 {
		return
	}
	for i := range entries {
		s.write(&entries[i])
	}
	s.written += len(entries)
	s.flush()
}

// amend writes a header that replaces the one before.
func (s *saver) amend(header Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(headerLine{header})
	s.flush()
}

// write and flush keep the first error and do nothing after it. The caller holds the lock.
func (s *saver) write(v any) {
	if s.err == nil {
		s.err = writeLine(s.encoder, v)
	}
}

func (s *saver) flush() {
	if s.err == nil {
		s.err = s.encoder.Flush()
	}
}

// close writes the rest and completes the file.
func (s *saver) close() error {
	s.save()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.err, s.encoder.Close(), s.file.Close()); err != nil {
		return fmt.Errorf("write the history %s: %w", s.file.Name(), err)
	}
	return nil
}
