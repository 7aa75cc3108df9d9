package catalog

import (
	"fmt"
	"slices"
)

// Judged is the version of kube-controller-manager whose behaviour decides which promises are deviations.
const Judged = "1.36.3"

// KubeControllerManager is upstream's implementation, as named in deviations.
const KubeControllerManager = "kube-controller-manager"

// Level says how binding a behaviour, or a spec, is. The package documentation has the rule.
type Level string

// The levels, from the least binding.
const (
	Informative Level = "informative"
	Deviating   Level = "deviation"
	Extended    Level = "extended"
	Core        Level = "core"
)

// levels is in order of how binding they are, so that the level of a spec is a minimum.
var levels = []Level{Informative, Deviating, Extended, Core}

// Binding says whether every implementation has to keep promises of this level.
func (l Level) Binding() bool { return l != Informative }

// Need is something without which a behaviour cannot be shown. Each is a label of the specs that cover the behaviour.
type Need string

// The needs there are. Surge and Slow only help to select specs: any cluster has the first and can wait for the second. The others are
// optional: an environment may lack them.
const (
	// Surge is a DaemonSet with maxSurge, on by default since Kubernetes 1.22.
	Surge Need = "surge"
	// Slow is a proof that takes more than about half a minute, because of a time limit that a user cannot set.
	Slow Need = "slow"
	// Kubectl is a kubectl to run.
	Kubectl Need = "kubectl"
	// NodeChanges is the right to taint and cordon nodes and to write their status. Labels of the suite's own are not among it: without them
	// no spec gets a node.
	NodeChanges Need = "node-changes"
	// NodeAddRemove is a provider that adds and deletes nodes.
	NodeAddRemove Need = "node-add-remove"
	// NodeStop is a provider that can stop a node's kubelet and start it again.
	NodeStop Need = "node-stop"
	// StatusWrites is a cluster where the suite can write in a kubelet's place what a live one would write back, such as a pod's readiness and
	// its time. A pod's terminal phase is not among it: a kubelet leaves that.
	StatusWrites Need = "status-writes"
	// SimulatedClock is a cluster where the time that a node stamps on a pod's readiness can be set apart from the controller's clock.
	SimulatedClock Need = "simulated-clock"
	// ControllerRestart is a provider that can restart the implementation.
	ControllerRestart Need = "controller-restart"
	// PodRejection is a cluster where the suite can have a node's kubelet reject each pod it gets.
	PodRejection Need = "pod-rejection"
	// ImageLoad is a provider that can make an image available to nodes in the middle of a spec.
	ImageLoad Need = "image-load"
	// Upgrade is a provider that can replace the control plane by one of another version, and versions to replace it by.
	Upgrade Need = "upgrade"
	// Scale is a cluster of hundreds or thousands of nodes. Specs that need it are run only where LABELS names it.
	Scale Need = "scale"
	// AdmissionPolicies is the right to make admission policies, which hold for all of a cluster.
	AdmissionPolicies Need = "admission-policies"
)

// Needs returns all needs, in the order of the documentation.
func Needs() []Need {
	return []Need{Surge, Slow, Kubectl, NodeChanges, NodeAddRemove, NodeStop, StatusWrites, SimulatedClock, ControllerRestart, PodRejection, ImageLoad, Upgrade, Scale, AdmissionPolicies}
}

// Optional says whether an environment may lack what is needed, which makes a behaviour, or a spec, extended.
func (n Need) Optional() bool { return n != Surge && n != Slow }

