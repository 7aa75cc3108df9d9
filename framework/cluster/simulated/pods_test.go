package simulated_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// podTests say what a kubelet does with one pod. They run on node-1 and node-2, which nobody disturbs.
var podTests = map[string]func(context.Context, *testing.T, *testCluster){
	"a good pod becomes ready":                        testGood,
	"an image nobody has is never ready":              testBadImage,
	"a loaded image ends the back-off":                testLoadImage,
	"a command that fails crash-loops":                testCrashLoop,
	"a program that ends later is ready until then":   testCrashLater,
	"readiness waits for the initial delay":           testReadinessDelay,
	"a probe that fails is never ready":               testNeverReady,
	"a readiness gate is waited for":                  testReadinessGate,
	"a slow pod dies late, first the status":          testSlowTermination,
	"the grace period kills":                          testGracePeriodKills,
	"a quick pod is terminal before it is gone":       testQuickTermination,
	"a finalizer keeps a dead pod":                    testFinalizer,
	"what does not fit stays pending":                 testDoesNotFit,
	"init containers run first":                       testInitContainers,
	"a pod that need not restart succeeds or fails":   testRestartPolicy,
	"a failing liveness probe restarts the container": testLiveness,
	"a missing config map is a config error":          testConfigMissing,
	"a pod in the host's network has its address":     testHostNetwork,
}

func testGood(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("good", "node-1", nil))
	p, _ := s.until("ready", 20*time.Second, isReady)
	if p.Status.Phase != corev1.PodRunning || p.Status.PodIP == "" || p.Status.HostIP != "10.0.0.1" || p.Status.StartTime == nil || p.Status.QOSClass == "" {
		t.Errorf("status: %+v", p.Status)
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady, corev1.PodReadyToStartContainers} {
		if got := condition(p, kind); got.Status != corev1.ConditionTrue || got.LastTransitionTime.IsZero() {
			t.Errorf("condition %s: %+v", kind, got)
		}
	}
	got := p.Status.ContainerStatuses
	if len(got) != 1 || got[0].State.Running == nil || got[0].Started == nil || !*got[0].Started || got[0].ImageID == "" || got[0].ContainerID == "" {
		t.Errorf("container statuses: %+v", got)
	}
	s.never("ready before it ran", func(_ watch.EventType, p *corev1.Pod) bool {
		return isReady("", p) && p.Status.Phase != corev1.PodRunning
	})
	if first := s.events[1].Object.(*corev1.Pod); first.Status.Phase != corev1.PodPending {
		t.Errorf("it was not seen pending:\n%s", s)
	}
}

func testBadImage(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("bad-image", "node-1", func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "second", Image: "foo:non-existent"})
	}))
	s.until("ErrImagePull", 20*time.Second, waits("ErrImagePull"))
	s.until("ImagePullBackOff", 20*time.Second, waits("ImagePullBackOff"))
	p, _ := s.until("another attempt", 30*time.Second, waits("ErrImagePull"))
	s.never("ready", isReady)
	if p.Status.Phase != corev1.PodPending || !p.Status.ContainerStatuses[0].Ready {
		t.Errorf("the good container should be ready and the pod pending:\n%s", s)
	}
}

func testLoadImage(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("loaded-later", "node-1", func(p *corev1.Pod) { p.Spec.Containers[0].Image = "registry.example.com/agent:v7" }))
	s.until("ImagePullBackOff", 20*time.Second, waits("ImagePullBackOff"))
	if err := c.LoadImage(ctx, "registry.example.com/agent:v7"); err != nil {
		t.Fatal(err)
	}
	s.until("ready", 30*time.Second, isReady)
}

func testCrashLoop(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("crash", "node-1", func(p *corev1.Pod) { p.Spec.Containers[0].Command = []string{"/bin/false"} }))
	p, began := s.until("CrashLoopBackOff", 20*time.Second, waits("CrashLoopBackOff"))
	if got := p.Status.ContainerStatuses[0]; got.RestartCount != 1 || got.LastTerminationState.Terminated == nil || got.LastTerminationState.Terminated.ExitCode != 1 {
		t.Errorf("the first restart should be at once: %+v", got)
	}
	if p.Status.Phase != corev1.PodRunning {
		t.Errorf("phase %s, want Running as a kubelet says", p.Status.Phase)
	}
	_, again := s.until("restart 2", 30*time.Second, func(_ watch.EventType, p *corev1.Pod) bool { return p.Status.ContainerStatuses[0].RestartCount == 2 })
	if took := again.Sub(began); took < 8*time.Second || took > 15*time.Second {
		t.Errorf("the first back-off took %v, want 9 to 10 s and a bit", took)
	}
	s.never("ready", isReady)
}

