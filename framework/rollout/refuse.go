package rollout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

// Try is Act for what may be refused: it returns the API server's answer instead of failing the spec.
func (r *R) Try(ctx context.Context, act history.Act, do func(context.Context) error) error {
	return r.recorder.Act(ctx, act, do)
}

// TryCreate is Create for a DaemonSet that may be refused.
func (r *R) TryCreate(ctx context.Context, ds *appsv1.DaemonSet, changes ...Change) error {
	ds = ds.DeepCopy()
	r.adapt(ds)
	for _, change := range changes {
		change(ds)
	}
	return r.Try(ctx, history.Act{Verb: "create", Object: r.reference(ds), Note: "may be refused"}, func(ctx context.Context) error {
		_, err := r.Client.AppsV1().DaemonSets(r.Namespace).Create(ctx, ds, metav1.CreateOptions{})
		return err
	})
}

// TryUpdate is Update, a PUT, for a change that may be refused.
func (r *R) TryUpdate(ctx context.Context, ds *appsv1.DaemonSet, changes ...Change) error {
	return r.Try(ctx, history.Act{Verb: "update", Object: r.reference(ds), Note: "may be refused"}, func(ctx context.Context) error {
		updated, err := r.put(ctx, ds, changes)
		r.generations.note(updated)
		return err
	})
}

// put writes a DaemonSet that its controller writes too.
func (r *R) put(ctx context.Context, ds *appsv1.DaemonSet, changes []Change) (updated *appsv1.DaemonSet, err error) {
	sets := r.Client.AppsV1().DaemonSets(r.Namespace)
	err = rewrite(func() error {
		live, err := sets.Get(ctx, ds.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, change := range changes {
			change(live)
		}
		updated, err = sets.Update(ctx, live, metav1.UpdateOptions{})
		return err
	})
	return updated, err
}

// BeInvalid matches the API server's refusal of an object, 422 Invalid, where one of the causes is about the field or one below it and
// contains the words; what else a cause says differs between releases.
func BeInvalid(field, words string) types.GomegaMatcher { return invalidMatcher{field, words} }

type invalidMatcher struct{ field, words string }

func (m invalidMatcher) Match(actual any) (bool, error) {
	err, ok := actual.(error)
	if actual != nil && !ok {
		return false, fmt.Errorf("this matcher takes an error, not %T", actual)
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false, nil
	}
	s := status.Status()
	if s.Code != http.StatusUnprocessableEntity || s.Reason != metav1.StatusReasonInvalid || s.Details == nil {
		return false, nil
	}
	for _, cause := range s.Details.Causes {
		below, found := strings.CutPrefix(cause.Field, m.field)
		if found && (below == "" || below[0] == '.' || below[0] == '[') && strings.Contains(cause.Message, m.words) {
			return true, nil
		}
	}
	return false, nil
}

func (m invalidMatcher) FailureMessage(actual any) string {
	answer := "it was accepted"
	if actual != nil {
		answer = fmt.Sprintf("the answer was: %v", actual)
	}
	return fmt.Sprintf("the API server should refuse this with 422 Invalid for %s, saying %q, but %s", m.field, m.words, answer)
}

func (m invalidMatcher) NegatedFailureMessage(actual any) string {
	return fmt.Sprintf("the API server should not refuse this for %s: %v", m.field, actual)
}
