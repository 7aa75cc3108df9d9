package simulated_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"rollcall.dev/framework/cluster"
)

// nodeTests change nodes, each one of its own.
var nodeTests = map[string]func(context.Context, *testing.T, *testCluster){
	"a node that rejects pods": testReject,
	"a clock that is ahead": func(ctx context.Context, t *testing.T, c *testCluster) {
		testClock(ctx, t, c, "node-4", 30*time.Second)
	},
	"a clock that is behind":     func(ctx context.Context, t *testing.T, c *testCluster) { testClock(ctx, t, c, "node-5", -time.Hour) },
	"a node that stops":          testStop,
	"a node that comes and goes": testAddRemove,
}

var (
	_ cluster.PodRejecter = (*testCluster)(nil)
	_ cluster.ClockSkewer = (*testCluster)(nil)
)

func testReject(ctx context.Context, t *testing.T, c *testCluster) {
	if err := c.RejectPods(ctx, "node-3", "OutOfcpu"); err != nil {
		t.Fatal(err)
	}
	s := c.create(ctx, t, pod("rejected", "node-3", nil))
	p, _ := s.until("terminal", 20*time.Second, isTerminal)
	if p.Status.Phase != corev1.PodFailed || p.Status.Reason != "OutOfcpu" || len(p.Status.ContainerStatuses) != 0 {
		t.Errorf("status: %+v", p.Status)
	}
	if err := c.AcceptPods(ctx, "node-3"); err != nil {
		t.Fatal(err)
	}
	c.create(ctx, t, pod("accepted", "node-3", nil)).until("ready", 20*time.Second, isReady)
	if err := c.RejectPods(ctx, "no-such-node", "OutOfcpu"); err == nil {
		t.Error("a node that does not exist was accepted")
	}
}

func testClock(ctx context.Context, t *testing.T, c *testCluster, node string, ahead time.Duration) {
	if err := c.SkewClock(ctx, node, ahead); err != nil {
		t.Fatal(err)
	}
	ready := func(name string) time.Duration {
		s := c.create(ctx, t, pod(name, node, func(p *corev1.Pod) {
			p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
				ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/true"}}}, InitialDelaySeconds: 1,
			}
		}))
		_, running := s.until("running", 20*time.Second, func(_ watch.EventType, p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
		p, at := s.until("ready", 20*time.Second, isReady)
		if took := at.Sub(running); took < 900*time.Millisecond || took > 5*time.Second {
			t.Errorf("the wrong clock changes how long a probe waits: %v, want 1 s", took)
		}
		return condition(p, corev1.PodReady).LastTransitionTime.Sub(at)
	}
	if off := ready("skewed-" + node); (off - ahead).Abs() > 3*time.Second {
		t.Errorf("Ready's time is off by %v, want %v", off, ahead)
	}
	if err := c.SkewClock(ctx, node, 0); err != nil {
		t.Fatal(err)
	}
	if off := ready("mended-" + node); off.Abs() > 3*time.Second {
		t.Errorf("Ready's time is still off by %v after the clock was mended", off)
	}
}

func testStop(ctx context.Context, t *testing.T, c *testCluster) {
	const node = "node-6"
	s := c.create(ctx, t, pod("stays", node, func(p *corev1.Pod) {
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 3}}}
	}))
	s.until("ready", 20*time.Second, isReady)
	steady := c.create(ctx, t, pod("steady", node, nil))
	steady.until("ready", 20*time.Second, isReady)
	// The end is planned already when the node stops.
	c.remove(ctx, t, "stays")
	stopped := time.Now()
	if err := c.StopNode(ctx, &types.Node{Name: node}); err != nil {
		t.Fatal(err)
	}
	c.waitNode(ctx, t, node, corev1.ConditionUnknown, 25*time.Second)
	took := time.Since(stopped)
	t.Logf("NotReady %v after the stop", took.Round(100*time.Millisecond))
	if took < 6*time.Second {
		t.Errorf("NotReady after %v: too soon for a machine under load", took)
	}
	p, err := c.client.CoreV1().Pods("default").Get(ctx, "stays", metav1.GetOptions{})
	if err != nil || p.Status.Phase != corev1.PodRunning {
		t.Fatalf("the pod of a stopped node has changed: %v %v\n%s", p.Status.Phase, err, s)
	}
	started := time.Now()
	if err := c.StartNode(ctx, &types.Node{Name: node}); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready again after %v", time.Since(started).Round(100*time.Millisecond))
	s.until("gone", 10*time.Second, isGone)
	s.never("seen by its kubelet as not terminal at the end", func(event watch.EventType, p *corev1.Pod) bool {
		return event == watch.Deleted && !isTerminal(event, p)
	})
	c.waitNode(ctx, t, node, corev1.ConditionTrue, time.Second)
	// The control plane has called the steady pod not ready; its kubelet puts that right.
	steady.until("not ready", time.Second, func(_ watch.EventType, p *corev1.Pod) bool {
		return statusOf(p, corev1.PodReady) == corev1.ConditionFalse
	})
	steady.until("ready again", 10*time.Second, isReady)
	c.create(ctx, t, pod("after", node, nil)).until("ready", 20*time.Second, isReady)
}