func testCrashLater(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("crash-later", "node-1", func(p *corev1.Pod) { p.Spec.Containers[0].Args = []string{"--exit-code=3", "--exit-after=2s"} }))
	_, ready := s.until("ready", 20*time.Second, isReady)
	p, ended := s.until("terminated", 20*time.Second, func(_ watch.EventType, p *corev1.Pod) bool {
		return p.Status.ContainerStatuses[0].State.Terminated != nil
	})
	if isReady("", p) || p.Status.ContainerStatuses[0].State.Terminated.ExitCode != 3 {
		t.Errorf("at its end:\n%s", s)
	}
	if took := ended.Sub(ready); took < 1900*time.Millisecond || took > 6*time.Second {
		t.Errorf("it ran for %v, want 2 s", took)
	}
	s.until("ready again", 20*time.Second, isReady)
}

func testReadinessDelay(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("ready-late", "node-1", func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/true"}}}, InitialDelaySeconds: 3,
		}
	}))
	_, running := s.until("running", 20*time.Second, func(_ watch.EventType, p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
	// A write by somebody else must not start the delay anew.
	patch := []byte(`{"metadata":{"annotations":{"somebody":"else"}}}`)
	if _, err := c.client.CoreV1().Pods("default").Patch(ctx, "ready-late", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	_, ready := s.until("ready", 20*time.Second, isReady)
	if took := ready.Sub(running); took < 2900*time.Millisecond || took > 7*time.Second {
		t.Errorf("ready after %v, want 3 s", took)
	}
}

func testNeverReady(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("never-ready", "node-1", func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/false"}}}}
	}))
	p, _ := s.until("running", 20*time.Second, func(_ watch.EventType, p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
	if got := condition(p, corev1.PodReady); got.Reason != "ContainersNotReady" {
		t.Errorf("Ready: %+v", got)
	}
	s.never("ready", isReady)
}

func testReadinessGate(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("gate", "node-1", func(p *corev1.Pod) {
		p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.com/open"}}
	}))
	p, _ := s.until("containers ready", 20*time.Second, func(_ watch.EventType, p *corev1.Pod) bool {
		return statusOf(p, corev1.ContainersReady) == corev1.ConditionTrue
	})
	if got := condition(p, corev1.PodReady); got.Status != corev1.ConditionFalse || got.Reason != "ReadinessGatesNotReady" {
		t.Errorf("Ready with a closed gate: %+v", got)
	}
	set := func(status string) {
		patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"example.com/open","status":%q}]}}`, status)
		if _, err := c.client.CoreV1().Pods("default").Patch(ctx, "gate", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status"); err != nil {
			t.Fatal(err)
		}
	}
	set("True")
	s.until("ready", 20*time.Second, isReady)
	set("False")
	s.until("not ready", 20*time.Second, func(_ watch.EventType, p *corev1.Pod) bool { return !isReady("", p) })
}

// remove asks for a pod's deletion and says when it did.
func (c *testCluster) remove(ctx context.Context, t *testing.T, name string) time.Time {
	t.Helper()
	if err := c.client.CoreV1().Pods("default").Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	return time.Now()
}

func testSlowTermination(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("slow", "node-1", func(p *corev1.Pod) {
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 2}}}
		p.Spec.Containers[0].Args = []string{"--terminate-after=1s"}
	}))
	s.until("ready", 20*time.Second, isReady)
	asked := c.remove(ctx, t, "slow")
	p, ended := s.until("terminal", 20*time.Second, isTerminal)
	if took := ended.Sub(asked); took < 3*time.Second || took > 8*time.Second {
		t.Errorf("it took %v to stop, want 3 to 4 s", took)
	}
	if p.Status.Phase != corev1.PodSucceeded || p.Status.ContainerStatuses[0].State.Terminated == nil {
		t.Errorf("at its end:\n%s", s)
	}
	s.never("terminating and not ready while it ran", func(_ watch.EventType, p *corev1.Pod) bool {
		return p.DeletionTimestamp != nil && p.Status.Phase == corev1.PodRunning && !isReady("", p)
	})
	s.until("gone", 20*time.Second, isGone)
}

func testGracePeriodKills(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("killed", "node-1", func(p *corev1.Pod) {
		p.Spec.TerminationGracePeriodSeconds = new(int64(1))
		p.Spec.Containers[0].Args = []string{"--terminate-after=60s"}
	}))
	s.until("ready", 20*time.Second, isReady)
	c.remove(ctx, t, "killed")
	p, _ := s.until("terminal", 20*time.Second, isTerminal)
	if p.Status.Phase != corev1.PodFailed || p.Status.ContainerStatuses[0].State.Terminated.ExitCode != 137 {
		t.Errorf("at its end:\n%s", s)
	}
	s.until("gone", 20*time.Second, isGone)
}

func testQuickTermination(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("quick", "node-1", nil))
	s.until("ready", 20*time.Second, isReady)
	asked := c.remove(ctx, t, "quick")
	s.until("terminal", 20*time.Second, func(event watch.EventType, p *corev1.Pod) bool {
		return event == watch.Modified && isTerminal(event, p)
	})
	_, gone := s.until("gone", 20*time.Second, isGone)
	if took := gone.Sub(asked); took > 5*time.Second {
		t.Errorf("it took %v to go", took)
	}
}

func testFinalizer(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("held", "node-1", func(p *corev1.Pod) { p.Finalizers = []string{"example.com/hold"} }))
	s.until("ready", 20*time.Second, isReady)
	c.remove(ctx, t, "held")
	s.until("terminal", 20*time.Second, isTerminal)
	// The kubelet's own delete has come and gone when the grace period is 0.
	s.until("deleted by its kubelet", 20*time.Second, func(_ watch.EventType, p *corev1.Pod) bool { return *p.DeletionGracePeriodSeconds == 0 })
	s.never("gone", isGone)
	patch := []byte(`{"metadata":{"finalizers":null}}`)
	if _, err := c.client.CoreV1().Pods("default").Patch(ctx, "held", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	s.until("gone", 20*time.Second, isGone)
}

func testDoesNotFit(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("hog", "node-1", func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("64")}
	}))
	p, _ := s.until("unschedulable", 20*time.Second, func(_ watch.EventType, p *corev1.Pod) bool {
		return condition(p, corev1.PodScheduled).Reason == corev1.PodReasonUnschedulable
	})
	if p.Spec.NodeName != "" || p.Status.Phase != corev1.PodPending {
		t.Errorf("node %q, phase %s", p.Spec.NodeName, p.Status.Phase)
	}
}

func testInitContainers(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("init", "node-2", func(p *corev1.Pod) {
		always := corev1.ContainerRestartPolicyAlways
		p.Spec.InitContainers = []corev1.Container{
			{Name: "sidecar", Image: "rollcall.dev/standin:1", RestartPolicy: &always},
			{Name: "wait", Image: "rollcall.dev/standin:1", Command: []string{"/bin/sleep", "2"}},
		}
	}))
	_, began := s.until("initializing", 20*time.Second, func(_ watch.EventType, p *corev1.Pod) bool {
		return len(p.Status.InitContainerStatuses) == 2 && p.Status.InitContainerStatuses[1].State.Running != nil
	})
	p, ready := s.until("ready", 20*time.Second, isReady)
	if took := ready.Sub(began); took < 1900*time.Millisecond {
		t.Errorf("ready %v after the init container started, which takes 2 s", took)
	}
	s.never("running before it was initialized", func(_ watch.EventType, p *corev1.Pod) bool {
		return p.Status.Phase == corev1.PodRunning && statusOf(p, corev1.PodInitialized) != corev1.ConditionTrue
	})
	if got := p.Status.InitContainerStatuses; got[0].State.Running == nil || got[1].State.Terminated == nil {
		t.Errorf("init containers: %+v", got)
	}
}

func testRestartPolicy(ctx context.Context, t *testing.T, c *testCluster) {
	for name, want := range map[string]corev1.PodPhase{"true": corev1.PodSucceeded, "false": corev1.PodFailed} {
		s := c.create(ctx, t, pod("once-"+name, "node-2", func(p *corev1.Pod) {
			p.Spec.RestartPolicy = corev1.RestartPolicyNever
			p.Spec.Containers[0].Command = []string{"/bin/" + name}
		}))
		p, _ := s.until("terminal", 20*time.Second, isTerminal)
		if p.Status.Phase != want {
			t.Errorf("/bin/%s: phase %s, want %s", name, p.Status.Phase, want)
		}
	}
}

func testLiveness(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("unwell", "node-2", func(p *corev1.Pod) {
		p.Spec.Containers[0].LivenessProbe = &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/false"}}},
			PeriodSeconds: 1, FailureThreshold: 2,
		}
	}))
	_, ready := s.until("ready", 20*time.Second, isReady)
	p, killed := s.until("killed", 20*time.Second, func(_ watch.EventType, p *corev1.Pod) bool {
		return p.Status.ContainerStatuses[0].State.Terminated != nil
	})
	if took := killed.Sub(ready); took < 1900*time.Millisecond || p.Status.ContainerStatuses[0].State.Terminated.ExitCode != 137 {
		t.Errorf("after %v:\n%s", took, s)
	}
	s.until("restarted", 20*time.Second, func(_ watch.EventType, p *corev1.Pod) bool { return p.Status.ContainerStatuses[0].RestartCount == 1 })
}

func testConfigMissing(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("no-config", "node-2", func(p *corev1.Pod) {
		p.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings-missing"}}}}
	}))
	s.until("CreateContainerConfigError", 20*time.Second, waits("CreateContainerConfigError"))
	s.never("ready", isReady)
}

func testHostNetwork(ctx context.Context, t *testing.T, c *testCluster) {
	s := c.create(ctx, t, pod("host", "node-2", func(p *corev1.Pod) { p.Spec.HostNetwork = true }))
	p, _ := s.until("ready", 20*time.Second, isReady)
	if p.Status.PodIP != p.Status.HostIP || p.Status.HostIP != "10.0.0.2" {
		t.Errorf("pod %s, host %s", p.Status.PodIP, p.Status.HostIP)
	}
}
