package invariant

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"rollcall.dev/framework/history"
)

// Explain returns the text of a failure: the sentence, then the events that prove it in order, one line each, then the objects
// that it is about as short YAML, in the state that they had at that moment. An entry that the history does not have is left out.
func Explain(h *history.History, v Violation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nwhat happened:\n", v)
	previous := map[string]*corev1.Pod{}
	wanted := map[int]bool{}
	last := 0
	for _, seq := range v.Evidence {
		wanted[seq] = true
		last = max(last, seq)
	}
	states := map[string]any{}
	for i := range h.Entries {
		e := &h.Entries[i]
		if e.Seq > last {
			break
		}
		if wanted[e.Seq] {
			fmt.Fprintf(&b, "  %s  %s\n", clock(e.At), describe(e, previous))
		}
		switch {
		case e.Pod != nil:
			previous[string(e.Pod.UID)] = e.Pod
			states["pods/"+e.Pod.Namespace+"/"+e.Pod.Name] = e.Pod
		case e.DaemonSet != nil:
			states["daemonsets/"+e.DaemonSet.Namespace+"/"+e.DaemonSet.Name] = e.DaemonSet
		case e.ControllerRevision != nil:
			states["controllerrevisions/"+e.ControllerRevision.Namespace+"/"+e.ControllerRevision.Name] = e.ControllerRevision
		case e.Node != nil:
			states["nodes//"+e.Node.Name] = e.Node
		}
	}
	shown := false
	for _, ref := range v.Objects {
		state, ok := states[string(ref.Resource)+"/"+ref.Namespace+"/"+ref.Name]
		if !ok {
			continue
		}
		if !shown {
			b.WriteString("\nobjects:\n")
			shown = true
		}
		text, err := yaml.Marshal(short(state))
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "---\n%s", text)
	}
	return b.String()
}

// describe says in one line what an entry changed.
func describe(e *history.Entry, previous map[string]*corev1.Pod) string {
	switch {
	case e.Pod != nil:
		p := &pod{object: e.Pod}
		what := "changed"
		switch before := previous[string(e.Pod.UID)]; {
		case e.Type == history.Deleted:
			what = "is gone"
		case e.Type == history.Added:
			what = "was created"
		case e.Type == history.Listed || before == nil:
			what = "was there"
		case terminating(e.Pod) && !terminating(before):
			what = "was deleted"
		case dead(e.Pod) && !dead(before):
			what = "has stopped"
		case e.Pod.Spec.NodeName != before.Spec.NodeName:
			what = "was bound"
		default:
			_, was := readySince(before)
			if _, is := readySince(e.Pod); is != was && is {
				what = "became Ready"
			} else if is != was {
				what = "is no longer Ready"
			}
		}
		phase := string(e.Pod.Status.Phase)
		ready := "not ready"
		if _, is := readySince(e.Pod); is {
			ready = "ready"
		}
		if terminating(p.object) {
			ready += ", terminating"
		}
		return fmt.Sprintf("pod %-24s %-19s on %-12s %s, %s, revision %s", e.Pod.Name, what, targetNode(e.Pod), phase, ready,
			e.Pod.Labels[appsv1.DefaultDaemonSetUniqueLabelKey])
	case e.DaemonSet != nil:
		s := &e.DaemonSet.Status
		return fmt.Sprintf("DaemonSet %s: generation %d, observed %d, desired %d, current %d, updated %d, ready %d, available %d, unavailable %d",
			e.DaemonSet.Name, e.DaemonSet.Generation, s.ObservedGeneration, s.DesiredNumberScheduled, s.CurrentNumberScheduled,
			s.UpdatedNumberScheduled, s.NumberReady, s.NumberAvailable, s.NumberUnavailable)
	case e.ControllerRevision != nil:
		return fmt.Sprintf("ControllerRevision %s: %s, number %d", e.ControllerRevision.Name, strings.ToLower(string(e.Type)), e.ControllerRevision.Revision)
	case e.Node != nil:
		return fmt.Sprintf("node %s: %s", e.Node.Name, strings.ToLower(string(e.Type)))
	case e.Act != nil:
		return fmt.Sprintf("the suite: %s %s %s", e.Act.Verb, e.Act.Object.Name, e.Act.Note)
	default:
		return strings.ToLower(string(e.Type))
	}
}

// short keeps of an object what a reader of a violation needs.
func short(object any) map[string]any {
	switch o := object.(type) {
	case *corev1.Pod:
		out := map[string]any{"pod": o.Name, "uid": string(o.UID), "node": targetNode(o), "phase": string(o.Status.Phase),
			"revision": o.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]}
		var images []string
		for _, c := range o.Spec.Containers {
			images = append(images, c.Image)
		}
		out["images"] = images
		if since, ready := readySince(o); !since.IsZero() {
			out["ready"] = fmt.Sprintf("%t since %s", ready, clock(since))
		}
		if o.DeletionTimestamp != nil {
			out["deletionRequested"] = clock(requestTime(o, o.DeletionTimestamp.Time))
		}
		return out
	case *appsv1.DaemonSet:
		out := map[string]any{"daemonSet": o.Name, "uid": string(o.UID), "generation": o.Generation,
			"minReadySeconds": o.Spec.MinReadySeconds, "updateStrategy": o.Spec.UpdateStrategy, "status": o.Status}
		if o.DeletionTimestamp != nil {
			out["deletionTimestamp"] = clock(o.DeletionTimestamp.Time)
		}
		return out
	case *appsv1.ControllerRevision:
		return map[string]any{"controllerRevision": o.Name, "uid": string(o.UID), "revision": o.Revision,
			"hash": o.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]}
	case *corev1.Node:
		out := map[string]any{"node": o.Name}
		if len(o.Spec.Taints) > 0 {
			out["taints"] = o.Spec.Taints
		}
		return out
	default:
		return nil
	}
}
