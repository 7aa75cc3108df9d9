package simulated

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"rollcall.dev/framework/cluster"
)

// faults is what is out of the ordinary on a cluster's nodes. It is kept in a file of the cluster's folder, because several processes
// (parallel specs) change it; the Stages are made from it.
type faults struct {
	// Generation counts the changes, so that kwok can say which it has seen.
	Generation int `json:"generation"`
	// Clocks holds by how much a node's clock is ahead, as time.Duration writes it.
	Clocks map[string]string `json:"clocks"`
	// Rejecting holds the reason with which a node turns pods away.
	Rejecting map[string]string `json:"rejecting"`
	// Stopped holds the nodes whose kubelet is silent.
	Stopped map[string]string `json:"stopped"`
	// Loaded holds the images that were loaded and are not in the table.
	Loaded map[string]string `json:"loaded"`
}

func noFaults() faults {
	return faults{Generation: 1, Clocks: map[string]string{}, Rejecting: map[string]string{}, Stopped: map[string]string{}, Loaded: map[string]string{}}
}

func (f faults) clone() faults {
	f.Clocks, f.Rejecting, f.Stopped, f.Loaded = maps.Clone(f.Clocks), maps.Clone(f.Rejecting), maps.Clone(f.Stopped), maps.Clone(f.Loaded)
	return f
}

// change applies change to the cluster's faults and returns once kwok works by them. One process at a time does so.
func (p *Provider) change(ctx context.Context, change func(*faults)) error {
	unlock, err := cluster.Lock(ctx, filepath.Join(p.config.Dir, "faults.lock"))
	if err != nil {
		return fmt.Errorf("waiting for another process that changes the nodes: %w", err)
	}
	defer unlock()
	before, err := p.faults()
	if err != nil {
		return err
	}
	after := before.clone()
	change(&after)
	if reflect.DeepEqual(before, after) {
		return nil
	}
	after.Generation++
	if err := p.applyStages(ctx, after); err != nil {
		return err
	}
	if err := p.keepFaults(after); err != nil {
		return fmt.Errorf("keeping the nodes' faults: %w", err)
	}
	return p.acknowledged(ctx, after)
}

