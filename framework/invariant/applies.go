package invariant

import "rollcall.dev/framework/history"

// What an invariant needs to find in a history to be judged on it. The text says what is missing.

func needsSurge(r *replay) string {
	if r.anyVersion((*version).surges) {
		return ""
	}
	return "no DaemonSet has maxSurge"
}

func needsNoSurge(r *replay) string {
	if r.anyVersion(func(v *version) bool { return !v.surges() }) {
		return ""
	}
	return "every DaemonSet has maxSurge"
}

func needsRollback(r *replay) string {
	for _, ds := range r.sets {
		for _, v := range ds.versions {
			if ds.rolledBack(v) {
				return ""
			}
		}
	}
	return "no DaemonSet returned to an earlier template"
}

func needsRapidUpdates(r *replay) string {
	for _, ds := range r.sets {
		if ds.rapid() {
			return ""
		}
	}
	return "no template was replaced before it was observed"
}

func needsRestart(r *replay) string {
	if r.acts.held[history.ControllerRestarted] {
		return ""
	}
	for _, one := range r.acts.all {
		if one.disturbs(history.ControllerRestarted) {
			return ""
		}
	}
	return "nothing was restarted"
}

func needsEnd(r *replay) string {
	for _, ds := range r.sets {
		if ds.ending < len(r.entries) {
			return ""
		}
	}
	return "no DaemonSet was deleted"
}

func needsTwo(r *replay) string {
	if len(r.sets) > 1 {
		return ""
	}
	return "there is one DaemonSet only"
}

func needsAMinute(r *replay) string {
	if n := len(r.entries); n > 0 && r.entries[n-1].At.Sub(r.entries[0].At) > patience {
		return ""
	}
	return "the history is no longer than a minute"
}

func (r *replay) anyVersion(is func(*version) bool) bool {
	for _, ds := range r.sets {
		for _, v := range ds.versions {
			if is(v) {
				return true
			}
		}
	}
	return false
}
