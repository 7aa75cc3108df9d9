package cluster

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// DeletePolicy deletes an admission policy of the suite's and the binding of the same name, where they are.
func DeletePolicy(ctx context.Context, client kubernetes.Interface, name string) error {
	api := client.AdmissionregistrationV1()
	var problems []error
	for _, err := range []error{
		api.ValidatingAdmissionPolicyBindings().Delete(ctx, name, metav1.DeleteOptions{}),
		api.ValidatingAdmissionPolicies().Delete(ctx, name, metav1.DeleteOptions{}),
	} {
		// Who may not delete one could not have made one.
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
			problems = append(problems, fmt.Errorf("deleting admission policy %s: %w", name, err))
		}
	}
	return errors.Join(problems...)
}

// deletePolicies deletes those that carry the run's id: they keep its pods from being deleted.
func deletePolicies(ctx context.Context, client kubernetes.Interface, selector metav1.ListOptions) error {
	policies, err := client.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(ctx, selector)
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) { // or an API server that knows no such policies: there are none
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing the run's admission policies: %w", err)
	}
	var problems []error
	for i := range policies.Items {
		problems = append(problems, DeletePolicy(ctx, client, policies.Items[i].Name))
	}
	return errors.Join(problems...)
}
