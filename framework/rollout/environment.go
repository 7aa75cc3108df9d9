// Package rollout is what a spec is written with: a namespace, leased nodes and a recorder around it, acts that go into the
// history, and matchers that wait for a state on the watch.
package rollout

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/kubectl"
)

// Environment is what all specs of a run share.
type Environment struct {
	// Run is the run's id: on every object that the run creates.
	Run string
	// Seed of everything random.
	Seed int64
	// Provider is the cluster. Optional abilities are asked for by type assertion.
	Provider cluster.Provider
	Config   *rest.Config
	Client   kubernetes.Interface
	// Kubectl is aimed at the cluster.
	Kubectl kubectl.Kubectl
	// Artifacts is the folder for reports.
	Artifacts string
	// TimeoutFactor multiplies every time limit.
	TimeoutFactor float64
	// Deviations names the implementation whose known deviations do not fail a spec, "" for none.
	Deviations string
	// Disturbances are what is done to the cluster during the whole run, besides the specs' acts.
	Disturbances []history.Disturbance
	// Implementation names what is judged.
	Implementation string
	// Sharded says that other runs use the cluster at the same time, which the node leases have to be shared with (cluster.JoinShards).
	Sharded bool
}

// environment is set once, before the first spec runs.
var environment *Environment

// Use makes e the environment of all specs. It is called in a BeforeSuite.
func Use(e *Environment) { environment = e }

// Time limits. Each is a promise of its own in the catalog (M-19) and is multiplied by TIMEOUT_FACTOR.
const (
	// rolloutBase and rolloutPerNode limit a whole rollout.
	rolloutBase    = 2 * time.Minute
	rolloutPerNode = 30 * time.Second
	// reaction limits a single step at rest: a pod is recreated, a new node gets its pod.
	reaction = time.Minute
	// request limits one API request or kubectl command that does not wait for anything.
	request = 30 * time.Second
)

// patience scales a time limit.
func (e *Environment) patience(limit time.Duration) time.Duration {
	return time.Duration(math.Ceil(float64(limit) * e.TimeoutFactor))
}

// cleaning limits the removal of what a spec has on so many nodes.
func (e *Environment) cleaning(nodes int) time.Duration {
	return e.patience(5*time.Minute + time.Duration(nodes)*200*time.Millisecond)
}

// historyFile is where a spec's history goes: a repetition (REPEAT) leaves those before it alone, for the report may be about one of them.
func (e *Environment) historyFile(spec string) string {
	file := func(name string) string { return filepath.Join(e.Artifacts, "histories", name+".jsonl.zst") }
	path := file(spec)
	for n := 2; ; n++ {
		if _, err := os.Lstat(path); err != nil {
			return path
		}
		path = file(fmt.Sprintf("%s-%d", spec, n))
	}
}
