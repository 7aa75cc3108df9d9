package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/workqueue"

	"rollcall.dev/framework/cluster"
)

// Specs share the cluster's nodes through one ConfigMap: who holds which node, alone or with others. It is written
// with its resourceVersion, so several nodes are leased at once or none, and no two specs can wait for each other's.
// It is the run's own, or all shards' on the cluster.
const leasesName = "node-leases"

// tables are where the leases are.
func (e *Environment) tables() corev1client.ConfigMapInterface {
	return e.Client.CoreV1().ConfigMaps(cluster.RunNamespace(e.leasesOf()))
}

func (e *Environment) leasesOf() string {
	if e.Sharded {
		return cluster.Shards
	}
	return e.Run
}

// entry is a holder in a table, which specs of several runs may share.
func (e *Environment) entry(holder string) string { return e.Run + "/" + holder }

// runOf is the run of an entry.
func runOf(entry string) string {
	run, _, _ := strings.Cut(entry, "/")
	return run
}

// holders are those of one node, or of the whole cluster. Either Alone is set or Shared has entries.
type holders struct {
	Alone  string   `json:"alone,omitempty"`
	Shared []string `json:"shared,omitempty"`
	// Wanted is who waits to have the whole cluster alone: nobody joins those that share it.
	Wanted string `json:"wanted,omitempty"`
}

func (h holders) free(alone bool) bool { return h.Alone == "" && (!alone || len(h.Shared) == 0) }

// errTooFewNodes is wrapped by the error for a lease that can never be given.
var errTooFewNodes = errors.New("too few nodes")

// lease takes count nodes for holder (all of them if count is 0), alone or shared, waiting for other specs to return theirs.
// Each gets the holder's label.
func (e *Environment) lease(ctx context.Context, holder string, count int, alone bool) ([]string, error) {
	all := count == 0
	vigil := cluster.NewVigil()
	for {
		table, version, err := e.table(ctx, leasesName)
		if err != nil {
			return nil, err
		}
		// The nodes after the table, each time: one that its holder has returned by then is there again, and one that is missing is held.
		nodes, err := cluster.UsableNodes(ctx, e.Client)
		if err != nil {
			return nil, fmt.Errorf("listing nodes to lease: %w", err)
		}
		if all {
			count = len(nodes)
		}
		known := parseLeases(table.Data)
		// A node that a spec made unusable on purpose is still there and comes back; one that joined is new.
		if total := len(union(nodes, known)); total < count {
			return nil, fmt.Errorf("%w: the spec needs %d, the cluster has %d", errTooFewNodes, count, total)
		}
		chosen := choose(nodes, known, count, alone, all)
		if chosen == nil {
			if err := e.awaitLeaseChange(ctx, leasesName, version, known, vigil); err != nil {
				return nil, err
			}
			continue
		}
		for _, node := range chosen {
			h := known[node]
			if alone {
				h.Alone = e.entry(holder)
			} else {
				h.Shared = append(h.Shared, e.entry(holder))
			}
			known[node] = h
		}
		if err := e.writeLeases(ctx, table, known); apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
			continue // another spec was faster
		} else if err != nil {
			return nil, fmt.Errorf("leasing nodes: %w", err)
		}
		return chosen, e.labelNodes(ctx, chosen, holder, true)
	}
}

// release returns all of the holder's nodes. It can be called again.
func (e *Environment) release(ctx context.Context, holder string, nodes []string) error {
	if err := e.labelNodes(ctx, nodes, holder, false); err != nil {
		return err
	}
	return e.strike(ctx, leasesName, func(entry string) bool { return entry == e.entry(holder) })
}

// strike takes entries off a table.
func (e *Environment) strike(ctx context.Context, name string, which func(entry string) bool) error {
	for {
		table, err := e.tables().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the leases: %w", err)
		}
		known := parseLeases(table.Data)
		for key, h := range known {
			if which(h.Alone) {
				h.Alone = ""
			}
			if which(h.Wanted) {
				h.Wanted = ""
			}
			h.Shared = slices.DeleteFunc(h.Shared, which)
			known[key] = h
		}
		if err := e.writeLeases(ctx, table, known); !apierrors.IsConflict(err) {
			return err
		}
	}
}

