package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/invariant"
)

// stateMatcher matches a State. why is empty where it matches, else it finishes the sentence "DaemonSet x …".
type stateMatcher struct {
	promise string
	why     func(State) string
	// complete: what it matches is a finished rollout, and the judge may hold the spec to it.
	complete bool
}

func (m stateMatcher) Match(actual any) (bool, error) {
	s, ok := actual.(State)
	if !ok {
		return false, fmt.Errorf("this matcher takes a rollout.State, not %T", actual)
	}
	return m.why(s) == "", nil
}

func (m stateMatcher) FailureMessage(actual any) string {
	s := actual.(State)
	return fmt.Sprintf("%s should %s, but it %s\n%s", subject(s), m.promise, m.why(s), describe(s))
}

func (m stateMatcher) NegatedFailureMessage(actual any) string {
	s := actual.(State)
	return fmt.Sprintf("%s should not %s\n%s", subject(s), m.promise, describe(s))
}

func subject(s State) string {
	if s.DaemonSet == nil {
		return "the DaemonSet"
	}
	return "DaemonSet " + s.DaemonSet.Name
}

// Match makes a matcher of a function that says why a state does not match, "" where it does. promise finishes the sentence
// "the DaemonSet should …", why "but it …".
func Match(promise string, why func(State) string) types.GomegaMatcher {
	return stateMatcher{promise: promise, why: why}
}

// HaveObserved matches when the controller has seen the DaemonSet's present spec (catalog G-03).
func HaveObserved() types.GomegaMatcher {
	return Match("have observed its newest spec", notObserved)
}

func notObserved(s State) string {
	if s.DaemonSet == nil {
		return "does not exist"
	}
	if got, want := s.DaemonSet.Status.ObservedGeneration, s.DaemonSet.Generation; got < want {
		return fmt.Sprintf("has observedGeneration %d of %d", got, want)
	}
	return ""
}

// BeComplete matches a finished rollout: the newest spec is observed, the counters say so, and independently of them each of the
// spec's nodes that should run a pod has exactly one, which is Ready, and no pod is left over. Which nodes those are is for our own
// oracle to say, not for the status.
func BeComplete() types.GomegaMatcher {
	return stateMatcher{complete: true, promise: "be completely rolled out", why: func(s State) string {
		if why := notObserved(s); why != "" {
			return why
		}
		nodes := s.eligible()
		st, want := s.DaemonSet.Status, int32(len(nodes))
		counters := []struct {
			name string
			got  int32
		}{
			{"desiredNumberScheduled", st.DesiredNumberScheduled}, {"currentNumberScheduled", st.CurrentNumberScheduled},
			{"updatedNumberScheduled", st.UpdatedNumberScheduled}, {"numberReady", st.NumberReady}, {"numberAvailable", st.NumberAvailable},
		}
		for _, c := range counters {
			if c.got != want {
				return fmt.Sprintf("has %s %d of %d", c.name, c.got, want)
			}
		}
		perNode := map[string]int{}
		for _, pod := range s.Pods {
			switch {
			case pod.DeletionTimestamp != nil:
				return "still has pod " + pod.Name + ", which is terminating"
			case !Ready(pod):
				return "has pod " + pod.Name + ", which is not Ready"
			}
			perNode[TargetNode(pod)]++
		}
		for _, node := range nodes {
			if perNode[node.Name] != 1 {
				return fmt.Sprintf("has %d pods on node %s", perNode[node.Name], node.Name)
			}
		}
		if len(s.Pods) != len(nodes) {
			return fmt.Sprintf("has %d pods for %d nodes", len(s.Pods), len(nodes))
		}
		return ""
	}}
}

// eligible are the spec's nodes that should run a pod of the DaemonSet.
func (s State) eligible() []*corev1.Node {
	return slices.DeleteFunc(slices.Clone(s.Nodes), func(node *corev1.Node) bool {
		eligible, _ := invariant.Eligible(&s.DaemonSet.Spec.Template, node)
		return !eligible
	})
}

// HaveOnlyPods matches when there are pods that are not terminating, and all of them satisfy the condition; what names it in a failure.
func HaveOnlyPods(what string, condition func(*corev1.Pod) bool) types.GomegaMatcher {
	return Match("have only pods "+what, func(s State) string {
		all := Where(s.Pods, Any)
		if got := len(Where(all, condition)); got < len(all) || got == 0 {
			return fmt.Sprintf("has %d of %d", got, len(all))
		}
		return ""
	})
}

// HavePods matches when exactly count of the DaemonSet's pods that are not terminating satisfy the condition; what names it in a failure.
func HavePods(count int, what string, condition func(*corev1.Pod) bool) types.GomegaMatcher {
	return Match(fmt.Sprintf("have %d pods %s", count, what), func(s State) string {
		if got := len(Where(s.Pods, condition)); got != count {
			return fmt.Sprintf("has %d", got)
		}
		return ""
	})
}

