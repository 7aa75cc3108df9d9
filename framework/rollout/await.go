package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
	"rollcall.dev/framework/invariant"
)

// State is a DaemonSet with what belongs to it, as the recorder knows it at one moment. It is what this package's matchers match.
type State struct {
	// DaemonSet is nil once it is gone.
	DaemonSet *appsv1.DaemonSet
	// Pods are those that it controls, dead and terminating ones too.
	Pods []*corev1.Pod
	// Revisions are those that it controls.
	Revisions []*appsv1.ControllerRevision
	// Nodes are the spec's.
	Nodes []*corev1.Node
	// All is everything in the namespace, for what the DaemonSet does not control (any more).
	All history.View
}

// State returns the DaemonSet's state now. ds may be an old copy: its UID counts, or its name where it has none.
func (r *R) State(ds *appsv1.DaemonSet) State { return stateOf(r.recorder.Snapshot(), ds).copy() }

// copy gives a spec objects that it may change: those of the recorder are what is judged.
func (s State) copy() State {
	if s.DaemonSet != nil {
		s.DaemonSet = s.DaemonSet.DeepCopy()
	}
	copies := make(map[*corev1.Pod]*corev1.Pod, len(s.All.Pods)) // the DaemonSet's are among all
	for _, pods := range []*[]*corev1.Pod{&s.Pods, &s.All.Pods} {
		*pods = slices.Clone(*pods)
		for i, pod := range *pods {
			if copies[pod] == nil {
				copies[pod] = pod.DeepCopy()
			}
			(*pods)[i] = copies[pod]
		}
	}
	return s
}

// ByName returns the DaemonSet of that name as the recorder knows it. The spec fails where there is none within the time
// that a watch may take.
func (r *R) ByName(ctx context.Context, name string) *appsv1.DaemonSet {
	ginkgo.GinkgoHelper()
	ctx, cancel := context.WithTimeout(ctx, r.patience(request))
	defer cancel()
	var found *appsv1.DaemonSet
	err := r.recorder.Until(ctx, func(v history.View) (bool, error) {
		for _, ds := range v.DaemonSets {
			if ds.Name == name {
				found = ds.DeepCopy()
			}
		}
		return found != nil, nil
	})
	if err != nil {
		Fail(fmt.Sprintf("there is no DaemonSet %s in namespace %s", name, r.Namespace))
	}
	return found
}

func stateOf(v history.View, ds *appsv1.DaemonSet) State {
	s := State{Nodes: v.Nodes, All: v}
	for _, d := range v.DaemonSets {
		if d.UID == ds.UID || ds.UID == "" && d.Name == ds.Name {
			s.DaemonSet = d
		}
	}
	uid := ds.UID
	if s.DaemonSet != nil {
		uid = s.DaemonSet.UID
	}
	for _, pod := range v.Pods {
		if c := metav1.GetControllerOf(pod); c != nil && c.UID == uid {
			s.Pods = append(s.Pods, pod)
		}
	}
	for _, revision := range v.ControllerRevisions {
		if c := metav1.GetControllerOf(revision); c != nil && c.UID == uid {
			s.Revisions = append(s.Revisions, revision)
		}
	}
	return s
}

// Assertion waits until a State matches.
type Assertion struct {
	r     *R
	ctx   context.Context
	ds    *appsv1.DaemonSet
	limit time.Duration
}

// Eventually waits, on the recorder's watch and not by asking again and again, for as long as a whole rollout may take.
func (r *R) Eventually(ctx context.Context, ds *appsv1.DaemonSet) Assertion {
	return Assertion{r: r, ctx: ctx, ds: ds, limit: rolloutBase + rolloutPerNode*time.Duration(len(r.nodes))}
}

// Soon is Eventually for a single step of the controller at rest.
func (r *R) Soon(ctx context.Context, ds *appsv1.DaemonSet) Assertion {
	return Assertion{r: r, ctx: ctx, ds: ds, limit: reaction}
}

// Within sets the time limit, before TIMEOUT_FACTOR.
func (a Assertion) Within(limit time.Duration) Assertion {
	a.limit = limit
	return a
}

// Briefly sets the time limit where the implementation is known not to do what is waited for, so that each run does not take that much
// longer. Who is not known for it has the time that any step may take.
func (a Assertion) Briefly(limit time.Duration) Assertion {
	if _, d := excuse(); d != nil && d.Implementation != "" {
		a.limit = limit
	}
	return a
}

// Should waits until the matcher matches and returns the state that it matched. The spec fails with the matcher's words, and how
// long was waited, if it does not.
func (a Assertion) Should(matcher types.GomegaMatcher) State {
	ginkgo.GinkgoHelper()
	limit := a.r.patience(a.limit)
	tooLate := fmt.Errorf("not within %s", limit)
	ctx, cancel := context.WithTimeoutCause(a.ctx, limit, tooLate)
	defer cancel()
	var state State
	behind := ""
	err := a.r.recorder.Until(ctx, func(v history.View) (bool, error) {
		state = stateOf(v, a.ds)
		if behind = a.r.generations.outdated(state, a.ds); behind != "" {
			return false, nil
		}
		return matcher.Match(state)
	})
	switch {
	case err == nil:
	case errors.Is(err, tooLate) && behind != "":
		Fail(fmt.Sprintf("waiting for DaemonSet %s: %s\n%s", a.ds.Name, behind, tooLate))
	case errors.Is(err, tooLate):
		Fail(fmt.Sprintf("%s\n%s", matcher.FailureMessage(state), tooLate))
	default:
		Fail(fmt.Sprintf("waiting for DaemonSet %s: %v", a.ds.Name, err))
	}
	if m, ok := matcher.(stateMatcher); ok && m.complete {
		// From here on the judge holds the last state to be final, unless the spec does something more.
		done := history.Act{Verb: invariant.Completed, Object: a.r.reference(state.DaemonSet)}
		_ = a.r.recorder.Act(ctx, done, func(context.Context) error { return nil })
	}
	return state.copy()
}
