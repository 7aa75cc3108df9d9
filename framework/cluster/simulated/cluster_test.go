package simulated_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/cluster/simulated"
)

// TestCluster starts one cluster and holds its simulated kubelets against what real ones do. It takes about a minute. Lower bounds of
// durations are exact; upper bounds leave room for a machine that is busy with other things.
func TestCluster(t *testing.T) {
	binaries := os.Getenv("ROLLCALL_BINARIES")
	if binaries == "" {
		t.Skip("needs a control plane: set ROLLCALL_BINARIES to the folder with kube-apiserver, etcd, kwok, …")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "cluster")
	var log strings.Builder
	made := simulated.New(cluster.Config{Name: "behaves", Nodes: 8, Binaries: binaries, Dir: dir, Log: &log})
	t.Cleanup(func() {
		if err := made.Destroy(context.Background()); err != nil {
			t.Errorf("destroying: %v", err)
		}
		if left := processesOf(t, dir); len(left) > 0 {
			t.Errorf("processes left after Destroy: %v", left)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("the cluster's folder is still there after Destroy: %v", err)
		}
	})
	began := time.Now()
	kubeconfig, err := made.Create(ctx)
	if err != nil {
		t.Fatalf("creating: %v\n%s", err, log.String())
	}
	t.Logf("ready after %v", time.Since(began).Round(10*time.Millisecond))
	if info, err := os.Stat(kubeconfig); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("kubeconfig: %v %v, want mode 0600", info, err)
	}
	// Everything below goes through Open, as from another process.
	c := &testCluster{Provider: simulated.Open(made.State())}
	if c.client, err = kubernetes.NewForConfig(c.KubernetesRestConfig()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("kwok's log ends:\n%s", tail(filepath.Join(dir, "kwok/clusters/behaves/logs/kwok-controller.log")))
		}
	})

	t.Run("pods", func(t *testing.T) {
		for name, test := range podTests {
			t.Run(name, func(t *testing.T) { t.Parallel(); test(t.Context(), t, c) })
		}
		for name, test := range nodeTests {
			t.Run(name, func(t *testing.T) { t.Parallel(); test(t.Context(), t, c) })
		}
	})
	t.Run("shards", func(t *testing.T) { testShards(t.Context(), t, c) })
	t.Run("restarts", func(t *testing.T) { testRestarts(t.Context(), t, c) })
	t.Run("upgrade", func(t *testing.T) { testUpgrade(t.Context(), t, c) })
	t.Run("logs", func(t *testing.T) {
		to := t.TempDir()
		if err := c.ExportLogs(ctx, to); err != nil {
			t.Fatal(err)
		}
		for _, component := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller"} {
			if info, err := os.Stat(filepath.Join(to, component+".log")); err != nil || info.Size() == 0 {
				t.Errorf("no log of %s: %v", component, err)
			}
		}
	})
}

type testCluster struct {
	*simulated.Provider
	client kubernetes.Interface
}

// pod is a pod of one container on a node of its own choice; change makes it special.
func pod(name, node string, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault},
		Spec: corev1.PodSpec{
			NodeSelector:                  map[string]string{corev1.LabelHostname: node},
			TerminationGracePeriodSeconds: new(int64(30)),
			Containers:                    []corev1.Container{{Name: "main", Image: "quay.io/fluentd_elasticsearch/fluentd:v2.5.2"}},
		},
	}
	if change != nil {
		change(p)
	}
	return p
}

// story is what a watcher has seen of one pod.
type story struct {
	t      *testing.T
	name   string
	events []watch.Event
	times  []time.Time
	stream watch.Interface
}

// create creates a pod and follows it.
func (c *testCluster) create(ctx context.Context, t *testing.T, p *corev1.Pod) *story {
	t.Helper()
	stream, err := c.client.CoreV1().Pods(p.Namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + p.Name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stream.Stop)
	if _, err := c.client.CoreV1().Pods(p.Namespace).Create(ctx, p, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.client.CoreV1().Pods(p.Namespace).Delete(context.Background(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
	})
	return &story{t: t, name: p.Name, stream: stream}
}

// until reads events until what is true of one, and returns its pod and when it came. It fails the test after patience.
func (s *story) until(what string, patience time.Duration, true func(watch.EventType, *corev1.Pod) bool) (*corev1.Pod, time.Time) {
	s.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case <-timeout.C:
			s.t.Fatalf("pod %s: not %q within %v; seen:\n%s", s.name, what, patience, s)
		case event, ok := <-s.stream.ResultChan():
			if !ok {
				s.t.Fatalf("pod %s: the watch ended before %q", s.name, what)
			}
			now := time.Now()
			s.events, s.times = append(s.events, event), append(s.times, now)
			if p, ok := event.Object.(*corev1.Pod); ok && true(event.Type, p) {
				return p, now
			}
		}
	}
}

// never fails the test if bad was true of any event so far.
func (s *story) never(what string, bad func(watch.EventType, *corev1.Pod) bool) {
	s.t.Helper()
	for _, event := range s.events {
		if p, ok := event.Object.(*corev1.Pod); ok && bad(event.Type, p) {
			s.t.Errorf("pod %s was %q; seen:\n%s", s.name, what, s)
			return
		}
	}
}

func (s *story) String() string {
	var b strings.Builder
	for i, event := range s.events {
		p, ok := event.Object.(*corev1.Pod)
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "  %s %s %s %s", s.times[i].Format("05.000"), event.Type, p.Status.Phase, p.Status.Reason)
		for _, c := range p.Status.Conditions {
			fmt.Fprintf(&b, " %s=%s", c.Type, c.Status)
		}
		for _, c := range p.Status.ContainerStatuses {
			fmt.Fprintf(&b, " [%s ready=%v restarts=%d %s]", c.Name, c.Ready, c.RestartCount, stateOf(c.State))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func stateOf(s corev1.ContainerState) string {
	switch {
	case s.Running != nil:
		return "running"
	case s.Terminated != nil:
		return fmt.Sprintf("terminated %d %s", s.Terminated.ExitCode, s.Terminated.Reason)
	case s.Waiting != nil:
		return s.Waiting.Reason + " " + s.Waiting.Message
	}
	return "?"
}

func isReady(_ watch.EventType, p *corev1.Pod) bool {
	return statusOf(p, corev1.PodReady) == corev1.ConditionTrue
}

func isGone(event watch.EventType, _ *corev1.Pod) bool { return event == watch.Deleted }

func isTerminal(_ watch.EventType, p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

func waits(reason string) func(watch.EventType, *corev1.Pod) bool {
	return func(_ watch.EventType, p *corev1.Pod) bool {
		for _, c := range p.Status.ContainerStatuses {
			if c.State.Waiting != nil && c.State.Waiting.Reason == reason {
				return true
			}
		}
		return false
	}
}

func condition(p *corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

func statusOf(p *corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	return condition(p, kind).Status
}

// processesOf lists the command lines that mention dir.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range lines {
		if line, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(line), dir) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func tail(path string) string {
	data, _ := os.ReadFile(path)
	return string(data[max(0, len(data)-4000):])
}
