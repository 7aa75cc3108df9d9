package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
)

// RefuseDeletions makes the API server refuse to delete pods of DaemonSets in the spec's namespace, by an admission policy, and returns when
// that is in force, which it tries on the given pod without deleting it. Pods that end already may end. Skips where the suite may not make
// such policies.
func (r *R) RefuseDeletions(ctx context.Context, pod *corev1.Pod) {
	ginkgo.GinkgoHelper()
	policies := r.Client.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	bindings := r.Client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	meta := metav1.ObjectMeta{Name: r.Namespace, Labels: map[string]string{cluster.RunLabel: r.Run}}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: meta, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: r.Namespace}},
			ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Delete},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}}},
		},
		Validations: []admissionv1.Validation{{
			Expression: "has(oldObject.metadata.deletionTimestamp) || !has(oldObject.metadata.ownerReferences)",
			Message:    "no pod of a DaemonSet may be deleted now",
		}},
	}}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: meta, Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
		PolicyName: r.Namespace, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
	}}
	ginkgo.DeferCleanup(r.deletePolicy, ginkgo.NodeTimeout(r.patience(request)))
	var making error // which says what is possible here; what comes after it says what the controller does
	err := r.recorder.Act(ctx, r.refusalAct("create", history.DeletionRefused), func(ctx context.Context) error {
		if _, making = policies.Create(ctx, policy, metav1.CreateOptions{}); making != nil {
			return making
		}
		if _, making = bindings.Create(ctx, binding, metav1.CreateOptions{}); making != nil {
			return making
		}
		return r.awaitRefusal(ctx, pod, true)
	})
	switch {
	case apierrors.IsForbidden(making):
		ginkgo.Skip("the suite may not make admission policies here; grant it create and delete of validatingadmissionpolicies and their bindings")
	case apierrors.IsNotFound(making):
		ginkgo.Skip("the API server knows no ValidatingAdmissionPolicy; Kubernetes 1.30 or newer makes it run")
	}
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "making the API server refuse to delete pods")
}

// AllowDeletions ends RefuseDeletions, and returns when that is in force.
func (r *R) AllowDeletions(ctx context.Context, pod *corev1.Pod) {
	ginkgo.GinkgoHelper()
	r.Act(ctx, r.refusalAct("delete"), func(ctx context.Context) error {
		if err := r.deletePolicy(ctx); err != nil {
			return err
		}
		return r.awaitRefusal(ctx, pod, false)
	})
}

func (r *R) deletePolicy(ctx context.Context) error {
	return cluster.DeletePolicy(ctx, r.Client, r.Namespace)
}

// awaitRefusal tries to delete a pod, without doing it, until that is refused, or no longer is: nothing announces that a policy is in force.
func (r *R) awaitRefusal(ctx context.Context, pod *corev1.Pod, refused bool) error {
	limit := r.patience(request)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the policy did not come into force, or go out of it, within %s", limit))
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		uid := pod.UID
		err := r.Client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}, Preconditions: &metav1.Preconditions{UID: &uid}})
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case apierrors.IsInvalid(err) && refused:
			return nil
		case (err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err)) && !refused:
			return nil // where it is gone, the controller has deleted it already
		case err != nil && !apierrors.IsInvalid(err):
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
}

func (r *R) refusalAct(verb string, disturbs ...history.Disturbance) history.Act {
	return history.Act{Verb: verb + " policy", Note: "no pod of a DaemonSet may be deleted", Disturbs: disturbs,
		Object: history.Reference{Resource: "validatingadmissionpolicies", Name: r.Namespace}}
}