// keepFaults replaces the file as a whole: other processes read it while this one writes.
func (p *Provider) keepFaults(f faults) error {
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(p.config.Dir, "faults.json")
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// faults reads what is in force.
func (p *Provider) faults() (faults, error) {
	f := noFaults()
	data, err := os.ReadFile(filepath.Join(p.config.Dir, "faults.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		return f, fmt.Errorf("reading the nodes' faults: %w", err)
	}
	return f, nil
}

// waitStages returns once the API server serves Stages, a moment after their definition has been created.
func (p *Provider) waitStages(ctx context.Context) error {
	config, err := p.restConfig()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := client.Resource(stageResource).List(ctx, metav1.ListOptions{Limit: 1})
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

// applyStages writes the Stages that differ, in order.
func (p *Provider) applyStages(ctx context.Context, f faults) error {
	config, err := p.restConfig()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	wanted, err := stages(f)
	if err != nil {
		return err
	}
	api := client.Resource(stageResource)
	for _, w := range wanted {
		// An API server that has just learnt a resource may deny a moment later that it knows it, while it exchanges its handlers:
		// to a create, "not found" means nothing else.
		err := retry.OnError(newResource, apierrors.IsNotFound, func() error { return applyStage(ctx, api, w) })
		if err != nil {
			return fmt.Errorf("writing Stage %s: %w", w.GetName(), err)
		}
	}
	return nil
}

// newResource waits 12 seconds in all.
var newResource = wait.Backoff{Duration: 50 * time.Millisecond, Factor: 1.5, Steps: 12}

func applyStage(ctx context.Context, api dynamic.ResourceInterface, wanted *unstructured.Unstructured) error {
	have, err := api.Get(ctx, wanted.GetName(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = api.Create(ctx, wanted, metav1.CreateOptions{})
	case err != nil:
	case reflect.DeepEqual(have.Object["spec"], wanted.Object["spec"]):
	default:
		wanted.SetResourceVersion(have.GetResourceVersion())
		_, err = api.Update(ctx, wanted, metav1.UpdateOptions{})
	}
	return err
}

// acknowledged returns once kwok has shown, on a node that runs, that it works by the Stages of f. With no node that runs there is
// nothing to wait for.
func (p *Provider) acknowledged(ctx context.Context, f faults) error {
	client, err := p.client()
	if err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	var running []string
	for i := range nodes.Items {
		if _, stopped := f.Stopped[nodes.Items[i].Name]; !stopped && ready(&nodes.Items[i]) {
			running = append(running, nodes.Items[i].Name)
		}
	}
	return p.askAny(ctx, client, running, f.Generation)
}

// witnesses is how many nodes are asked at once. There is one kwok for all of them, so one answer is enough; but a node that is just being
// started has no lease yet, and one that somebody removes meanwhile is gone: they answer nothing.
const witnesses = 3

// askAny returns once one of the nodes has answered, at once if there is none.
func (p *Provider) askAny(ctx context.Context, client kubernetes.Interface, nodes []string, generation int) error {
	if step := len(nodes) / witnesses; step > 1 {
		nodes = []string{nodes[0], nodes[step], nodes[2*step]}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the others need not answer any more
	answers := make(chan error, len(nodes))
	for _, name := range nodes {
		go func() { answers <- p.ask(ctx, client, name, generation) }()
	}
	var problems []error
	for range nodes {
		err := <-answers
		if err == nil {
			return nil
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// ready says whether the node's condition Ready is True.
func ready(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

const (
	// answerTimeout bounds a wait for a simulated kubelet. kwok answers within milliseconds, and on a machine with ten times more work than
	// cores within a minute.
	answerTimeout = 4 * time.Minute
	// longestSilence is between two questions at most: one that kwok does not understand yet it never answers.
	longestSilence = 2 * time.Second
)

// ask returns once the simulated kubelet of a node has answered by the Stages of a generation. It asks again and again, because
// a question that reaches kwok before the Stages or the node's lease do is answered by nobody.
func (p *Provider) ask(ctx context.Context, client kubernetes.Interface, node string, generation int) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	only := metav1.ListOptions{FieldSelector: "metadata.name=" + node}
	var stream watch.Interface
	defer func() {
		if stream != nil {
			stream.Stop()
		}
	}()
	// An answer to any of this call's questions will do: on a busy machine it comes later than the next question.
	call := fmt.Sprintf("%d.%d.", generation, time.Now().UnixNano())
	for n, wait := 1, 250*time.Millisecond; ; n, wait = n+1, min(2*wait, longestSilence) {
		if stream == nil {
			var err error
			if stream, err = client.CoreV1().Nodes().Watch(ctx, only); err != nil {
				return fmt.Errorf("watching %s: %w", node, err)
			}
		}
		answers := stream.ResultChan()
		question := call + strconv.Itoa(n)
		patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, askedAnnotation, question)
		if _, err := client.CoreV1().Nodes().Patch(ctx, node, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("asking the simulated kubelet of %s: %w", node, err)
		}
		again := time.After(wait)
		for asked := true; asked; {
			select {
			case <-ctx.Done():
				return fmt.Errorf("the simulated kubelet of %s does not answer (log: %s): %w", node, p.logPath("kwok-controller"), context.Cause(ctx))
			case <-again:
				asked = false
			case event := <-answers:
				n, ok := event.Object.(*corev1.Node)
				if !ok { // the API server ended; the next watch begins with what there is
					stream.Stop()
					stream, answers = nil, nil
					continue
				}
				if strings.HasPrefix(n.Annotations[acknowledgedAnnotation], call) {
					return nil
				}
			}
		}
	}
}
