package rollout

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/cluster"
)

// awaitLeaseChange returns when the table is written. A shard that was killed writes nothing any more: while the table stays as it is, the
// runs of those that stand in it are watched, and what one of them leaves is removed when it is dead.
func (e *Environment) awaitLeaseChange(ctx context.Context, name, since string, known map[string]holders, vigil *cluster.Vigil) error {
	w, err := e.tables().Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name, ResourceVersion: since})
	if err != nil {
		return fmt.Errorf("waiting for what other specs hold: %w", err)
	}
	defer w.Stop()
	var look <-chan time.Time
	if e.Sharded {
		tick := time.NewTicker(cluster.VigilEvery)
		defer tick.Stop()
		look = tick.C
	}
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for what other specs hold: %w", context.Cause(ctx))
		case <-w.ResultChan(): // an event, or the end of the watch: look again
			return nil
		case <-look:
			for run := range e.others(known) {
				if !vigil.Dead(ctx, e.Client, run) {
					continue
				}
				if err := e.bury(ctx, run); err != nil {
					return err
				}
			}
		}
	}
}

// others are the runs that hold something, besides this one.
func (e *Environment) others(known map[string]holders) map[string]struct{} {
	runs := map[string]struct{}{}
	for _, h := range known {
		for _, entry := range append([]string{h.Alone, h.Wanted}, h.Shared...) {
			if run := runOf(entry); run != "" && run != e.Run {
				runs[run] = struct{}{}
			}
		}
	}
	return runs
}

// bury removes what a dead shard left before its nodes are anybody's again.
func (e *Environment) bury(ctx context.Context, run string) error {
	if err := cluster.Bury(ctx, e.Client, run); err != nil {
		return fmt.Errorf("removing what the dead shard %s left: %w", run, err)
	}
	of := func(entry string) bool { return runOf(entry) == run }
	for _, name := range []string{leasesName, wholeName} {
		if err := e.strike(ctx, name, of); err != nil {
			return err
		}
	}
	return nil
}
