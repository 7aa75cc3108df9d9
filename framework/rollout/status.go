package rollout

import (
	"fmt"

	"github.com/onsi/gomega/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/invariant"
)

// HaveStatus matches when the newest spec is observed and the condition holds of the status; what names it in a failure.
func HaveStatus(what string, condition func(appsv1.DaemonSetStatus) bool) types.GomegaMatcher {
	return Match("have a status of "+what, func(s State) string {
		switch why := notObserved(s); {
		case why != "":
			return why
		case !condition(s.DaemonSet.Status):
			return "has another one"
		}
		return ""
	})
}

// HaveExactStatus matches when the newest spec is observed and every counter of the status is what counting nodes and pods gives
// (catalog G-01). updated says which pods run the newest template. Every node that the DaemonSet could use has to be leased, and
// minReadySeconds to be 0: how long a pod has been Ready is a question of clocks.
func HaveExactStatus(updated func(*corev1.Pod) bool) types.GomegaMatcher {
	return Match("have a status that equals a count of its nodes and pods", func(s State) string {
		if why := notObserved(s); why != "" {
			return why
		}
		want, got := count(s, updated), counters(s.DaemonSet.Status)
		for i, c := range got {
			if c.value != want[i].value {
				return fmt.Sprintf("has %s %d instead of %d", c.name, c.value, want[i].value)
			}
		}
		return ""
	})
}

type counter struct {
	name  string
	value int32
}

func counters(s appsv1.DaemonSetStatus) []counter {
	return []counter{
		{"desiredNumberScheduled", s.DesiredNumberScheduled}, {"currentNumberScheduled", s.CurrentNumberScheduled},
		{"numberMisscheduled", s.NumberMisscheduled}, {"numberReady", s.NumberReady}, {"numberAvailable", s.NumberAvailable},
		{"numberUnavailable", s.NumberUnavailable}, {"updatedNumberScheduled", s.UpdatedNumberScheduled},
	}
}

// count is the status that the nodes and pods themselves give.
func count(s State, updated func(*corev1.Pod) bool) []counter {
	var status appsv1.DaemonSetStatus
	for _, node := range s.Nodes {
		var here, ready, current bool
		for _, pod := range s.Pods {
			ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
			if TargetNode(pod) != node.Name || pod.DeletionTimestamp != nil && ended {
				continue
			}
			here = true
			ready = ready || Ready(pod)
			current = current || updated(pod)
		}
		eligible, _ := invariant.Eligible(&s.DaemonSet.Spec.Template, node)
		if !eligible {
			status.NumberMisscheduled += one(here)
			continue
		}
		status.DesiredNumberScheduled++
		status.CurrentNumberScheduled += one(here)
		status.NumberReady += one(ready)
		status.UpdatedNumberScheduled += one(current)
	}
	status.NumberAvailable = status.NumberReady
	status.NumberUnavailable = status.DesiredNumberScheduled - status.NumberAvailable
	return counters(status)
}

func one(yes bool) int32 {
	if yes {
		return 1
	}
	return 0
}
