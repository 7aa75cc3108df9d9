package simulated

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// components are the processes of a cluster, by the names of their logs.
var (
	controlPlane = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
	components   = append(slices.Clone(controlPlane), "kwok-controller")
	// needed are those without which no other can start.
	needed = []string{"etcd", "kube-apiserver"}
)

// portPatience is for how long a component is started again that finds its own port taken.
const portPatience = 10 * time.Second

// Restart stops a component of the control plane (etcd, kube-apiserver, kube-controller-manager, kube-scheduler) and starts it again with
// the same arguments, ports and data. It returns when the component answers. It gets three seconds to end in good order, then SIGKILL.
func (p *Provider) Restart(ctx context.Context, component string) error {
	if !slices.Contains(controlPlane, component) {
		return fmt.Errorf("no component %q in the control plane; there are %s", component, strings.Join(controlPlane, ", "))
	}
	if err := p.end(ctx, func(r process) bool { return r.name == component }, syscall.SIGTERM, 3*time.Second); err != nil {
		return fmt.Errorf("stopping %s: %w", component, err)
	}
	// What was killed may hold its port for a moment longer: the kernel gives back the memory, by which a process is known, before the sockets.
	for began := time.Now(); ; {
		err := p.relaunch(ctx, component)
		if err == nil {
			break
		}
		if !errors.Is(err, errPortTaken) || time.Since(began) > portPatience {
			return err
		}
	}
	if !slices.Contains(needed, component) {
		return nil
	}
	// kwok gives up a write that met neither an answer nor a refused connection, and nobody would remind it of that pod.
	if err := p.remind(ctx); err != nil {
		return fmt.Errorf("bringing the simulated kubelets back after the restart of %s: %w", component, err)
	}
	return nil
}

// relaunch starts a component as kwokctl started it, and returns when it answers.
func (p *Provider) relaunch(ctx context.Context, component string) error {
	args, err := p.launch(component)
	if err != nil {
		return err
	}
	// Nothing answers where etcd or the API server has ended again, and its log says why.
	waiting, die := context.WithCancelCause(ctx)
	defer die(nil)
	go p.watchStart(waiting, die)
	if err := p.waitServing(waiting, component, args); err != nil {
		return errors.Join(err, context.Cause(waiting))
	}
	return nil
}

// remind returns once kwok is back in touch with the API server and has been given every pod for which something is planned.
func (p *Provider) remind(ctx context.Context) error {
	f, err := p.faults()
	if err != nil {
		return err
	}
	if err := p.acknowledged(ctx, f); err != nil {
		return err
	}
	client, err := p.client()
	if err != nil {
		return err
	}
	return replan(ctx, client, "", func(pod *corev1.Pod) bool { return pod.Spec.NodeName != "" && awaits(pod) })
}

// launch starts a component that does not run as kwokctl started it, and returns its arguments.
func (p *Provider) launch(component string) ([]string, error) {
	data, err := os.ReadFile(p.componentsFile("kwok.yaml"))
	if err != nil {
		return nil, fmt.Errorf("reading how %s is started: %w", component, err)
	}
	// kwokctl writes several documents; only one lists the components.
	var binary string
	var args []string
	for _, document := range bytes.Split(data, []byte("\n---\n")) {
		var list struct {
			Components []struct {
				Name   string   `json:"name"`
				Binary string   `json:"binary"`
				Args   []string `json:"args"`
			} `json:"components"`
		}
		if err := yaml.Unmarshal(document, &list); err != nil {
			return nil, fmt.Errorf("reading how %s is started: %w", component, err)
		}
		for _, c := range list.Components {
			if c.Name == component {
				binary, args = c.Binary, c.Args
			}
		}
	}
	if binary == "" {
		return nil, fmt.Errorf("%s does not say how %s is started", p.componentsFile("kwok.yaml"), component)
	}
	log, err := os.OpenFile(p.logPath(component), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	started, err := os.StartProcess(binary, append([]string{binary}, args...), &os.ProcAttr{
		Dir: p.home(), Env: os.Environ(), Files: []*os.File{null, log, log},
		Sys: &syscall.SysProcAttr{Setsid: true}, // it outlives us and our terminal
	})
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", component, err)
	}
	go func() { _, _ = started.Wait() }() // else it stays as a zombie when it ends before us
	pid := filepath.Join(p.home(), "pids", component+".pid")
	return args, os.WriteFile(pid, []byte(strconv.Itoa(started.Pid)), 0o644)
}

// watchStart calls die when etcd or the API server has ended again.
func (p *Provider) watchStart(ctx context.Context, die context.CancelCauseFunc) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		dead, err := p.dead()
		if err == nil && slices.ContainsFunc(dead, func(c string) bool { return slices.Contains(needed, c) }) {
			err = p.died()
		}
		if err != nil {
			die(err)
			return
		}
	}
}

// revive starts again, until ctx ends, what gave up because the API server was not there yet: the others wait ten seconds for it, which
// is not enough on a machine that is busy. What dies three times has another reason, and is left to be reported.
func (p *Provider) revive(ctx context.Context) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	times := map[string]int{}
	for {
		dead, err := p.dead()
		for _, component := range dead {
			if times[component]++; err == nil && times[component] <= 3 && !slices.Contains(needed, component) {
				_, err = p.launch(component)
			}
		}
		if err != nil {
			fmt.Fprintf(p.config.Log, "starting a component again: %v\n", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// died returns an error that names a component that was started and does not run, with the end of its log.
func (p *Provider) died() error {
	dead, err := p.dead()
	if err != nil || len(dead) == 0 {
		return err
	}
	log, _ := os.ReadFile(p.logPath(dead[0])) // without it the error still names the component
	err = fmt.Errorf("%s ended; the end of its log:\n%s", dead[0], lastLines(log, 10))
	if bytes.Contains(log, []byte("address already in use")) {
		err = fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return err
}

// dead lists the components that were started and do not run.
func (p *Provider) dead() ([]string, error) {
	// The pids are read before the processes are listed: one that starts in between must not be taken for dead.
	pids := map[string]int{}
	for _, component := range components {
		data, err := os.ReadFile(filepath.Join(p.home(), "pids", component+".pid"))
		if err != nil {
			continue // not started yet
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
			pids[component] = pid
		}
	}
	running, err := p.processes()
	if err != nil {
		return nil, err
	}
	var dead []string
	for _, component := range components {
		pid, started := pids[component]
		if started && !slices.ContainsFunc(running, func(r process) bool { return r.pid == pid }) && !passing(pid) {
			dead = append(dead, component)
		}
	}
	return dead, nil
}

func lastLines(data []byte, n int) string {
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
