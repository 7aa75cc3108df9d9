package rollout

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"rollcall.dev/framework/cluster"
)

// Ginkgo runs a Serial spec when none other of its run is under way, but knows nothing of other shards. Where there are some, each spec
// holds the whole cluster besides its nodes: a Serial one alone, all others with each other. One that wants it alone is let in before
// those that come later. It is taken before any node, so that nobody who has nodes waits for it.
const (
	wholeName = "cluster-lease"
	wholeKey  = "cluster"
)

// holdCluster waits until the holder has the cluster.
func (e *Environment) holdCluster(ctx context.Context, holder string, alone bool) error {
	return e.hold(ctx, wholeKey, holder, alone)
}

// holdNamespace waits until the holder has a namespace that is not the run's own: of what the task page creates there can be one at a time.
func (e *Environment) holdNamespace(ctx context.Context, holder, namespace string) error {
	return e.hold(ctx, "namespace-"+namespace, holder, true)
}

func (e *Environment) hold(ctx context.Context, key, holder string, alone bool) error {
	if !e.Sharded {
		return nil
	}
	vigil, me := cluster.NewVigil(), e.entry(holder)
	for {
		table, version, err := e.table(ctx, wholeName)
		if err != nil {
			return err
		}
		known := parseLeases(table.Data)
		before := known[key]
		h, had := before.with(me, alone)
		known[key] = h
		if had || h.Wanted != before.Wanted { // what is wanted has to be noted too
			err := e.writeLeases(ctx, table, known)
			switch {
			case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
				continue // another spec was faster
			case err != nil:
				return fmt.Errorf("leasing the cluster: %w", err)
			case had:
				return nil
			}
		}
		if err := e.awaitLeaseChange(ctx, wholeName, version, known, vigil); err != nil {
			return err
		}
	}
}

// with is what becomes of the holders when one more asks, and whether it is among them then.
func (h holders) with(me string, alone bool) (holders, bool) {
	mine := h.Wanted == "" || h.Wanted == me
	switch {
	case h.Alone != "" || !mine:
		return h, false
	case !alone:
		h.Shared = append(h.Shared, me)
	case len(h.Shared) > 0:
		h.Wanted = me
		return h, false
	default:
		h.Alone, h.Wanted = me, ""
	}
	return h, true
}

// returnCluster is the opposite of holdCluster and holdNamespace. It can be called again.
func (e *Environment) returnCluster(ctx context.Context, holder string) error {
	if !e.Sharded {
		return nil
	}
	return e.strike(ctx, wholeName, func(entry string) bool { return entry == e.entry(holder) })
}
