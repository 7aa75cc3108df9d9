package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/onsi/ginkgo/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

const quotaName = "pods"

// LimitPods allows the spec's namespace so many pods, by a quota, and returns when that is in force: from then on the API server refuses
// more.
func (r *R) LimitPods(ctx context.Context, count int64) {
	ginkgo.GinkgoHelper()
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: quotaName, Labels: map[string]string{cluster.RunLabel: r.Run}},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
			corev1.ResourcePods: *resource.NewQuantity(count, resource.DecimalSI), unused: resource.MustParse("0"),
		}},
	}
	r.Act(ctx, r.quotaAct("create", fmt.Sprintf("%d pods", count)), func(ctx context.Context) error {
		quotas := r.Client.CoreV1().ResourceQuotas(r.Namespace)
		if _, err := quotas.Create(ctx, quota, metav1.CreateOptions{}); err != nil {
			return err
		}
		limit := r.patience(request)
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the quota was not in force within %s", limit))
		defer cancel()
		if err := awaitQuota(ctx, func() (watch.Interface, error) {
			return quotas.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + quotaName})
		}); err != nil {
			return err
		}
		return r.awaitRefused(ctx)
	})
}

// unused is something of which the quota allows none, and of which nobody makes any where it is: a trial tells whether it is enforced.
const unused = corev1.ResourceName("count/poddisruptionbudgets.policy")

// awaitRefused tries to make what the quota does not allow, without doing it, until that is refused: nothing announces that the API server has
// heard of a quota, and until then it goes by what it remembers of the namespace.
func (r *R) awaitRefused(ctx context.Context) error {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	trial := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: quotaName}}
	for {
		_, err := r.Client.PolicyV1().PodDisruptionBudgets(r.Namespace).Create(ctx, trial, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case apierrors.IsForbidden(err):
			return nil
		case err != nil:
			return fmt.Errorf("trying whether the quota is in force: %w", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
}

// awaitQuota returns when the quota's status says what is counted: before that the API server does not enforce it. The watch begins
// with the quota as it is.
func awaitQuota(ctx context.Context, open func() (watch.Interface, error)) error {
	for {
		w, err := open()
		if err != nil {
			return fmt.Errorf("watching the quota: %w", err)
		}
		done, err := inForce(ctx, w)
		w.Stop()
		if done || err != nil {
			return err
		}
	}
}

func inForce(ctx context.Context, w watch.Interface) (bool, error) {
	for {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case event, opened := <-w.ResultChan():
			if !opened {
				return false, nil
			}
			if quota, ok := event.Object.(*corev1.ResourceQuota); ok && len(quota.Status.Hard) > 0 && len(quota.Status.Used) > 0 {
				return true, nil
			}
		}
	}
}

// LiftLimit takes the limit of LimitPods away.
func (r *R) LiftLimit(ctx context.Context) {
	ginkgo.GinkgoHelper()
	r.Act(ctx, r.quotaAct("delete", ""), func(ctx context.Context) error {
		return r.Client.CoreV1().ResourceQuotas(r.Namespace).Delete(ctx, quotaName, metav1.DeleteOptions{})
	})
}

func (r *R) quotaAct(verb, note string) history.Act {
	return history.Act{
		Verb: verb + " quota", Note: note, Disturbs: []history.Disturbance{history.CreationRefused},
		Object: history.Reference{Resource: "resourcequotas", Namespace: r.Namespace, Name: quotaName},
	}
}
