package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// states are the events of one pod of a rollout: created, bound, started, ready, deleted, stopped, gone.
const states = 8

// rolledPod is a pod as an API server sends it, with everything that such a pod usually carries.
func rolledPod(i, state int) *corev1.Pod {
	p := pod(fmt.Sprintf("fluentd-elasticsearch-%05d", i))
	p.ResourceVersion = fmt.Sprint(1000 + i*states + state)
	p.Labels = map[string]string{"name": "fluentd-elasticsearch", "controller-revision-hash": "5d4f8c7b6d", "pod-template-generation": "1"}
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "fluentd-elasticsearch", UID: "8b8c6a34-7c1e-4a52-9a0b-0d6d0c1e9a77", Controller: new(true)}}
	for range 3 {
		p.ManagedFields = append(p.ManagedFields, metav1.ManagedFieldsEntry{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:conditions":{},"f:phase":{},"f:podIP":{},"f:startTime":{}}}`)})
	}
	p.Spec = corev1.PodSpec{
		ServiceAccountName: "default", SchedulerName: "default-scheduler",
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: "In", Values: []string{fmt.Sprintf("node-%05d", i)}}}}},
		}}},
		Containers: []corev1.Container{{
			Name: "fluentd", Image: "quay.io/fluentd_elasticsearch/fluentd:v2.5.2",
			VolumeMounts: []corev1.VolumeMount{{Name: "varlog", MountPath: "/var/log"}, {Name: fmt.Sprintf("kube-api-access-%05d", i), MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}},
		}},
		Volumes: []corev1.Volume{{Name: "varlog"}, {Name: fmt.Sprintf("kube-api-access-%05d", i)}},
	}
	if state > 0 {
		p.Spec.NodeName = fmt.Sprintf("node-%05d", i)
	}
	for _, key := range []string{"not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"} {
		p.Spec.Tolerations = append(p.Spec.Tolerations, corev1.Toleration{Key: "node.kubernetes.io/" + key, Operator: "Exists", Effect: "NoExecute"})
	}
	for _, c := range []corev1.PodConditionType{"Initialized", "Ready", "ContainersReady", "PodScheduled", "PodReadyToStartContainers"} {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: c, Status: "True", LastTransitionTime: metav1.NewTime(began.Add(time.Duration(state) * time.Second))})
	}
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "fluentd", Ready: state > 3, Image: "quay.io/fluentd_elasticsearch/fluentd:v2.5.2", ImageID: "sha256:0123456789"}}
	return p
}

// decoded gives a pod as it comes from a decoder: it shares no string with any other.
func decoded(b testing.TB, p *corev1.Pod) *corev1.Pod {
	text, err := json.Marshal(p)
	if err != nil {
		b.Fatal(err)
	}
	fresh := new(corev1.Pod)
	if err := json.Unmarshal(text, fresh); err != nil {
		b.Fatal(err)
	}
	return fresh
}

// BenchmarkRecord records a rollout over 5,000 nodes, 40,000 events in random order of the pods, and reports what an
// entry costs in memory and time, the decoding not included.
func BenchmarkRecord(b *testing.B) {
	const nodes = 5000
	for b.Loop() {
		random := rand.New(rand.NewPCG(1, 1))
		before := heap()
		l := newLog(nil)
		state := make([]int, nodes)
		var spent time.Duration
		for left := nodes * states; left > 0; {
			i := random.IntN(nodes)
			if state[i] == states {
				continue
			}
			p := decoded(b, rolledPod(i, state[i]))
			begin := time.Now()
			l.event(Modified, Pods, p)
			spent += time.Since(begin)
			state[i]++
			left--
		}
		used, entries := float64(heap()-before), float64(len(l.entries))
		b.ReportMetric(used/entries, "heap-B/entry")
		b.ReportMetric(used/1e6, "heap-MB")
		b.ReportMetric(float64(spent.Nanoseconds())/entries, "ns/entry")
		runtime.KeepAlive(l)
	}
}

// heap returns the bytes that are in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func rolledHistory(nodes int) *History {
	h := &History{Header: Header{Format: Format, Namespace: "ns", Began: began}}
	l := newLog(nil)
	for s := range states {
		for i := range nodes {
			l.event(Modified, Pods, rolledPod(i, s))
		}
	}
	h.Entries = l.entries
	return h
}

// BenchmarkWrite and BenchmarkRead report per entry; file-B/entry is what is on disk.
func BenchmarkWrite(b *testing.B) {
	h := rolledHistory(500)
	var size counter
	for b.Loop() {
		size = 0
		if err := Write(&size, h); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(h.Entries)), "ns/entry")
	b.ReportMetric(float64(size)/float64(len(h.Entries)), "file-B/entry")
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func BenchmarkRead(b *testing.B) {
	h := rolledHistory(500)
	text := written(b, h)
	for b.Loop() {
		if _, err := Read(bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(h.Entries)), "ns/entry")
}