// table returns a table, an empty one if there is none, and the version to watch from.
func (e *Environment) table(ctx context.Context, name string) (*corev1.ConfigMap, string, error) {
	list, err := e.tables().List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		return nil, "", fmt.Errorf("reading the leases: %w", err)
	}
	if len(list.Items) > 0 {
		return &list.Items[0], list.ResourceVersion, nil
	}
	labels := map[string]string{cluster.RunLabel: e.leasesOf()}
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, list.ResourceVersion, nil
}

// choose picks count nodes that can be had, those with the fewest holders first; nil if there are not enough now.
func choose(nodes []string, known map[string]holders, count int, alone, all bool) []string {
	var free []string
	for _, node := range nodes {
		if known[node].free(alone) {
			free = append(free, node)
		}
	}
	// All means all: a node that is held alone, usable or not, is waited for.
	if all {
		for node, h := range known {
			if h.Alone != "" && !slices.Contains(free, node) {
				return nil
			}
		}
	}
	if len(free) < count {
		return nil
	}
	slices.SortFunc(free, func(a, b string) int {
		if d := len(known[a].Shared) - len(known[b].Shared); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	chosen := free[:count]
	slices.Sort(chosen)
	return chosen
}

func union(nodes []string, known map[string]holders) map[string]struct{} {
	all := map[string]struct{}{}
	for _, n := range nodes {
		all[n] = struct{}{}
	}
	for n, h := range known {
		if h.Alone != "" {
			all[n] = struct{}{}
		}
	}
	return all
}

func parseLeases(data map[string]string) map[string]holders {
	known := map[string]holders{}
	for node, text := range data {
		var h holders
		if json.Unmarshal([]byte(text), &h) == nil { // only we write it
			known[node] = h
		}
	}
	return known
}

func (e *Environment) writeLeases(ctx context.Context, table *corev1.ConfigMap, known map[string]holders) error {
	table = table.DeepCopy()
	table.Data = map[string]string{}
	for node, h := range known {
		if h.Alone == "" && h.Wanted == "" && len(h.Shared) == 0 {
			continue
		}
		text, err := json.Marshal(h)
		if err != nil {
			return err
		}
		table.Data[node] = string(text)
	}
	var err error
	if table.ResourceVersion == "" {
		_, err = e.tables().Create(ctx, table, metav1.CreateOptions{})
	} else {
		_, err = e.tables().Update(ctx, table, metav1.UpdateOptions{})
	}
	return err
}

// labelNodes sets or removes the label that the holder's DaemonSets select nodes by.
func (e *Environment) labelNodes(ctx context.Context, nodes []string, holder string, set bool) error {
	var value any
	if set {
		value = e.Run
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{leaseLabel(holder): value}}})
	if err != nil {
		return err
	}
	problems := make([]error, len(nodes))
	workqueue.ParallelizeUntil(ctx, labelling, len(nodes), func(i int) {
		if _, err := e.Client.CoreV1().Nodes().Patch(ctx, nodes[i], types.MergePatchType, patch, metav1.PatchOptions{}); err != nil && !apierrors.IsNotFound(err) {
			problems[i] = fmt.Errorf("labelling node %s: %w", nodes[i], err)
		}
	})
	return errors.Join(append(problems, context.Cause(ctx))...)
}

// labelling is how many nodes get their label at a time: one after the other, thousands would take minutes.
const labelling = 16

func leaseLabel(holder string) string { return cluster.LeaseLabelPrefix + holder }

// nodeSelector selects the holder's nodes.
func (e *Environment) nodeSelector(holder string, base map[string]string) map[string]string {
	selector := maps.Clone(base)
	if selector == nil {
		selector = map[string]string{}
	}
	selector[leaseLabel(holder)] = e.Run
	return selector
}