// BeGone matches when neither the DaemonSet nor anything that it controls is left.
func BeGone() types.GomegaMatcher {
	return Match("be gone with its pods and revisions", func(s State) string {
		switch {
		case s.DaemonSet != nil:
			return "still exists"
		case len(s.Pods) > 0:
			return fmt.Sprintf("still has pod %s and %d more", s.Pods[0].Name, len(s.Pods)-1)
		case len(s.Revisions) > 0:
			return "still has revision " + s.Revisions[0].Name
		}
		return ""
	})
}

// And matches what all of them match.
func And(matchers ...types.GomegaMatcher) types.GomegaMatcher {
	var promises []string
	all := stateMatcher{}
	for _, m := range matchers {
		promises = append(promises, m.(stateMatcher).promise)
		all.complete = all.complete || m.(stateMatcher).complete
	}
	all.promise = strings.Join(promises, " and ")
	all.why = func(s State) string {
		for _, m := range matchers {
			if why := m.(stateMatcher).why(s); why != "" {
				return why
			}
		}
		return ""
	}
	return all
}

// Where returns the pods that are not terminating and satisfy the condition.
func Where(pods []*corev1.Pod, condition func(*corev1.Pod) bool) []*corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil || !condition(p) })
}

// First returns the first pod that Where would, and fails the spec if there is none (any more): what a spec goes on with may be gone since it looked.
func First(pods []*corev1.Pod, condition func(*corev1.Pod) bool) *corev1.Pod {
	ginkgo.GinkgoHelper()
	found := Where(pods, condition)
	if len(found) == 0 {
		ginkgo.Fail(fmt.Sprintf("the spec goes on with one of the DaemonSet's pods, and of the %d that it saw none is such a one that is not ending", len(pods)))
	}
	return found[0]
}

// Any is the condition that every pod satisfies.
func Any(*corev1.Pod) bool { return true }

// WithImage is the condition that some container of the pod's spec has the image.
func WithImage(image string) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool {
		return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Image == image })
	}
}

// Ready says whether the pod's condition Ready is True.
func Ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// Waiting is the condition that a container waits for one of the reasons (ImagePullBackOff, CrashLoopBackOff, …).
func Waiting(reasons ...string) func(*corev1.Pod) bool {
	return func(pod *corev1.Pod) bool {
		return slices.ContainsFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
			return c.State.Waiting != nil && slices.Contains(reasons, c.State.Waiting.Reason)
		})
	}
}

// Unschedulable is the condition that the scheduler found no room for the pod.
func Unschedulable(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
	})
}

// TargetNode is the node that the pod runs on or waits for: spec.nodeName, else the name that its required node affinity asks for
// (catalog, vocabulary). It is "" for a pod that has neither.
func TargetNode(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" {
		return pod.Spec.NodeName
	}
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil || pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return ""
	}
	for _, term := range pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, f := range term.MatchFields {
			if f.Key == "metadata.name" && f.Operator == corev1.NodeSelectorOpIn && len(f.Values) == 1 {
				return f.Values[0]
			}
		}
	}
	return ""
}

// describe shows a state in a few lines.
func describe(s State) string {
	var b strings.Builder
	if ds := s.DaemonSet; ds != nil {
		fmt.Fprintf(&b, "status: generation %d observed %d, desired %d current %d updated %d ready %d available %d misscheduled %d\n",
			ds.Generation, ds.Status.ObservedGeneration, ds.Status.DesiredNumberScheduled, ds.Status.CurrentNumberScheduled,
			ds.Status.UpdatedNumberScheduled, ds.Status.NumberReady, ds.Status.NumberAvailable, ds.Status.NumberMisscheduled)
	}
	const most = 20
	for i, pod := range s.Pods {
		if i == most {
			fmt.Fprintf(&b, "… and %d more pods\n", len(s.Pods)-most)
			break
		}
		fmt.Fprintf(&b, "pod %s on %s: %s\n", pod.Name, TargetNode(pod), podState(pod))
	}
	return b.String()
}

func podState(pod *corev1.Pod) string {
	words := []string{string(pod.Status.Phase)}
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Waiting != nil {
			words = append(words, c.State.Waiting.Reason)
		}
	}
	if Ready(pod) {
		words = append(words, "Ready")
	}
	if Unschedulable(pod) {
		words = append(words, "Unschedulable")
	}
	if pod.DeletionTimestamp != nil {
		words = append(words, "terminating")
	}
	words = append(words, "revision "+pod.Labels[appsv1.ControllerRevisionHashLabelKey])
	for _, c := range pod.Spec.Containers {
		words = append(words, c.Image)
	}
	return strings.Join(words, ", ")
}
