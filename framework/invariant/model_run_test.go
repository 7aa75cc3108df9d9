package invariant

import (
	"flag"
	"fmt"
	"math/rand"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

var (
	seed   = flag.Int64("seed", 1, "of the first generated history; fixed, so that the project's own tests do not differ from run to run")
	rounds = flag.Int("rounds", 20, "how many histories to generate for each strategy; more of them, with other seeds, look further")
)

func TestGeneratedRolloutsAreLegal(t *testing.T) {
	t.Logf("seed %d", *seed)
	for i := range *rounds {
		for _, strategy := range []string{"RollingUpdate", "surge", "OnDelete"} {
			at := *seed + int64(i)
			m := newModel(at, sound, strategy == "surge", strategy == "OnDelete")
			m.brisk = i%2 == 0
			h := m.run().end()
			for _, played := range []*history.History{h, apart(h, at)} {
				for _, v := range Judge(played).Violations {
					t.Errorf("%s, seed %d: %s", strategy, at, Explain(played, v))
				}
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

// flawed is how many histories each flaw is looked for in. Not every one of them gives it an occasion.
const flawed = 10

func TestFlawsAreCaught(t *testing.T) {
	for _, c := range []struct {
		flaw     flaw
		strategy string
		want     string // any of these
		atLeast  int    // of 10 histories
	}{
		{budgetPlusOne, "RollingUpdate", "M-02", 6},
		{budgetIgnored, "RollingUpdate", "M-02 M-18", 8},
		{percentUnbounded, "RollingUpdate", "M-02", 1},
		{brokenNotCounted, "RollingUpdate", "M-02", 1},
		{createTooEarly, "RollingUpdate", "M-01", 10},
		{createTooEarly, "OnDelete", "M-01", 1},
		{minReadyIgnored, "RollingUpdate", "M-02 M-18", 2},
		{minReadyIgnored, "surge", "M-03", 2},
		{surgeOnReady, "surge", "M-03", 10},
		{surgeLimitIgnored, "surge", "M-04", 8},
		{thirdPod, "surge", "M-05", 8},
		{onDeleteRolls, "OnDelete", "M-11", 10},
		{restartsCurrent, "RollingUpdate", "M-10 M-11", 8},
		{staleTemplate, "RollingUpdate", "M-09", 8},
		{wrongImage, "RollingUpdate", "M-08", 10},
		{forceDelete, "RollingUpdate", "M-12", 10},
		{writesSpec, "RollingUpdate", "M-13", 6},
		{statusLies, "RollingUpdate", "M-14", 10},
		{observedFalls, "RollingUpdate", "M-15", 8},
		{revisionReused, "RollingUpdate", "M-16", 6},
		{bareFirst, "RollingUpdate", "M-07", 10},
		{wrongNode, "RollingUpdate", "M-06", 10},
	} {
		t.Run(fmt.Sprintf("%s, %s", c.flaw, c.strategy), func(t *testing.T) {
			caught, blurred, others := 0, 0, map[string]int{}
			for i := range int64(flawed) {
				m := newModel(*seed+i, c.flaw, c.strategy == "surge", c.strategy == "OnDelete")
				m.brisk = i%2 == 0
				h := m.run().end()
				for _, v := range Judge(apart(h, i)).Violations {
					if slices.Contains(strings.Fields(c.want), v.Invariant) {
						blurred++
						break
					}
				}
				hit := false
				for _, v := range Judge(h).Violations {
					if slices.Contains(strings.Fields(c.want), v.Invariant) {
						hit = true
					} else {
						others[v.Invariant]++
					}
				}
				if hit {
					caught++
				}
			}
			if caught < c.atLeast {
				t.Errorf("seed %d: caught in %d of 10 histories by %s, want at least %d (others: %v)", *seed, caught, c.want, c.atLeast, others)
			}
			t.Logf("caught in %d of 10 by %s, in %d with the streams apart, also %v", caught, c.want, blurred, others)
		})
	}
}

func TestFlawAfterTheEnd(t *testing.T) {
	m := newModel(*seed, createsAfterEnd, false, false)
	m.settle(300)
	m.act("delete", refOf(m.ds), []history.Disturbance{history.DaemonSetDeleted}, func() {
		at := metav1.NewTime(m.second().Time)
		m.ds.DeletionTimestamp, m.ds.Finalizers = &at, []string{"foregroundDeletion"}
		m.emitSet(history.Modified, m.ds)
	})
	m.settle(50)
	p := m.pods[0]
	m.act("delete", podRef(p), []history.Disturbance{history.PodsDeleted}, func() { m.del(p); m.terminate(p) })
	m.settle(100)
	fails(t, m.film, "M-24")
}

// apart delays each stream by its own, changing lag of up to a second and a half, as separate watches on a busy machine may be.
// Within a stream nothing changes places.
func apart(h *history.History, seed int64) *history.History {
	rnd := rand.New(rand.NewSource(seed))
	out := &history.History{Header: h.Header, Entries: slices.Clone(h.Entries)}
	lag := map[history.Resource]time.Duration{}
	last := map[history.Resource]time.Time{}
	for i := range out.Entries {
		e := &out.Entries[i]
		if e.Resource == "" || e.Type == history.Listed {
			continue
		}
		if rnd.Intn(8) == 0 {
			lag[e.Resource] = time.Duration(rnd.Intn(1500)) * time.Millisecond
		}
		e.At = e.At.Add(lag[e.Resource])
		if e.At.Before(last[e.Resource]) {
			e.At = last[e.Resource]
		}
		last[e.Resource] = e.At
	}
	sort.SliceStable(out.Entries, func(a, b int) bool {
		x, y := &out.Entries[a], &out.Entries[b]
		if x.Type == history.Barred || y.Type == history.Barred {
			return y.Type == history.Barred && x.Type != history.Barred
		}
		return x.At.Before(y.At)
	})
	for i := range out.Entries {
		out.Entries[i].Seq = i
	}
	return out
}
