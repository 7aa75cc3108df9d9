package report

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"rollcall.dev/framework/history"
	"rollcall.dev/framework/invariant"
)

// Budget is the line under a timeline: over time, how many eligible nodes have no available pod of a DaemonSet, and how many may.
// It is drawn, not judged: while pods start for the first time, or after a spec deleted some, a line above the budget breaks no promise.
type Budget struct {
	DaemonSet int          `json:"daemonSet"`
	Steps     []BudgetStep `json:"steps"`
}

// NoLimit is the Allowed of a DaemonSet with the strategy OnDelete.
const NoLimit = -1

// BudgetStep holds from At on. Allowed is maxUnavailable of Desired, percentages rounded up, and 0 where there is surge.
type BudgetStep struct {
	At                            int64
	Unavailable, Allowed, Desired int
}

// MarshalJSON writes [at, unavailable, allowed, desired].
func (s BudgetStep) MarshalJSON() ([]byte, error) {
	return json.Marshal([4]int64{s.At, int64(s.Unavailable), int64(s.Allowed), int64(s.Desired)})
}

// maxSteps bounds a budget line: more than a screen has pixels is of no use.
const maxSteps = 3000

// specStep is what a DaemonSet wants from an instant on.
type specStep struct {
	at       int64
	minReady int64 // milliseconds
	spec     *appsv1.DaemonSetSpec
	gone     bool
}

// placing says that a node is eligible for a DaemonSet from an instant on, or no longer.
type placing struct {
	at        int64
	daemonSet int
	lane      string
	eligible  bool
}

// readSpecs follows what each DaemonSet wants.
func (b *builder) readSpecs() {
	for i := range b.h.Entries {
		e := &b.h.Entries[i]
		if e.DaemonSet == nil {
			continue
		}
		ds := e.DaemonSet
		n, known := b.daemonSets[ds.UID]
		if !known {
			n = len(b.t.DaemonSets)
			b.daemonSets[ds.UID] = n
			b.t.DaemonSets = append(b.t.DaemonSets, ds.Name)
			b.specs = append(b.specs, nil)
		}
		step := specStep{at: b.at(e.At), minReady: int64(ds.Spec.MinReadySeconds) * 1000, spec: &ds.Spec, gone: e.Type == history.Deleted}
		if last := len(b.specs[n]) - 1; last < 0 || step.gone || !reflect.DeepEqual(b.specs[n][last].spec, step.spec) {
			b.specs[n] = append(b.specs[n], step)
		}
	}
}

// readNodes finds out when which node is eligible for which DaemonSet. What matters of a node are its labels and taints.
func (b *builder) readNodes() {
	nodes, eligible := map[string]*corev1.Node{}, make([]map[string]bool, len(b.specs))
	current := make([]*specStep, len(b.specs))
	next := make([]int, len(b.specs))
	judge := func(at int64, n int, name string) {
		node, step := nodes[name], current[n]
		is := false
		if node != nil && step != nil && !step.gone {
			is, _ = invariant.Eligible(&step.spec.Template, node)
		}
		if eligible[n] == nil {
			eligible[n] = map[string]bool{}
		}
		if eligible[n][name] != is {
			eligible[n][name] = is
			b.lane(name)
			b.places = append(b.places, placing{at, n, name, is})
		}
	}
	advance := func(at int64) {
		for n, steps := range b.specs {
			for next[n] < len(steps) && steps[next[n]].at <= at {
				before := current[n]
				current[n] = &steps[next[n]]
				next[n]++
				if before != nil && before.gone == current[n].gone && reflect.DeepEqual(before.spec.Template.Spec, current[n].spec.Template.Spec) {
					continue
				}
				for name := range nodes {
					judge(current[n].at, n, name)
				}
			}
		}
	}
	for i := range b.h.Entries {
		e := &b.h.Entries[i]
		if e.Node == nil {
			continue
		}
		at := b.at(e.At)
		advance(at)
		before, now := nodes[e.Node.Name], e.Node
		if e.Type == history.Deleted {
			now = nil
		} else if before != nil && reflect.DeepEqual(before.Labels, now.Labels) && reflect.DeepEqual(before.Spec.Taints, now.Spec.Taints) {
			continue
		}
		nodes[e.Node.Name] = now
		for n := range b.specs {
			judge(at, n, e.Node.Name)
		}
	}
	advance(b.t.Length)
}

