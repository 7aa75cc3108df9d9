package kind

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
)

// capSysResource is the number of CAP_SYS_RESOURCE (linux/capability.h).
const capSysResource = 24

// surroundings are the facts that a cluster's configuration depends on besides its Config.
type surroundings struct {
	// ownImage: the node image is hack/nodeimage's, whose pod network needs no DaemonSet and which has no kube-proxy and no CoreDNS.
	ownImage bool
	// cgroupV1: the engine's machine has control groups of version 1, which kubelets refuse since 1.35 unless told otherwise.
	cgroupV1 bool
	// noResource: the machine's root lacks CAP_SYS_RESOURCE, so no oom_score_adj can be lowered.
	noResource bool
}

func (p *Provider) surroundings(ctx context.Context) (surroundings, error) {
	var s surroundings
	var err error
	if s.ownImage, err = ownImage(ctx, p.config.NodeImage); err != nil {
		return s, err
	}
	cgroup, err := docker(ctx, "info", "--format", "{{.CgroupVersion}}")
	if err != nil {
		return s, fmt.Errorf("asking for the engine's control groups: %w", err)
	}
	s.cgroupV1 = cgroup == "1"
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return s, nil // no Linux: the engine has a machine of its own, with every capability
	}
	s.noResource = lacksCapability(string(status), capSysResource)
	return s, nil
}

// lacksCapability reads the bounding set in a /proc/…/status file.
func lacksCapability(status string, number int) bool {
	for line := range strings.Lines(status) {
		if value, found := strings.CutPrefix(line, "CapBnd:"); found {
			bounds, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return err == nil && bounds&(1<<number) == 0
		}
	}
	return false
}

// configuration is kind's description of the cluster: one control plane and the workers, changed only where the surroundings need it.
func (p *Provider) configuration(s surroundings) (*v1alpha4.Cluster, error) {
	v, err := version.ParseSemantic(p.config.Version)
	if err != nil {
		return nil, fmt.Errorf("the Kubernetes version %q of kind cluster %q: %w", p.config.Version, p.config.Name, err)
	}
	c := &v1alpha4.Cluster{Name: p.config.Name, Nodes: []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole, Image: p.config.NodeImage}}}
	for range p.config.Nodes {
		c.Nodes = append(c.Nodes, v1alpha4.Node{Role: v1alpha4.WorkerRole, Image: p.config.NodeImage})
	}
	if s.ownImage {
		c.Networking.KubeProxyMode = "none" // kind knows the value, its API has no constant for it
		// A merge patch replaces a list whole: the first two are what kind skips by itself.
		c.KubeadmConfigPatches = append(c.KubeadmConfigPatches,
			"kind: InitConfiguration\nskipPhases: [preflight, addon/kube-proxy, addon/coredns]\n")
	}
	if s.cgroupV1 && v.AtLeast(version.MustParseSemantic("v1.31.0")) { // the field's first version
		c.KubeadmConfigPatches = append(c.KubeadmConfigPatches, "kind: KubeletConfiguration\nfailCgroupV1: false\n")
	}
	if s.noResource {
		c.ContainerdConfigPatches = append(c.ContainerdConfigPatches,
			"version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  restrict_oom_score_adj = true\n")
	}
	if p.config.NoDaemonSetController {
		if !s.ownImage {
			return nil, fmt.Errorf("without its DaemonSet controller a cluster of %s would never be ready, because its pod network is a DaemonSet: "+
				"use the image that make node-image builds", p.config.NodeImage)
		}
		c.KubeadmConfigPatchesJSON6902 = append(c.KubeadmConfigPatchesJSON6902, withoutDaemonSetController(v))
	}
	return c, nil
}

// withoutDaemonSetController sets kube-controller-manager's --controllers. The value begins with kubeadm's own default, which the flag
// would otherwise replace. kind writes kubeadm's v1beta4 configuration, where arguments are a list, from 1.36 on and v1beta3 before.
func withoutDaemonSetController(v *version.Version) v1alpha4.PatchJSON6902 {
	const controllers = "*,bootstrapsigner,tokencleaner,-daemonset-controller"
	patch := v1alpha4.PatchJSON6902{Group: "kubeadm.k8s.io", Version: "v1beta3", Kind: "ClusterConfiguration"}
	patch.Patch = fmt.Sprintf(`[{"op": "add", "path": "/controllerManager/extraArgs/controllers", "value": %q}]`, controllers)
	if v.AtLeast(version.MustParseSemantic("v1.36.0")) {
		patch.Version = "v1beta4"
		patch.Patch = fmt.Sprintf(`[{"op": "add", "path": "/controllerManager/extraArgs/-", "value": {"name": "controllers", "value": %q}}]`, controllers)
	}
	return patch
}
