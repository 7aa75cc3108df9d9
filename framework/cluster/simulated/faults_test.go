package simulated

import (
	"strings"
	"sync"
	"testing"

	"rollcall.dev/framework/cluster"
)

// One process changes the faults while others read them: each reads all of one change.
func TestFaultsAreReadWhole(t *testing.T) {
	p := &Provider{config: cluster.Config{Dir: t.TempDir()}}
	f := noFaults()
	f.Clocks["node-1"] = strings.Repeat("long", 1<<14)
	var writer sync.WaitGroup
	writer.Go(func() {
		for f.Generation < 500 {
			f.Generation++
			if err := p.keepFaults(f); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for last := 0; last < 500; {
		read, err := p.faults()
		if err != nil || read.Generation < last {
			t.Fatalf("after change %d, change %d was read: %v", last, read.Generation, err)
		}
		last = read.Generation
		if t.Failed() {
			break
		}
	}
	writer.Wait()
}