// change is one thing that moves a budget line.
type change struct {
	at       int64
	lane     int
	delta    int  // available pods of the lane
	placed   bool // whether eligible says something
	eligible bool
	spec     *specStep
}

// budgets computes the lines of all DaemonSets.
func (b *builder) budgets() []Budget {
	changes := make([][]change, len(b.specs))
	for n := range b.specs {
		for i := range b.specs[n] {
			changes[n] = append(changes[n], change{at: b.specs[n][i].at, spec: &b.specs[n][i]})
		}
	}
	for _, p := range b.places {
		changes[p.daemonSet] = append(changes[p.daemonSet], change{at: p.at, lane: b.lanes[p.lane], placed: true, eligible: p.eligible})
	}
	for i := range b.t.Bars {
		bar := &b.t.Bars[i]
		for n, s := range bar.Segments {
			if bar.DaemonSet >= 0 && s.State == Available {
				changes[bar.DaemonSet] = append(changes[bar.DaemonSet], change{at: s.From, lane: bar.Lane, delta: 1})
				if until := bar.until(n); until < b.t.Length || bar.Gone || n+1 < len(bar.Segments) {
					changes[bar.DaemonSet] = append(changes[bar.DaemonSet], change{at: until, lane: bar.Lane, delta: -1})
				}
			}
		}
	}
	lines := []Budget{}
	for n := range changes {
		lines = append(lines, Budget{DaemonSet: n, Steps: thin(sweep(changes[n], len(b.t.Lanes)), b.t.Length)})
	}
	return lines
}

// sweep replays the changes of one DaemonSet. What happens in the same millisecond is one step.
func sweep(changes []change, lanes int) []BudgetStep {
	slices.SortStableFunc(changes, func(x, y change) int { return cmp.Compare(x.at, y.at) })
	available, eligible := make([]int, lanes), make([]bool, lanes)
	desired, unavailable := 0, 0
	var spec *specStep
	down := func(lane int) int {
		if eligible[lane] && available[lane] == 0 {
			return 1
		}
		return 0
	}
	var steps []BudgetStep
	for i, c := range changes {
		switch {
		case c.spec != nil:
			spec = c.spec
		default:
			before := down(c.lane)
			available[c.lane] += c.delta
			if c.placed && eligible[c.lane] != c.eligible {
				eligible[c.lane] = c.eligible
				desired++
				if !c.eligible {
					desired -= 2
				}
			}
			unavailable += down(c.lane) - before
		}
		if i+1 < len(changes) && changes[i+1].at == c.at {
			continue
		}
		step := BudgetStep{At: c.at, Unavailable: unavailable, Allowed: allowed(spec, desired), Desired: desired}
		if n := len(steps); n == 0 || steps[n-1].Unavailable != step.Unavailable || steps[n-1].Allowed != step.Allowed || steps[n-1].Desired != step.Desired {
			steps = append(steps, step)
		}
	}
	return steps
}

// allowed is how many nodes the strategy lets an update take down.
func allowed(step *specStep, desired int) int {
	if step == nil || step.gone || step.spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		return NoLimit
	}
	rolling := step.spec.UpdateStrategy.RollingUpdate
	if rolling == nil || rolling.MaxUnavailable == nil {
		return 1 // the API's default
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(rolling.MaxUnavailable, desired, true)
	if err != nil {
		return NoLimit
	}
	return n
}

// thin bounds the steps of a line. Of those that fall together it keeps the worst and the last, so that no peak disappears.
func thin(steps []BudgetStep, length int64) []BudgetStep {
	if len(steps) <= maxSteps {
		return steps
	}
	width := length/(maxSteps/2) + 1
	var out []BudgetStep
	for i := 0; i < len(steps); {
		worst, j := steps[i], i
		for ; j < len(steps) && steps[j].At/width == steps[i].At/width; j++ {
			if steps[j].Unavailable-steps[j].Allowed > worst.Unavailable-worst.Allowed {
				worst = steps[j]
			}
		}
		out = append(out, worst)
		if last := steps[j-1]; last.At > worst.At {
			out = append(out, last)
		}
		i = j
	}
	return out
}
