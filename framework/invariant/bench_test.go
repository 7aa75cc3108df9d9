package invariant

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// rolledOnce is a history of nodes that are rolled once with maxUnavailable 1%: eight pod events a node, and as many statuses as
// a controller writes.
func rolledOnce(nodes int) *history.History {
	f := shoot(nodes)
	ds := f.create("fluentd", maxUnavailable("1%"))
	pods := make([]*corev1.Pod, 0, nodes)
	for i := 1; i <= nodes; i++ {
		p := f.pod(ds, "node-"+strconv.Itoa(i))
		f.emitPod(history.Added, p)
		f.ready(p)
		pods = append(pods, p)
	}
	status := func(updated, down int32) {
		n := int32(nodes)
		ds.Status.ObservedGeneration = ds.Generation
		ds.Status.DesiredNumberScheduled, ds.Status.CurrentNumberScheduled, ds.Status.UpdatedNumberScheduled = n, n, updated
		ds.Status.NumberReady, ds.Status.NumberAvailable, ds.Status.NumberUnavailable = n-down, n-down, down
		f.emitSet(history.Modified, ds)
	}
	status(int32(nodes), 0)
	f.wait(5)
	f.update(ds, image("v2"))
	f.revise(ds)
	batch := max(1, nodes/100)
	for at := 0; at < nodes; at += batch {
		group := pods[at:min(nodes, at+batch)]
		for _, p := range group {
			f.del(p)
		}
		status(int32(at), int32(len(group)))
		for _, p := range group {
			f.die(p)
			f.emitPod(history.Deleted, p)
			fresh := f.pod(ds, targetNode(p))
			f.emitPod(history.Added, fresh)
			f.ready(fresh)
		}
		status(int32(at+len(group)), 0)
	}
	return f.end()
}

func BenchmarkJudge(b *testing.B) {
	for _, nodes := range []int{625, 1250, 2500, 5000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			h := rolledOnce(nodes)
			b.ReportAllocs()
			b.ResetTimer()
			var result Result
			for b.Loop() {
				result = Judge(h)
			}
			b.StopTimer()
			if len(result.Violations) > 0 {
				b.Fatal(result.Violations[0])
			}
			b.ReportMetric(float64(len(h.Entries)), "events")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(h.Entries)), "ns/event")
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.Sys)/(1<<20), "MB-sys")
		})
	}
}
