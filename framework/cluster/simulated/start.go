package simulated

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"rollcall.dev/framework/cluster"
)

const (
	// startTimeout bounds one attempt to start; a start takes a few seconds.
	startTimeout = 2 * time.Minute
	// attempts is how often other ports are tried when somebody was quicker to take one.
	attempts = 3
)

// binaryFlags are the binaries that kwokctl is given: its flag for each is --<name>-binary, but for kwok's.
var binaryFlags = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}

var errPortTaken = errors.New("a port was taken")

// Create starts the cluster and returns the path of its kubeconfig once the API server answers, all nodes are ready and schedulable and
// the default service account is there. Arguments are ignored. When it fails or ctx ends, nothing is left behind.
func (p *Provider) Create(ctx context.Context, _ ...string) (kubeconfig string, err error) {
	if err := p.validate(); err != nil {
		p.refused = true
		return "", err
	}
	defer func() {
		if err == nil {
			return
		}
		// ctx may be why we are here: what was started has to end all the same.
		ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, p.Destroy(ended))
	}()
	for attempt := 1; ; attempt++ {
		err = p.start(ctx)
		if err == nil || attempt == attempts || !errors.Is(err, errPortTaken) {
			break
		}
		if err := p.Destroy(ctx); err != nil {
			return "", err
		}
	}
	if err != nil {
		return "", fmt.Errorf("starting simulated cluster %q: %w", p.config.Name, err)
	}
	version, err := p.furnish(ctx)
	if err != nil {
		return "", fmt.Errorf("preparing simulated cluster %q: %w", p.config.Name, err)
	}
	p.state = cluster.State{
		Provider: Name, Name: p.config.Name, Version: version, Nodes: p.config.Nodes,
		Kubeconfig: p.GetKubeconfig(), Context: p.GetKubectlContext(), Kubectl: filepath.Join(p.config.Binaries, "kubectl"),
		Binaries: p.config.Binaries, Dir: p.config.Dir, NoDaemonSetController: p.config.NoDaemonSetController, Releases: p.config.Releases,
		APIServerRestarts: p.config.APIServerRestarts, PID: os.Getpid(),
	}
	return p.state.Kubeconfig, nil
}

// start runs kwokctl once. It returns as soon as a component has died: kwokctl itself would wait two minutes for its API server.
func (p *Provider) start(ctx context.Context) error {
	if err := os.MkdirAll(p.config.Dir, 0o700); err != nil {
		return err
	}
	configuration, err := p.kwokConfiguration()
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.kwokFile(), configuration, 0o600); err != nil {
		return err
	}
	args := []string{"create", "cluster", "--name", p.config.Name, "--config", p.kwokFile(), "--runtime", "binary",
		"--kubeconfig", p.GetKubeconfig(), "--disable-qps-limits", "--enable-crds", "Stage", "--kube-authorization=true",
		// The factor would stretch every heartbeat; ours are in the arguments below.
		"--heartbeat-factor", "1", "--node-lease-duration-seconds", fmt.Sprint(p.heartbeats().lease.Seconds())}
	for _, binary := range binaryFlags {
		flag := strings.Replace("--"+binary+"-binary", "--kwok-binary", "--kwok-controller-binary", 1)
		args = append(args, flag, filepath.Join(p.config.Binaries, binary))
	}
	for _, extra := range p.extraArgs() {
		args = append(args, "--extra-args", extra)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not up after %v", startTimeout))
	defer cancel()
	ctx, die := context.WithCancelCause(ctx)
	defer die(nil)

	var output bytes.Buffer
	command := exec.CommandContext(ctx, filepath.Join(p.config.Binaries, "kwokctl"), args...)
	command.Stdout, command.Stderr = &output, &output
	command.Env = p.environment()
	// In a process group of its own it does not get the terminal's SIGINT: it is us who decide.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) } // with the kubectl that it runs
	command.WaitDelay = time.Second
	if err := command.Start(); err != nil {
		return fmt.Errorf("running kwokctl: %w", err)
	}
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		p.watchStart(ctx, die)
	}()
	err = command.Wait()
	cause := context.Cause(ctx)
	die(nil)
	<-watching
	_, _ = p.config.Log.Write(output.Bytes())
	if cause != nil {
		return cause
	}
	if err != nil {
		return fmt.Errorf("kwokctl: %w\n%s", err, lastLines(output.Bytes(), 10))
	}
	return nil
}

