package history

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// BenchmarkAPIServer says what recording costs the API server: its CPU time for the writes of a rollout over 200 nodes while
// somebody only watches, and while a recorder records, with five barriers. It needs ROLLCALL_BINARIES. The two take turns, so
// that what else the machine does meets both alike; the ratio is the recorder's alone.
func BenchmarkAPIServer(b *testing.B) {
	const nodes, barriers = 200, 5
	config, pid := startAPIServer(b)
	client := kubernetes.NewForConfigOrDie(config)
	var spent [2]time.Duration
	round := 0
	for b.Loop() {
		for recorded := range 2 {
			name := fmt.Sprintf("round-%d-%d", round, recorded)
			namespace(b, client, name)
			before := cpuTime(b, pid)
			if recorded == 1 {
				r, err := Start(b.Context(), Options{Client: client, Header: Header{Namespace: name}})
				if err != nil {
					b.Fatal(err)
				}
				rollPods(b, client, name, nodes, barriers, func() {
					if err := r.Barrier(b.Context()); err != nil {
						b.Fatal(err)
					}
				})
				if h, err := r.Stop(b.Context()); err != nil || h.Complete() != nil {
					b.Fatal(err, h.Complete())
				}
			} else {
				idle(b, client, name, func() { rollPods(b, client, name, nodes, barriers, func() {}) })
			}
			spent[recorded] += cpuTime(b, pid) - before
		}
		round++
	}
	b.ReportMetric(float64(spent[0].Milliseconds())/float64(round), "watched-ms")
	b.ReportMetric(float64(spent[1].Milliseconds())/float64(round), "recorded-ms")
	b.ReportMetric(100*(float64(spent[1])/float64(spent[0])-1), "percent-more")
}

// rollPods creates, starts and deletes a pod a node, and pauses now and then.
func rollPods(b *testing.B, client kubernetes.Interface, namespace string, nodes, pauses int, pause func()) {
	b.Helper()
	pods := client.CoreV1().Pods(namespace)
	for i := range nodes {
		p := rolledPod(i, 0)
		p.ObjectMeta = metav1.ObjectMeta{Name: p.Name, Namespace: namespace, Labels: p.Labels, OwnerReferences: p.OwnerReferences}
		p.Status = corev1.PodStatus{}
		p.Spec.Volumes, p.Spec.Containers[0].VolumeMounts = nil, nil
		_, err := pods.Create(b.Context(), p, metav1.CreateOptions{})
		for state := 1; state < 4 && err == nil; state++ {
			patch := fmt.Appendf(nil, `{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","message":"%d"}]}}`, state)
			_, err = pods.Patch(b.Context(), p.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		}
		if err == nil {
			err = pods.Delete(b.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		}
		if err != nil {
			b.Fatal(err)
		}
		if i%(nodes/pauses) == 0 {
			pause()
		}
	}
}

// idle reads the four streams and keeps nothing, while do runs.
func idle(b *testing.B, client kubernetes.Interface, namespace string, do func()) {
	b.Helper()
	ctx, end := context.WithCancel(b.Context())
	defer end()
	for _, source := range sources(client, namespace) {
		version, _, err := source.list(ctx, metav1.ListOptions{})
		if err != nil {
			b.Fatal(err)
		}
		w, err := source.watch(ctx, metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true})
		if err != nil {
			b.Fatal(err)
		}
		go func() {
			for range w.ResultChan() {
			}
		}()
	}
	do()
}

// cpuTime is what a process has used so far, in steps of 10 ms (proc_pid_stat(5), utime and stime in clock ticks).
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skipf("no CPU times of processes here: %v", err)
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(string(field))
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
