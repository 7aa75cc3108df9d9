package rollout

import (
	"context"
	"fmt"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/framework/history"
)

// generations are the newest that the spec itself knows of its DaemonSets. The answer to a request comes before the watch event that
// shows its effect: an assertion must not be satisfied with what was there before the act that it follows.
type generations struct {
	mu    sync.Mutex
	known map[types.UID]int64
}

// note takes in the API server's answer to an act.
func (g *generations) note(ds *appsv1.DaemonSet) {
	if ds == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil {
		g.known = map[types.UID]int64{}
	}
	g.known[ds.UID] = max(g.known[ds.UID], ds.Generation)
}

// outdated says why a state cannot be judged yet, "" if it can: the watch is behind the spec's own knowledge of the DaemonSet.
func (g *generations) outdated(s State, ds *appsv1.DaemonSet) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case s.DaemonSet != nil && s.DaemonSet.Generation < g.known[s.DaemonSet.UID]:
		return fmt.Sprintf("generation %d has not been seen on the watch, only %d", g.known[s.DaemonSet.UID], s.DaemonSet.Generation)
	case s.DaemonSet == nil && g.known[ds.UID] > 0 && !knew(s.All, ds.UID):
		return "it has not been seen on the watch"
	}
	return ""
}

// knew says whether the DaemonSet was ever seen.
func knew(v history.View, uid types.UID) bool {
	for i := len(v.Entries) - 1; i >= 0; i-- {
		if ds := v.Entries[i].DaemonSet; ds != nil && ds.UID == uid {
			return true
		}
	}
	return false
}

// noteLive reads a DaemonSet that something else than this package has changed. One that is not there has nothing to be waited for.
func (r *R) noteLive(ctx context.Context, object history.Reference) {
	if object.Resource != history.DaemonSets || object.Name == "" {
		return
	}
	if ds, err := r.Client.AppsV1().DaemonSets(object.Namespace).Get(ctx, object.Name, metav1.GetOptions{}); err == nil {
		r.generations.note(ds)
	}
}