// Behaviour is one numbered promise.
type Behaviour struct {
	// ID is the area's letter and a number, C-05. Ids are never used again for something else.
	ID string `json:"id"`
	// Area is filled in from the file.
	Area Area `json:"-"`
	// Level says how binding the promise is.
	Level Level `json:"level"`
	// Statement is the promise, one sentence in terms of what a user sees.
	Statement string `json:"statement"`
	// Since is the Kubernetes minor version that first keeps the promise without a feature gate, as "1.22"; empty if it is older than what the
	// catalog was read from, or does not matter.
	Since string `json:"since,omitempty"`
	// Needs is what every proof of the promise needs.
	Needs []Need `json:"needs,omitempty"`
	// Nodes is the least number of eligible nodes with which the promise can be seen to be kept or broken; 1 if the data says nothing.
	Nodes int `json:"nodes,omitempty"`
	// Sources say where the promise comes from.
	Sources []Source `json:"sources"`
	// Proves are the ids of the task page's statements that the behaviour proves, alone or with others.
	Proves []string `json:"proves,omitempty"`
	// Deviations are implementations known to break the promise.
	Deviations []Deviation `json:"deviations,omitempty"`
	// Free is why nobody else is held to a promise that upstream is known to break, empty if all are: the documentation can be read in
	// upstream's way too.
	Free string `json:"free,omitempty"`
	// Note is what the writer of a spec has to know: liberties, exceptions, what upstream does.
	Note string `json:"note,omitempty"`
	// Unproven is why no spec can show a binding promise; empty if one can.
	Unproven string `json:"unproven,omitempty"`
}

// Area is a group of behaviours, and a folder of the suite.
type Area struct {
	// Letter is the first of its behaviours' ids.
	Letter string
	// Name is the area's label, with "area:" before it.
	Name string
	// Title is a headline.
	Title string
}

// Deviation says that an implementation is known to break a promise.
type Deviation struct {
	// Implementation is a project's name, kube-controller-manager.
	Implementation string `json:"implementation"`
	// Versions is a range: comparisons that all hold, as ">=1.33 <1.37". For upstream the lower bound is the oldest version whose source was
	// read (1.30) unless the deviation is known to be younger.
	Versions string `json:"versions"`
	// Summary says what happens instead.
	Summary string `json:"summary"`
	// Invariants are those that a history of it may break, by id: what else its specs break is not excused.
	Invariants []string `json:"invariants,omitempty"`
	// Links are reports of it, or the code that does it.
	Links []Source `json:"links,omitempty"`
	// Reproduced says where we saw it ourselves; empty if we did not. A deviation has a link or was reproduced.
	Reproduced string `json:"reproduced,omitempty"`
}

// Statement is a sentence of the task page.
type Statement struct {
	// ID is S1 to S35, in the page's order.
	ID string `json:"id"`
	// Statement is what the page says, in our words.
	Statement string `json:"statement"`
	// In are the translations of the page that say it: ja, ko.
	In []string `json:"in"`
	// Note is where the page is not exact.
	Note string `json:"note,omitempty"`
	// Behaviours are the ids of the behaviours that prove it, in the catalog's order. It is filled in from their Proves.
	Behaviours []string `json:"-"`
}

// Excuse returns what excuses an implementation that breaks the promise, or nil: its known deviation, or, where everybody is free to do as
// upstream does, upstream's, with the reason for a summary, or that nobody promises it. implementation is empty for one that is not known to
// deviate in anything.
func (b Behaviour) Excuse(implementation, version string) (*Deviation, error) {
	d, err := b.DeviationOf(implementation, version)
	switch {
	case d != nil || err != nil:
		return d, err
	case !b.Level.Binding():
		return &Deviation{Summary: "no document promises it"}, nil
	case b.Free == "":
		return nil, nil
	}
	upstreams := b.Deviations[0]
	upstreams.Implementation, upstreams.Summary = "", b.Free
	return &upstreams, nil
}

// DeviationOf returns the known deviation of an implementation in a version ("1.36.3", with or without a v), or nil. The error says that
// the version cannot be read.
func (b Behaviour) DeviationOf(implementation, version string) (*Deviation, error) {
	for i := range b.Deviations {
		d := b.Deviations[i]
		if d.Implementation != implementation {
			continue
		}
		applies, err := inRange(d.Versions, version)
		if err != nil {
			return nil, fmt.Errorf("match the deviations of %s: %w", b.ID, err)
		}
		if applies {
			return &d, nil
		}
	}
	return nil, nil
}

// optional says whether an environment may lack something of what the behaviour needs.
func (b Behaviour) optional() bool { return slices.ContainsFunc(b.Needs, Need.Optional) }
