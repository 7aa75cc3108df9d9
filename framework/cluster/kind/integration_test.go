package kind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"rollcall.dev/fixtures/standin"
	"rollcall.dev/framework/cluster"
)

// These tests make real clusters: ROLLCALL_NODE_IMAGE is the node image, ROLLCALL_BINARIES the folder with kubectl. About two minutes.

func integrationConfig(t *testing.T, name string) cluster.Config {
	t.Helper()
	image, binaries := os.Getenv("ROLLCALL_NODE_IMAGE"), os.Getenv("ROLLCALL_BINARIES")
	if image == "" || binaries == "" {
		t.Skip("ROLLCALL_NODE_IMAGE and ROLLCALL_BINARIES are not set")
	}
	version := os.Getenv("ROLLCALL_VERSION")
	if version == "" {
		version = "v1.36.3"
	}
	return cluster.Config{
		Name: fmt.Sprintf("rollcall-test-%s-%d", name, os.Getpid()), Version: version, Nodes: 2, Binaries: binaries,
		NodeImage: image, Dir: filepath.Join(t.TempDir(), "cluster"), Log: os.Stderr,
	}
}

// destroyed checks that Destroy leaves nothing, and that it can be called again.
func destroyed(t *testing.T, p *Provider) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range 2 {
		if err := p.Destroy(ctx); err != nil {
			t.Errorf("destroying: %v", err)
		}
	}
	if left, err := p.containers(ctx); err != nil || len(left) > 0 {
		t.Errorf("containers %v are left (%v)", left, err)
	}
	if _, err := os.Stat(p.config.Dir); !os.IsNotExist(err) {
		t.Errorf("the cluster's folder is left (%v)", err)
	}
}

// took logs how long a step took: the figures go into the planning of continuous integration.
func took(t *testing.T, step string, began time.Time) {
	t.Helper()
	t.Logf("%s: %s", step, time.Since(began).Round(100*time.Millisecond))
}

func TestClusterLife(t *testing.T) {
	config := integrationConfig(t, "life")
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	p := New(config)
	t.Cleanup(func() { began := time.Now(); destroyed(t, p); took(t, "destroy", began) })
	began := time.Now()
	if _, err := p.Create(ctx); err != nil {
		t.Fatal(err)
	}
	took(t, "create", began)
	if _, err := New(config).Create(ctx); err == nil {
		t.Error("a second cluster of the same name was made")
	}

	p = Open(p.State()) // from here on as another process would
	client, err := p.client()
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := p.ListNode(ctx)
	if err != nil || len(nodes) != config.Nodes {
		t.Fatalf("%d nodes (%v), want %d", len(nodes), err, config.Nodes)
	}

	began = time.Now()
	ds := createDaemonSet(ctx, t, client)
	waitDaemonSet(ctx, t, client, ds.Name, func(s appsv1.DaemonSetStatus) bool { return int(s.NumberAvailable) == config.Nodes })
	took(t, "rollout", began)

	began = time.Now()
	node := &types.Node{Name: nodes[0].Name}
	if err := p.RemoveNode(ctx, node); err != nil {
		t.Fatal(err)
	}
	// The DaemonSet's controller hears of it through the removal of the node's pods, which takes the pod collector up to a minute.
	waitDaemonSet(ctx, t, client, ds.Name, func(s appsv1.DaemonSetStatus) bool { return int(s.DesiredNumberScheduled) == config.Nodes-1 })
	if err := p.AddNode(ctx, node); err != nil {
		t.Fatal(err)
	}
	waitDaemonSet(ctx, t, client, ds.Name, func(s appsv1.DaemonSetStatus) bool { return int(s.NumberAvailable) == config.Nodes })
	took(t, "remove and add a node", began)

	began = time.Now()
	if err := p.StopNode(ctx, node); err != nil {
		t.Fatal(err)
	}
	err = waitUntil(ctx, func() (string, error) {
		now, err := client.CoreV1().Nodes().Get(ctx, node.Name, metav1.GetOptions{})
		if err != nil || notReady(now) != "" {
			return "", err
		}
		return "it is ready still", nil
	})
	if err != nil {
		t.Fatalf("waiting until the stopped node is not ready: %v", err)
	}
	took(t, "stopped node noticed", began)
	began = time.Now()
	if err := p.StartNode(ctx, node); err != nil {
		t.Fatal(err)
	}
	took(t, "start node", began)

	for _, component := range []string{"kube-controller-manager", "etcd", "kube-apiserver"} {
		began = time.Now()
		if err := p.Restart(ctx, component); err != nil {
			t.Fatal(err)
		}
		took(t, "restart of "+component, began)
	}

	began = time.Now()
	if err := client.CoreV1().Pods("default").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	waitDaemonSet(ctx, t, client, ds.Name, func(s appsv1.DaemonSetStatus) bool { return int(s.NumberAvailable) < config.Nodes })
	waitDaemonSet(ctx, t, client, ds.Name, func(s appsv1.DaemonSetStatus) bool { return int(s.NumberAvailable) == config.Nodes })
	took(t, "pods replaced after the restarts", began)

	began = time.Now()
	logs := t.TempDir()
	if err := p.ExportLogs(ctx, logs); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(logs, node.Name, "kubelet.log")); err != nil {
		t.Errorf("no kubelet log: %v", err)
	}
	took(t, "export logs", began)
}

