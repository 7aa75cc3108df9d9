package simulated_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/cluster"
)

// testShards has shards come and go, so that now and then one comes while the last one of those before it takes away what they had in common.
// Whoever has joined finds that there until he leaves; when all have left, nothing is.
func testShards(ctx context.Context, t *testing.T, c *testCluster) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	var shards sync.WaitGroup
	for shard := range 4 {
		shards.Go(func() {
			for round := range 3 {
				if err := c.joinAndLeave(ctx, fmt.Sprintf("shard%d-%d", shard, round)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	shards.Wait()
	if _, err := c.client.CoreV1().Namespaces().Get(ctx, cluster.RunNamespace(cluster.Shards), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what the shards had in common is still there: %v", err)
	}
}

func (c *testCluster) joinAndLeave(ctx context.Context, run string) error {
	beating, stop := context.WithCancel(ctx)
	defer stop()
	if err := cluster.BeginRun(beating, c.client, run); err != nil {
		return err
	}
	if err := cluster.JoinShards(ctx, c.client, run); err != nil {
		return err
	}
	// As a lease is written. Another namespace of the same name would not have it.
	mine := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: run}}
	maps := c.client.CoreV1().ConfigMaps(cluster.RunNamespace(cluster.Shards))
	if _, err := maps.Create(ctx, mine, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("%s has joined, and cannot write: %w", run, err)
	}
	if _, err := cluster.EndRun(ctx, c.client, run); err != nil {
		return err
	}
	if _, err := maps.Get(ctx, run, metav1.GetOptions{}); err != nil {
		return fmt.Errorf("%s has not left, and what it wrote is gone: %w", run, err)
	}
	return cluster.LeaveShards(ctx, c.client, run)
}
