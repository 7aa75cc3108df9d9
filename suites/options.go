package suites

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/cluster/existing"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/report"
)

// Options say what is judged, and where. Only the cluster is required. Which specs run, in which order and on how many processes is
// Ginkgo's business: -ginkgo.focus, -ginkgo.label-filter, -ginkgo.seed, ginkgo -procs.
type Options struct {
	// Kubeconfig is the file that reaches the cluster, or several of them as KUBECONFIG has them.
	Kubeconfig string
	// Cluster is given in place of Kubeconfig if the cluster is a provider's of framework/cluster: specs may use what such a cluster can do.
	Cluster cluster.State
	// Kubectl is the program, best of the cluster's own version; by default the one in PATH.
	Kubectl string
	// Implementation names what is judged. A field that is empty here is taken from IMPLEMENTATION_ORGANIZATION, _PROJECT, _URL, _VERSION
	// or _CONTACT; project and version are kube-controller-manager's and the cluster's if nobody names them.
	Implementation report.Implementation
	// Deviations names the implementation whose known deviations do not fail a spec: kube-controller-manager, or none if it is empty.
	Deviations string
	// Artifacts is the folder that the report, the page, JUnit's file and the histories are written to; by default _artifacts. What an
	// earlier run has left there goes.
	Artifacts string
	// TimeoutFactor multiplies every time limit; by default 1.
	TimeoutFactor float64
	// Reproduce is the command that repeats the run, for the report; by default go test or ginkgo with the test that called Run.
	Reproduce string

	// launched says that make e2e has checked all this, planned the run, and will write the report, however the run ends.
	launched bool
	// controller is the command line of what is judged, empty for what the cluster runs by itself.
	controller string
	// shard is which share of the specs runs, beside those that have the others. nil: all.
	shard *report.Shard
	// commit is the suite's.
	commit string
	// disturbed is what is done to the cluster during the whole run besides the specs' acts.
	disturbed []history.Disturbance
	// cutWatches ends every watch of the suite's own about so long after it began; 0 leaves them alone.
	cutWatches time.Duration
}

// complete fills in what has a default, and returns a line for each thing that cannot be. It does not reach for the cluster.
func (o Options) complete() (Options, error) {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	o.TimeoutFactor = cmp.Or(o.TimeoutFactor, 1)
	if o.TimeoutFactor < 0 {
		problem("TimeoutFactor is %v: it must be greater than 0", o.TimeoutFactor)
	}
	if o.Deviations != "" && o.Deviations != catalog.KubeControllerManager {
		problem("Deviations is %q: it must be %q or empty", o.Deviations, catalog.KubeControllerManager)
	}
	i, environment := &o.Implementation, report.IdentityFrom(os.Getenv)
	i.Organization, i.Project = cmp.Or(i.Organization, environment.Organization), cmp.Or(i.Project, environment.Project)
	i.URL, i.Version = cmp.Or(i.URL, environment.URL), cmp.Or(i.Version, environment.Version)
	if len(i.Contact) == 0 {
		i.Contact = environment.Contact
	}

	described := o.Cluster.Kubeconfig != ""
	switch {
	case described && o.Kubeconfig != "":
		problem("Kubeconfig and Cluster are both given: one of them says which cluster is judged")
	case !described && o.Kubeconfig == "":
		problem("Kubeconfig is empty: it must be the path of a kubeconfig, for the cluster that is judged")
	case !described:
		if err := existing.CheckKubeconfig(o.Kubeconfig); err != nil {
			problems = append(problems, err)
		}
	}
	if o.Kubectl = cmp.Or(o.Kubectl, o.Cluster.Kubectl, "kubectl"); !o.launched {
		path, err := exec.LookPath(o.Kubectl)
		if err != nil {
			problem("Kubectl: there is no program %s; specs of kubectl's words and of the task page run it", o.Kubectl)
		}
		o.Kubectl = path
	}
	var err error
	if o.Artifacts, err = filepath.Abs(cmp.Or(o.Artifacts, "_artifacts")); err != nil {
		problem("Artifacts: %w", err)
	}
	return o, errors.Join(problems...)
}

// open asks the cluster what it is and whether the suite can run there.
func (o Options) open(ctx context.Context) (cluster.State, error) {
	if o.launched {
		return o.Cluster, nil
	}
	state := o.Cluster
	var err error
	if o.Kubeconfig != "" {
		state, err = existing.Describe(ctx, o.Kubeconfig, false)
	} else {
		_, err = cluster.Examine(ctx, state, false)
	}
	state.Kubectl = o.Kubectl
	return state, err
}