func TestClusterWithoutDaemonSetController(t *testing.T) {
	config := integrationConfig(t, "nodsc")
	config.NoDaemonSetController = true
	config.Nodes = 1
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	p := New(config)
	t.Cleanup(func() { destroyed(t, p) })
	if _, err := p.Create(ctx); err != nil {
		t.Fatal(err)
	}
	client, err := p.client()
	if err != nil {
		t.Fatal(err)
	}
	ds := createDaemonSet(ctx, t, client)
	// A controller that runs says that it has seen the object, within milliseconds. To be sure that the manager itself is at work by
	// now, another of its controllers acts first: the default service account of a new namespace.
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "sentinel"}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := waitUntil(ctx, func() (string, error) {
		_, err := client.CoreV1().ServiceAccounts("sentinel").Get(ctx, "default", metav1.GetOptions{})
		return "", err
	}); err != nil {
		t.Fatalf("kube-controller-manager does nothing at all: %v", err)
	}
	now, err := client.AppsV1().DaemonSets("default").Get(ctx, ds.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if now.Status.ObservedGeneration != 0 {
		t.Error("a DaemonSet controller runs")
	}
}

func TestInterruptedCreateLeavesNothing(t *testing.T) {
	for _, after := range []time.Duration{300 * time.Millisecond, 3 * time.Second, 12 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			p := New(integrationConfig(t, "interrupt"))
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			began := time.Now()
			if _, err := p.Create(ctx); err == nil {
				t.Error("created although the context had ended")
			}
			took(t, "interrupted after "+after.String()+", returned", began)
			destroyed(t, p)
		})
	}
}

// TestFailedCreateLeavesOnlyLogs uses a node image that ends at once.
func TestFailedCreateLeavesOnlyLogs(t *testing.T) {
	config := integrationConfig(t, "fail")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	archive := filepath.Join(t.TempDir(), "standin.tar")
	config.NodeImage = "rollcall.dev/not-a-node:v1"
	if err := standin.BuildArchive(ctx, archive, config.NodeImage); err != nil {
		t.Fatal(err)
	}
	if _, err := docker(ctx, "load", "--input", archive); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := docker(context.Background(), "image", "rm", config.NodeImage); err != nil {
			t.Error(err)
		}
	})
	p := New(config)
	began := time.Now()
	_, err := p.Create(ctx)
	took(t, "failed creation", began)
	if err == nil || !strings.Contains(err.Error(), p.failureLogs()) {
		t.Errorf("got %v, want an error that says where the logs are", err)
	}
	if entries, err := os.ReadDir(p.failureLogs()); err != nil || len(entries) == 0 {
		t.Errorf("no logs in %s (%v)", p.failureLogs(), err)
	}
	destroyed(t, p)
}

func createDaemonSet(ctx context.Context, t *testing.T, client kubernetes.Interface) *appsv1.DaemonSet {
	t.Helper()
	labels := map[string]string{"app": "standin"}
	probe := &corev1.Probe{PeriodSeconds: 1}
	probe.Exec = &corev1.ExecAction{Command: []string{"/standin", "check"}}
	ds, err := client.AppsV1().DaemonSets("default").Create(ctx, &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "standin"},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "standin", Image: "quay.io/fluentd_elasticsearch/fluentd:v2.5.2", Args: []string{"--ready-after=1s"}, ReadinessProbe: probe,
				}}},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func waitDaemonSet(ctx context.Context, t *testing.T, client kubernetes.Interface, name string, done func(appsv1.DaemonSetStatus) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	err := waitUntil(ctx, func() (string, error) {
		ds, err := client.AppsV1().DaemonSets("default").Get(ctx, name, metav1.GetOptions{})
		if err != nil || done(ds.Status) {
			return "", err
		}
		return fmt.Sprintf("%+v", ds.Status), nil
	})
	if err != nil {
		t.Fatalf("waiting for the DaemonSet: %v", err)
	}
}
