package invariant

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// pinnedForLife is M-06. Pods that the DaemonSet adopted were made by somebody else and need no pinning.
var pinnedForLife = Invariant{
	ID:        "M-06",
	Statement: "a pod belongs to one node from its first event to its last",
	watch: func(r *replay) hooks {
		judge := func(ro *roll, p *pod, before *corev1.Pod) {
			if p.adopted || r.suiteMade(p) {
				return
			}
			pinned, bound := pinnedNode(p.object), p.object.Spec.NodeName
			switch {
			case before != nil && pinnedNode(before) != pinned:
				r.report("M-06", ro.daemonSet, refs(p.ref(), ro.ref()), []int{p.first},
					"pod %s was pinned to %q and at %s to %q", p.name(), pinnedNode(before), clock(r.at), pinned)
			case before != nil && before.Spec.NodeName != "" && before.Spec.NodeName != bound:
				r.report("M-06", ro.daemonSet, refs(p.ref(), ro.ref()), []int{p.first},
					"pod %s was bound to %q and at %s to %q", p.name(), before.Spec.NodeName, clock(r.at), bound)
			case pinned != "" && bound != "" && pinned != bound && (before == nil || before.Spec.NodeName == ""):
				r.report("M-06", ro.daemonSet, refs(p.ref(), nodeRef(pinned), nodeRef(bound), ro.ref()), []int{p.first},
					"pod %s is pinned to %s and was bound to %s at %s", p.name(), pinned, bound, clock(r.at))
			}
		}
		return hooks{
			added:   func(ro *roll, p *pod) { judge(ro, p, nil) },
			changed: judge,
		}
	},
}

// completeFromBirth is M-07. Pods that were there before the recording, and those that somebody else made, are not judged.
var completeFromBirth = Invariant{
	ID: "M-07",
	Statement: "a pod bears its controller, its revision, the selector's labels and its node from its first event on; " +
		"no bare pod is labelled later",
	Lifted: []history.Disturbance{history.PodsForeign},
	watch: func(r *replay) hooks {
		return hooks{added: func(ro *roll, p *pod) {
			if p.listed || r.suiteMade(p) || p.adopted && !p.bornBare || ro.object == nil ||
				r.touched(r.seq, p, history.PodsEdited, history.DaemonSetDeleted) {
				return
			}
			var lacks []string
			if p.adopted {
				lacks = append(lacks, "a controller")
			}
			if p.hash == "" {
				lacks = append(lacks, "the label "+appsv1.DefaultDaemonSetUniqueLabelKey)
			}
			for key, value := range ro.object.Spec.Selector.MatchLabels {
				if p.object.Labels[key] != value {
					lacks = append(lacks, "the label "+key+"="+value)
				}
			}
			if pinnedNode(p.object) == "" {
				lacks = append(lacks, "a required node affinity to metadata.name")
			}
			if len(lacks) == 0 {
				return
			}
			r.report("M-07", ro.daemonSet, refs(p.ref(), ro.ref()), nil, "pod %s was created at %s without %s",
				p.name(), clock(p.object.CreationTimestamp.Time), strings.Join(lacks, " and "))
		}}
	},
}
