package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"rollcall.dev/framework/cluster"
)

// faulty is a cluster whose components can be frozen and restarted.
type faulty interface {
	cluster.Provider
	cluster.Restarter
	Pause(ctx context.Context, component string, length time.Duration) error
}

// fallible are the components that a soak freezes. The last one is all simulated kubelets at once: slow nodes.
var fallible = []string{"etcd", apiServer, controllerManager, "kube-scheduler", "kwok-controller"}

const (
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
)

// faults freezes a component of a cluster now and then, or restarts the API server of one that was made for it, and counts.
type faults struct {
	// every is how often, about, and turn how long the API server's restart waits for its turn among the kubectls.
	every, turn time.Duration

	freezes, absences atomic.Int32
}

// begin goes on until the returned function is called. The returned context ends when a fault cannot be made or undone, for without its
// components a cluster has nothing to say about anybody; the function returns why.
func (f *faults) begin(ctx context.Context, p faulty, seed int64) (context.Context, func() error) {
	running, fail := context.WithCancelCause(ctx)
	faulting, stop := context.WithCancel(running)
	ended := make(chan error, 1)
	go func() {
		err := f.run(faulting, p, rand.New(rand.NewPCG(uint64(seed), 1)))
		if err != nil {
			fail(err)
		}
		ended <- err
	}()
	return running, func() error {
		stop()
		err := <-ended
		fail(nil)
		return err
	}
}

func (f *faults) run(ctx context.Context, p faulty, chance *rand.Rand) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.every/2 + time.Duration(chance.Int64N(int64(f.every)))):
		}
		component := fallible[chance.IntN(len(fallible))]
		// Leases of nodes last longer than that.
		length := 500*time.Millisecond + time.Duration(chance.Int64N(int64(2500*time.Millisecond)))
		away := chance.IntN(2) == 0 && component == apiServer && p.State().APIServerRestarts
		if err := f.strike(ctx, p, component, length, away); err != nil && ctx.Err() == nil {
			return fmt.Errorf("making a fault: %w", err)
		}
	}
}

// errTurn is why a restart is not made: kubectls run all the time.
var errTurn = errors.New("kubectl is running")

// strike freezes the component, unless it is to be restarted and it may be.
func (f *faults) strike(ctx context.Context, p faulty, component string, length time.Duration, away bool) error {
	if away {
		waiting, cancel := context.WithTimeoutCause(ctx, f.turn, errTurn)
		defer cancel()
		open, err := cluster.Lock(waiting, p.State().KubectlLock())
		if err == nil {
			defer open()
			f.absences.Add(1)
			if err := p.Restart(ctx, component); err != nil {
				return err
			}
			// Its watches come back later and later, after a minute at last: until then it would take all nodes for dead, and the garbage
			// collector would delete pods that it was to orphan. The machine that has one of the two goes down with both.
			return p.Restart(ctx, controllerManager)
		}
		if !errors.Is(err, errTurn) {
			return err
		}
	}
	f.freezes.Add(1)
	return p.Pause(ctx, component, length)
}
