package cluster

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Vigil tells dead runs from living ones for somebody who waits for them. It goes by its own clock: a heartbeat that has not changed for as
// long as it looked, since nobody can say whose clock is right. It is used by one goroutine.
type Vigil struct {
	now  func() time.Time
	seen map[string]sight
}

// sight is a heartbeat and when it was new.
type sight struct {
	renewed time.Time
	at      time.Time
}

// VigilEvery is how often a Vigil is worth asking.
const VigilEvery = heartbeatEvery

// NewVigil has seen nothing yet.
func NewVigil() *Vigil { return &Vigil{now: time.Now, seen: map[string]sight{}} }

// Dead says whether the run has ended or has given no sign of life since the vigil began, or for two minutes. An API server that
// does not answer says nothing about the run, and its silence does not count.
func (v *Vigil) Dead(ctx context.Context, client kubernetes.Interface, run string) bool {
	lease, err := client.CoordinationV1().Leases(RunNamespace(run)).Get(ctx, heartbeatName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true
	}
	if err != nil || lease.Spec.RenewTime == nil {
		delete(v.seen, run)
		return false
	}
	last, known := v.seen[run]
	if !known || !last.renewed.Equal(lease.Spec.RenewTime.Time) {
		v.seen[run] = sight{renewed: lease.Spec.RenewTime.Time, at: v.now()}
		return false
	}
	return v.now().Sub(last.at) > deadAfter
}

// Bury removes what a dead shard has left and takes it from the shards' members. Several may do that at once.
func Bury(ctx context.Context, client kubernetes.Interface, run string) error {
	_, err := EndRun(ctx, client, run)
	return errors.Join(err, LeaveShards(ctx, client, run))
}