// environment is the environment for kwokctl: its folder inside ours, and the kubectl of this version first on the PATH.
func (p *Provider) environment() []string {
	return append(os.Environ(),
		"KWOK_WORKDIR="+filepath.Join(p.config.Dir, "kwok"),
		"PATH="+p.config.Binaries+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// kwokConfiguration chooses ports and the parallelism of the simulated kubelets, and keeps every listener on this machine.
func (p *Provider) kwokConfiguration() ([]byte, error) {
	ports, err := freePorts(6)
	if err != nil {
		return nil, err
	}
	kwokctl, err := yaml.Marshal(map[string]any{
		"apiVersion": "config.kwok.x-k8s.io/v1alpha1", "kind": "KwokctlConfiguration",
		"options": map[string]any{
			"bindAddress": "127.0.0.1", "etcdPort": ports[0], "etcdPeerPort": ports[1], "kubeApiserverPort": ports[2],
			"kubeControllerManagerPort": ports[3], "kubeSchedulerPort": ports[4], "kwokControllerPort": ports[5],
		},
	})
	if err != nil {
		return nil, err
	}
	kwok, err := yaml.Marshal(map[string]any{
		"apiVersion": "config.kwok.x-k8s.io/v1alpha1", "kind": "KwokConfiguration",
		"options": map[string]any{
			"cidr": podAddresses, "podPlayStageParallelism": 16, "nodePlayStageParallelism": 8, "nodeLeaseParallelism": 8,
		},
	})
	return append(append(kwokctl, "---\n"...), kwok...), err
}

// extraArgs are component=key=value triples.
func (p *Provider) extraArgs() []string {
	h := p.heartbeats()
	args := []string{
		// A cluster that is thrown away needs no protection from power cuts.
		"etcd=unsafe-no-fsync=true",
		// There is one of each: electing a leader only costs time, at the start and after Restart.
		"kube-controller-manager=leader-elect=false",
		"kube-scheduler=leader-elect=false",
		fmt.Sprintf("kube-controller-manager=node-monitor-period=%v", h.monitor),
		fmt.Sprintf("kube-controller-manager=node-monitor-grace-period=%v", h.grace),
	}
	if p.config.NoDaemonSetController {
		args = append(args, "kube-controller-manager=controllers=*,-daemonset-controller")
	}
	return firstsFirst(append(args, p.lastingArgs()...))
}

// firstsFirst puts the first argument of each component before any other: kwokctl 0.8.0 gives a component's further ones to another component,
// or panics, where that is not so.
func firstsFirst(args []string) []string {
	var firsts, others []string
	seen := map[string]bool{}
	for _, arg := range args {
		component, _, _ := strings.Cut(arg, "=")
		if seen[component] {
			others = append(others, arg)
		} else {
			firsts = append(firsts, arg)
		}
		seen[component] = true
	}
	return append(firsts, others...)
}

// freePorts returns n ports that nobody listens on now. They are below those that the kernel gives to outgoing connections: one of these
// could take the port of a component between its end and its restart.
func freePorts(n int) ([]int, error) {
	lowest, beyond := 20000, ephemeral()
	if beyond-lowest < 1000 {
		lowest, beyond = 1024, 20000
	}
	ports := make([]int, 0, n)
	for refused := 0; len(ports) < n; {
		port := lowest + rand.IntN(beyond-lowest)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			defer func() { _ = listener.Close() }() // all stay open until all are chosen, so that they differ
			ports = append(ports, port)
		} else if refused++; refused == 100 {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
	}
	return ports, nil
}

// ephemeral is the first port that the kernel gives to outgoing connections (ip(7), ip_local_port_range).
func ephemeral() int {
	first := 32768
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(text), &first) // else it stays the kernel's default
	}
	return first
}

// furnish makes the simulated kubelets and the nodes, and waits until specs can run. It returns the API server's version.
func (p *Provider) furnish(ctx context.Context) (string, error) {
	// A small cluster takes seconds; a large one some ten milliseconds more for each node, or more on a busy machine.
	patience := startTimeout + time.Duration(p.config.Nodes)*100*time.Millisecond
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not ready after %v", patience))
	defer cancel()
	if err := os.Chmod(p.GetKubeconfig(), 0o600); err != nil {
		return "", err
	}
	reviving, alive := context.WithCancel(ctx)
	revived := make(chan struct{})
	go func() { defer close(revived); p.revive(reviving) }()
	defer func() { alive(); <-revived }()
	client, err := p.client()
	if err != nil {
		return "", err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return "", fmt.Errorf("asking the API server for its version: %w", err)
	}
	if err := p.waitStages(ctx); err != nil {
		return "", fmt.Errorf("waiting for kwok's Stages to be served: %w", errors.Join(err, p.died()))
	}
	if err := p.applyStages(ctx, noFaults()); err != nil {
		return "", err
	}
	if err := p.register(ctx, client, p.config.Nodes); err != nil {
		return "", fmt.Errorf("making %d nodes: %w", p.config.Nodes, errors.Join(err, p.died()))
	}
	if err := waitServiceAccount(ctx, client); err != nil {
		return "", fmt.Errorf("waiting for the default service account: %w", errors.Join(err, p.died()))
	}
	return version.GitVersion, nil
}

// waitServiceAccount returns once pods can be created in the default namespace.
func waitServiceAccount(ctx context.Context, client kubernetes.Interface) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		if err == nil || !apierrors.IsNotFound(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