func testAddRemove(ctx context.Context, t *testing.T, c *testCluster) {
	node := &types.Node{Name: "late"}
	if err := c.AddNode(ctx, node, "label=example.com/pool=late", "allocatable=cpu=500m", "taint=example.com/only=late:NoSchedule"); err != nil {
		t.Fatal(err)
	}
	s := c.create(ctx, t, pod("on-late", "late", func(p *corev1.Pod) {
		p.Spec.NodeSelector["example.com/pool"] = "late"
		p.Spec.Tolerations = []corev1.Toleration{{Key: "example.com/only", Operator: corev1.TolerationOpExists}}
	}))
	s.until("ready", 20*time.Second, isReady)
	if err := c.RemoveNode(ctx, node); err != nil {
		t.Fatal(err)
	}
	nodes, err := c.ListNode(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Name == "late" {
			t.Errorf("it is still listed: %+v", n)
		}
	}
	if err := c.AddNode(ctx, node, "tint=a=b"); err == nil {
		t.Error("an argument that means nothing was accepted")
	}
	if err := c.AddNode(ctx, node); err != nil {
		t.Errorf("adding a node of the same name again: %v", err)
	}
}

func (c *testCluster) waitNode(ctx context.Context, t *testing.T, name string, want corev1.ConditionStatus, patience time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stream, err := c.client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Stop()
	for event := range stream.ResultChan() {
		n, ok := event.Object.(*corev1.Node)
		if !ok {
			continue
		}
		for _, cond := range n.Status.Conditions {
			if cond.Type == corev1.NodeReady && cond.Status == want {
				return
			}
		}
	}
	t.Fatalf("%s is not Ready=%s within %v", name, want, patience)
}

// testRestarts restarts every component once and sees that the cluster still works.
func testRestarts(ctx context.Context, t *testing.T, c *testCluster) {
	for _, component := range []string{"kube-controller-manager", "kube-scheduler", "kube-apiserver", "etcd"} {
		began := time.Now()
		if err := c.Restart(ctx, component); err != nil {
			t.Fatalf("restarting %s: %v", component, err)
		}
		t.Logf("%s back after %v", component, time.Since(began).Round(10*time.Millisecond))
		c.create(ctx, t, pod("after-"+component, "node-7", nil)).until("ready", 30*time.Second, isReady)
	}
	if err := c.Restart(ctx, "kubelet"); err == nil {
		t.Error("a component that does not exist was restarted")
	}
	testPortLate(ctx, t, c)
}

// testPortLate restarts etcd while its port is still somebody's, as that of a killed process is for a moment.
func testPortLate(ctx context.Context, t *testing.T, c *testCluster) {
	home := filepath.Join(c.State().Dir, "kwok", "clusters", c.State().Name)
	started, err := os.ReadFile(filepath.Join(home, "kwok.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	port := regexp.MustCompile(`--listen-peer-urls=http://(127\.0\.0\.1:\d+)`).FindSubmatch(started)
	if port == nil {
		t.Fatal("kwok.yaml names no port for etcd's peers")
	}
	pid, err := os.ReadFile(filepath.Join(home, "pids", "etcd.pid"))
	if err != nil {
		t.Fatal(err)
	}
	etcd, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(etcd, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var held net.Listener
	for deadline := time.Now().Add(10 * time.Second); held == nil; {
		if held, err = net.Listen("tcp", string(port[1])); err != nil && time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	time.AfterFunc(time.Second, func() { _ = held.Close() })
	if err := c.Restart(ctx, "etcd"); err != nil {
		t.Fatalf("restarting etcd while its port was held for a second: %v", err)
	}
	c.create(ctx, t, pod("after-port", "node-7", nil)).until("ready", 30*time.Second, isReady)
}

// testUpgrade replaces the control plane by itself: which version it is makes no difference to the provider.
func testUpgrade(ctx context.Context, t *testing.T, c *testCluster) {
	state := c.State()
	if err := c.Upgrade(ctx, cluster.Release{Version: "v1.0.0", Binaries: t.TempDir()}); err == nil {
		t.Error("the control plane was replaced by what does not exist")
	}
	before, _ := c.create(ctx, t, pod("before-upgrade", "node-7", nil)).until("ready", 30*time.Second, isReady)
	if err := c.Upgrade(ctx, cluster.Release{Version: state.Version, Binaries: state.Binaries}); err != nil {
		t.Fatal(err)
	}
	after, err := c.client.CoreV1().Pods(before.Namespace).Get(ctx, before.Name, metav1.GetOptions{})
	if err != nil || after.UID != before.UID {
		t.Errorf("the pod from before is not there: %v", err)
	}
	c.create(ctx, t, pod("after-upgrade", "node-7", nil)).until("ready", 30*time.Second, isReady)
	if err := c.Upgrade(ctx, cluster.Release{Version: "v1.0.0", Binaries: state.Binaries}); err == nil || !strings.Contains(err.Error(), "says that it is "+state.Version) {
		t.Errorf("a control plane of another version than it was to be: %v", err)
	}
}
