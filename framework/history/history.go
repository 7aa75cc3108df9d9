// Package history keeps what happened to a DaemonSet: every watch event of the pods, DaemonSets, ControllerRevisions and
// nodes that matter to a spec, in the order in which they were delivered, plus the suite's own acts. A history is plain data:
// package invariant judges it without a cluster, and a saved one gives the same verdict as a fresh one.
package history

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Resource names a recorded stream, in the plural that the API server uses.
type Resource string

// The recorded streams. Within one of them the order of entries is the API server's; between two it is the order of arrival,
// which proves nothing (resourceVersions are comparable only within one resource).
const (
	Pods                Resource = "pods"
	DaemonSets          Resource = "daemonsets"
	ControllerRevisions Resource = "controllerrevisions"
	Nodes               Resource = "nodes"
)

// Type says what an entry is.
type Type string

const (
	// Listed is an object of the first list: it existed when the recording began.
	Listed Type = "LISTED"
	// Added, Modified and Deleted are watch events. The object of Deleted is its last state.
	Added    Type = "ADDED"
	Modified Type = "MODIFIED"
	Deleted  Type = "DELETED"
	// Acted is something that the suite did: Entry.Act is set.
	Acted Type = "ACT"
	// Gapped says that events of Entry.Resource may be missing before this entry: Entry.Gap is set.
	Gapped Type = "GAP"
	// Barred says that every stream has delivered all that happened before this entry.
	Barred Type = "BARRIER"
)

// Entry is one line of a history. Exactly one of Pod, DaemonSet, ControllerRevision, Node, Act and Gap is set, none for a barrier.
type Entry struct {
	// Seq is the entry's position, from 0.
	Seq int `json:"seq"`
	// At is when the entry arrived, on the recorder's clock.
	At       time.Time `json:"at"`
	Type     Type      `json:"type"`
	Resource Resource  `json:"resource,omitempty"`

	Pod                *corev1.Pod                `json:"pod,omitempty"`
	DaemonSet          *appsv1.DaemonSet          `json:"daemonSet,omitempty"`
	ControllerRevision *appsv1.ControllerRevision `json:"controllerRevision,omitempty"`
	Node               *corev1.Node               `json:"node,omitempty"`
	Act                *Act                       `json:"act,omitempty"`
	Gap                *Gap                       `json:"gap,omitempty"`
}

// Act is something that the suite did, or had done, to the cluster. It is recorded twice, before the request is sent and
// after it was answered: its effect appears somewhere after the first of the two.
type Act struct {
	// ID ties the two records of one act together.
	ID int `json:"id"`
	// Done is false on the record before the request, true on the one after the answer.
	Done bool `json:"done"`
	// Verb is a short word for the timeline: create, update, delete, evict, cordon, taint, label, stop node.
	Verb string `json:"verb"`
	// Object is what the act was aimed at.
	Object Reference `json:"object"`
	// Disturbs lists what the act makes possible that no controller is to blame for.
	Disturbs []Disturbance `json:"disturbs,omitempty"`
	// Note is one line for a person: "image v2.5.2 → v2.6.0".
	Note string `json:"note,omitempty"`
	// Error is what the API server answered, on the record after the answer.
	Error string `json:"error,omitempty"`
}

// Reference names an object. UID may be empty where it is not known.
type Reference struct {
	Resource  Resource  `json:"resource,omitempty"`
	Namespace string    `json:"namespace,omitempty"`
	Name      string    `json:"name,omitempty"`
	UID       types.UID `json:"uid,omitempty"`
}

// Disturbance is a kind of outside influence. A spec declares those it makes, in its acts or for its whole history;
// an invariant says under which of them it does not hold.
type Disturbance string

