package simulated

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// MaxNodes is how many nodes a cluster can have.
	MaxNodes = 5000
	// podAddresses is where pods get their addresses, on all nodes alike; nodes are in 10.0.0.0/16.
	podAddresses = "10.64.0.0/10"
)

// heartbeat is how the nodes show that they live, and how soon the control plane notices that one does not.
type heartbeat struct {
	// lease is the duration of a node's lease; kwok renews it four times as often.
	lease time.Duration
	// grace is how long after the last renewal a node becomes NotReady; monitor is how often that is looked at.
	grace, monitor time.Duration
}

// heartbeats are quick enough that a spec can wait for a stopped node to become NotReady (9 to 14 s), and leave a machine under load
// nine seconds to renew a lease. A large cluster has those of real ones, and a very large one fewer: five thousand nodes would renew five
// hundred leases a second, which is all that two cores can do. Where the API server is restarted, nobody can renew a lease for ten seconds.
func (p *Provider) heartbeats() heartbeat {
	switch {
	case p.config.Nodes > 500:
		return heartbeat{lease: 240 * time.Second, grace: 300 * time.Second, monitor: 20 * time.Second}
	case p.config.Nodes > 200 || p.config.APIServerRestarts:
		return heartbeat{lease: 40 * time.Second, grace: 50 * time.Second, monitor: 5 * time.Second}
	}
	return heartbeat{lease: 12 * time.Second, grace: 12 * time.Second, monitor: 2 * time.Second}
}

// node returns the Node object that the kubelet of an ordinary machine registers.
func node(name string, address net.IP) *corev1.Node {
	resources := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("4"),
		corev1.ResourceMemory:           resource.MustParse("8Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
		corev1.ResourcePods:             resource.MustParse("110"),
	}
	now := metav1.Now()
	ready := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
		Message: "kubelet is posting ready status", LastHeartbeatTime: now, LastTransitionTime: now}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
				"beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64",
			},
		},
		Status: corev1.NodeStatus{
			Capacity:    resources,
			Allocatable: resources,
			Conditions:  []corev1.NodeCondition{ready},
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: address.String()},
				{Type: corev1.NodeHostName, Address: name},
			},
			NodeInfo: corev1.NodeSystemInfo{
				Architecture: "amd64", OperatingSystem: "linux", KubeletVersion: "simulated", OSImage: "simulated", ContainerRuntimeVersion: "simulated://1",
			},
		},
	}
}

// nodeAddress gives the i-th node an address of its own.
func nodeAddress(i int) net.IP { return net.IPv4(10, 0, byte(i/250), byte(i%250+1)) }

// notReady says why a node takes no pods, or "".
func notReady(node *corev1.Node) string {
	for _, taint := range node.Spec.Taints {
		if strings.HasPrefix(taint.Key, "node.kubernetes.io/") {
			return node.Name + " has taint " + taint.Key
		}
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return ""
		}
	}
	return node.Name + " is not Ready"
}

func exists(ctx context.Context, client kubernetes.Interface, name string) error {
	_, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("there is no node %q", name)
	}
	return err
}
