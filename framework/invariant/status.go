package invariant

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"rollcall.dev/framework/history"
)

// statusArithmetic is M-14. All counters are written together, so it holds in every single event; what the suite itself writes
// into the status is its own business.
var statusArithmetic = Invariant{
	ID:        "M-14",
	Statement: "in every status the counters agree with each other",
	watch: func(r *replay) hooks {
		told := map[*roll]string{}
		return hooks{daemonSet: func(ro *roll, o, before *appsv1.DaemonSet) {
			wrong := arithmetic(&o.Status)
			if wrong == told[ro] {
				return
			}
			if wrong != "" && r.suiteWroteStatus(ro) {
				return
			}
			told[ro] = wrong
			if wrong == "" {
				return
			}
			r.report("M-14", ro.daemonSet, refs(ro.ref()), nil, "the status of DaemonSet %s at %s says %s", ro.name, clock(r.at), wrong)
		}}
	},
}

// arithmetic returns what does not add up in a status, or nothing (catalog G-02).
func arithmetic(s *appsv1.DaemonSetStatus) string {
	type rule struct {
		ok   bool
		text string
	}
	for _, c := range []rule{
		{s.NumberAvailable+s.NumberUnavailable == s.DesiredNumberScheduled, fmt.Sprintf(
			"numberAvailable %d and numberUnavailable %d, which do not add up to desiredNumberScheduled %d",
			s.NumberAvailable, s.NumberUnavailable, s.DesiredNumberScheduled)},
		{s.NumberAvailable >= 0, fmt.Sprintf("numberAvailable %d", s.NumberAvailable)},
		{s.NumberUnavailable >= 0, fmt.Sprintf("numberUnavailable %d", s.NumberUnavailable)},
		{s.NumberMisscheduled >= 0, fmt.Sprintf("numberMisscheduled %d", s.NumberMisscheduled)},
		{s.UpdatedNumberScheduled >= 0, fmt.Sprintf("updatedNumberScheduled %d", s.UpdatedNumberScheduled)},
		{s.NumberAvailable <= s.NumberReady, fmt.Sprintf(
			"numberAvailable %d, more than numberReady %d", s.NumberAvailable, s.NumberReady)},
		{s.NumberReady <= s.CurrentNumberScheduled, fmt.Sprintf(
			"numberReady %d, more than currentNumberScheduled %d", s.NumberReady, s.CurrentNumberScheduled)},
		{s.CurrentNumberScheduled <= s.DesiredNumberScheduled, fmt.Sprintf(
			"currentNumberScheduled %d, more than desiredNumberScheduled %d", s.CurrentNumberScheduled, s.DesiredNumberScheduled)},
		{s.UpdatedNumberScheduled <= s.CurrentNumberScheduled, fmt.Sprintf(
			"updatedNumberScheduled %d, more than currentNumberScheduled %d", s.UpdatedNumberScheduled, s.CurrentNumberScheduled)},
	} {
		if !c.ok {
			return c.text
		}
	}
	return ""
}

// suiteWroteStatus says whether the event may show a status that the suite wrote.
func (r *replay) suiteWroteStatus(ro *roll) bool {
	for _, one := range r.acts.all {
		if one.start < r.seq && strings.Contains(one.Verb, "status") && one.aimedAt(history.DaemonSets, ro.namespace, ro.name) &&
			(one.end < 0 || one.end > r.seq || !r.at.After(one.endAt.Add(skew))) {
			return true
		}
	}
	return false
}

// suiteMade says whether a pod may be one that the suite created itself, or left behind for the DaemonSet to adopt.
func (r *replay) suiteMade(p *pod) bool {
	if r.acts.held[history.PodsForeign] {
		return true
	}
	for _, one := range r.acts.all {
		foreign := one.disturbs(history.PodsForeign)
		makes := strings.HasPrefix(one.Verb, "create") && one.Object.Resource == history.Pods
		if one.start > r.seq || !foreign && !makes || !one.reaches(p) {
			continue
		}
		// An act that names no pod, such as a deletion that orphans, excuses those that were adopted and those that came while it went on.
		named := one.Object.Resource == history.Pods && one.Object.Name != ""
		meanwhile := one.start < p.first && (one.end < 0 || !r.entries[p.first].At.After(one.endAt.Add(skew)))
		if named || foreign && p.adopted || meanwhile {
			return true
		}
	}
	return false
}