const (
	// PodsDeleted: somebody other than the controller deletes or evicts pods.
	PodsDeleted Disturbance = "pods-deleted"
	// PodsFailed: pods turn Failed or Succeeded (rejected by the node, evicted by the kubelet, written by the spec).
	PodsFailed Disturbance = "pods-failed"
	// PodsEdited: pods or their labels are changed in place.
	PodsEdited Disturbance = "pods-edited"
	// PodsForeign: somebody else creates pods that match the selector, or orphans are there to be adopted.
	PodsForeign Disturbance = "pods-foreign"
	// ReadinessFlaps: pods lose readiness without being replaced (crash loops, failing probes, a NotReady node).
	ReadinessFlaps Disturbance = "readiness-flaps"
	// NodesChanged: nodes join, leave, are tainted, cordoned or relabelled, so that the set of eligible nodes may change.
	NodesChanged Disturbance = "nodes-changed"
	// NodesDown: kubelets stop, so that pods neither start nor finish there.
	NodesDown Disturbance = "nodes-down"
	// ClockSkewed: a node's clock is not the control plane's.
	ClockSkewed Disturbance = "clock-skewed"
	// StrategyChanged: the update strategy or minReadySeconds changes while a rollout is under way.
	StrategyChanged Disturbance = "strategy-changed"
	// RapidUpdates: the template changes again before the previous rollout finished.
	RapidUpdates Disturbance = "rapid-updates"
	// PlacementChanged: the template's node selector, affinity or tolerations change.
	PlacementChanged Disturbance = "placement-changed"
	// RevisionsEdited: ControllerRevisions are created, changed or deleted by somebody other than the controller.
	RevisionsEdited Disturbance = "revisions-edited"
	// ControllerRestarted: the controller, or the API server or etcd it works through, is restarted or paused.
	ControllerRestarted Disturbance = "controller-restarted"
	// CreationRefused: quota, admission or a dying namespace refuses new pods.
	CreationRefused Disturbance = "creation-refused"
	// DeletionRefused: admission refuses to delete pods.
	DeletionRefused Disturbance = "deletion-refused"
	// DaemonSetDeleted: the DaemonSet is deleted, or deleted and created again under its name.
	DaemonSetDeleted Disturbance = "daemonset-deleted"
)

// Gap says that the recorder cannot prove that it saw everything: the spec's verdict is inconclusive, never passed or failed.
type Gap struct {
	// After is the last resourceVersion that was seen before the gap.
	After string `json:"after,omitempty"`
	// Reason is one line: "410 Gone", "the stream ended before the barrier".
	Reason string `json:"reason"`
}

// History is a recording, whole or so far.
type History struct {
	Header  Header  `json:"header"`
	Entries []Entry `json:"-"`
}

// Header is the first line of a saved history: what a judge needs to know besides the entries.
type Header struct {
	// Format is the version of this layout, now 1.
	Format int `json:"format"`
	// Spec is the full text of the spec.
	Spec string `json:"spec"`
	// Namespace is the spec's own.
	Namespace string `json:"namespace"`
	// Implementation names what is judged: "kube-controller-manager v1.36.3".
	Implementation string    `json:"implementation,omitempty"`
	Provider       string    `json:"provider,omitempty"`
	Seed           int64     `json:"seed,omitempty"`
	Began          time.Time `json:"began"`
	// TimeoutFactor is what TIMEOUT_FACTOR multiplied the suite's time limits by, 0 for 1.
	TimeoutFactor float64 `json:"timeoutFactor,omitempty"`
	// LeasedNodes are the nodes that the spec may use, empty for all of them.
	LeasedNodes []string `json:"leasedNodes,omitempty"`
	// Disturbances hold for the whole history. Those of an act hold from its first record on.
	Disturbances []Disturbance `json:"disturbances,omitempty"`
}

// Complete returns nil if nothing can be missing: no gap, and a barrier at the end of the watch events.
// Otherwise it returns the first reason why something may be.
func (h *History) Complete() *Gap {
	barred := false
	for i := range h.Entries {
		switch e := &h.Entries[i]; e.Type {
		case Gapped:
			return e.Gap
		case Barred:
			barred = true
		}
	}
	if !barred {
		return &Gap{Reason: "the recording ended without a barrier"}
	}
	return nil
}
