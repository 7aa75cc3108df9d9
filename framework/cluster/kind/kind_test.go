package kind

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	kinderrors "sigs.k8s.io/kind/pkg/errors"
	kindexec "sigs.k8s.io/kind/pkg/exec"

	"rollcall.dev/framework/cluster"
)

// withDocker puts a docker on PATH that answers as the shell script says.
func withDocker(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if script != "" {
		if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	if script == "" {
		t.Setenv("PATH", dir)
	}
}

func TestAvailable(t *testing.T) {
	for _, c := range []struct{ name, docker, want string }{
		{"no docker", "", "no docker on PATH"},
		{"no daemon", "echo 'Cannot connect\nto the daemon' >&2; exit 1", "Cannot connect to the daemon"},
		{"no image", `[ "$1" != manifest ]`, "cannot be pulled"},
		{"image in a registry", "true", ""},
		{"image here", `[ "$1" = version ] || echo 0123; [ "$1" != manifest ]`, ""},
		{"hanging daemon", "exec sleep 60", "deadline exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			withDocker(t, c.docker)
			began := time.Now()
			err := Available(t.Context(), "example.com/node:v1")
			if c.want == "" && err != nil {
				t.Errorf("not available: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("got %q, want one line with %q", err, c.want)
			}
			if took := time.Since(began); took > 2*answerWithin+killAfter {
				t.Errorf("took %v", took)
			}
		})
	}
}

func newProvider(t *testing.T, change func(*cluster.Config)) *Provider {
	t.Helper()
	binaries := t.TempDir()
	if err := os.WriteFile(filepath.Join(binaries, "kubectl"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	config := cluster.Config{Name: "test", Version: "v1.36.3", Binaries: binaries, Dir: filepath.Join(t.TempDir(), "cluster")}
	if change != nil {
		change(&config)
	}
	return New(config)
}

func TestCreateMeetsBadInputBeforeAnythingIsMade(t *testing.T) {
	for want, change := range map[string]func(*cluster.Config){
		"cluster name":          func(c *cluster.Config) { c.Name = "Test_1" },
		"up to 48":              func(c *cluster.Config) { c.Name = strings.Repeat("a", 49) },
		"1 to 50 nodes":         func(c *cluster.Config) { c.Nodes = 51 },
		"folder of its own":     func(c *cluster.Config) { c.Dir = "" },
		"node image":            func(c *cluster.Config) { c.Version = "" },
		"no executable kubectl": func(c *cluster.Config) { c.Binaries = "/nowhere" },
	} {
		withDocker(t, `echo "docker was asked: $*" >&2; exit 1`)
		if _, err := newProvider(t, change).Create(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error about %q", err, want)
		}
	}
	withDocker(t, "echo 0123") // everything exists, the cluster's containers too
	p := newProvider(t, nil)
	if _, err := p.Create(t.Context()); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("got %v, want that the cluster exists already", err)
	}
	if _, err := os.Stat(p.config.Dir); !os.IsNotExist(err) {
		t.Errorf("the cluster's folder was made (%v)", err)
	}
}

func TestConfigurationFollowsTheSurroundings(t *testing.T) {
	p := newProvider(t, nil)
	plain, err := p.configuration(surroundings{})
	if err != nil {
		t.Fatal(err)
	}
	if len(plain.Nodes) != 1+DefaultNodes {
		t.Errorf("%d nodes, want a control plane and %d workers", len(plain.Nodes), DefaultNodes)
	}
	if len(plain.KubeadmConfigPatches)+len(plain.KubeadmConfigPatchesJSON6902)+len(plain.ContainerdConfigPatches) > 0 || plain.Networking.KubeProxyMode != "" {
		t.Errorf("a capable machine with kindest/node needs no changes, got %+v", plain)
	}
	all, err := p.configuration(surroundings{ownImage: true, cgroupV1: true, noResource: true})
	if err != nil {
		t.Fatal(err)
	}
	patches := strings.Join(append(all.KubeadmConfigPatches, all.ContainerdConfigPatches...), "\n")
	for _, want := range []string{"addon/kube-proxy", "addon/coredns", "preflight", "failCgroupV1: false", "restrict_oom_score_adj = true"} {
		if !strings.Contains(patches, want) {
			t.Errorf("no %q in the patches:\n%s", want, patches)
		}
	}
	if all.Networking.KubeProxyMode != "none" {
		t.Errorf("kube-proxy mode %q, want none", all.Networking.KubeProxyMode)
	}
}

func TestConfigurationByVersion(t *testing.T) {
	for version, want := range map[string]struct{ failCgroup, kubeadm, path string }{
		"v1.30.14": {"", "v1beta3", "/controllerManager/extraArgs/controllers"},
		"v1.31.0":  {"failCgroupV1", "v1beta3", "/controllerManager/extraArgs/controllers"},
		"v1.36.3":  {"failCgroupV1", "v1beta4", "/controllerManager/extraArgs/-"},
	} {
		p := newProvider(t, func(c *cluster.Config) { c.Version = version; c.NoDaemonSetController = true })
		c, err := p.configuration(surroundings{ownImage: true, cgroupV1: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(c.KubeadmConfigPatches, ""), "failCgroupV1"); got != (want.failCgroup != "") {
			t.Errorf("%s: failCgroupV1 set: %v", version, got)
		}
		patch := c.KubeadmConfigPatchesJSON6902[0]
		if patch.Version != want.kubeadm || !strings.Contains(patch.Patch, `"`+want.path+`"`) {
			t.Errorf("%s: patch %+v, want %s at %s", version, patch, want.kubeadm, want.path)
		}
		if !strings.Contains(patch.Patch, "bootstrapsigner,tokencleaner,-daemonset-controller") {
			t.Errorf("%s: kubeadm's own controllers are lost: %s", version, patch.Patch)
		}
	}
	p := newProvider(t, func(c *cluster.Config) { c.NoDaemonSetController = true })
	if _, err := p.configuration(surroundings{}); err == nil {
		t.Error("kindest/node without a DaemonSet controller was accepted: it would never be ready")
	}
}

func TestLacksCapability(t *testing.T) {
	if !lacksCapability("CapBnd:\t000001fffeffffff\n", capSysResource) {
		t.Error("did not see that CAP_SYS_RESOURCE is missing")
	}
	if lacksCapability("CapBnd:\t000001ffffffffff\n", capSysResource) || lacksCapability("", capSysResource) {
		t.Error("saw a capability missing where none is")
	}
}

func TestWithoutCrictl(t *testing.T) {
	crictl := &kindexec.RunError{Command: []string{"docker", "exec", "node", "crictl", "images"}, Inner: errors.New("exit status 127")}
	other := &kindexec.RunError{Command: []string{"docker", "exec", "node", "journalctl"}, Inner: errors.New("exit status 1")}
	wrapped := kinderrors.NewAggregate([]error{kinderrors.NewAggregate([]error{kinderrors.WithStack(crictl)})})
	if err := withoutCrictl(wrapped); err != nil {
		t.Errorf("crictl's absence was reported: %v", err)
	}
	both := kinderrors.NewAggregate([]error{kinderrors.WithStack(crictl), kinderrors.WithStack(other)})
	if err := withoutCrictl(both); !errors.Is(err, other) || strings.Contains(err.Error(), "crictl") {
		t.Errorf("got %v, want journalctl's failure alone", err)
	}
	if err := withoutCrictl(nil); err != nil {
		t.Error(err)
	}
}

func TestWaitUntilSaysWhatIsMissing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := waitUntil(ctx, func() (string, error) { return "node a is not ready", nil })
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "node a is not ready") {
		t.Errorf("got %v, want the deadline and what was missing", err)
	}
}

func TestNotReady(t *testing.T) {
	node := &corev1.Node{}
	if notReady(node) == "" {
		t.Error("a node without conditions is ready")
	}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	node.Spec.Taints = []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}}
	if why := notReady(node); why != "" {
		t.Errorf("the control plane's node is not ready: %s", why)
	}
	node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule})
	if notReady(node) == "" {
		t.Error("a node with the not-ready taint is ready")
	}
}

func TestNodesOfOthersAreNotTouched(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	withDocker(t, `echo "$*" >>`+log) // finds no container
	p := newProvider(t, nil)
	if err := p.kubelet(t.Context(), "other-worker", "stop"); err == nil || !strings.Contains(err.Error(), "no running node") {
		t.Errorf("got %v, want that the cluster has no such node", err)
	}
	asked, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(asked), "exec") {
		t.Errorf("a command was run in a container that is not the cluster's: %s", asked)
	}
}
