package invariant

import (
	"fmt"
	"math/rand"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

// flaw is one way in which the model's controller can be broken.

type flaw string

const (
	sound             flaw = ""
	budgetPlusOne     flaw = "the budget is exceeded by one"
	budgetIgnored     flaw = "the budget is ignored"
	brokenNotCounted  flaw = "unavailable old pods are not counted"
	createTooEarly    flaw = "the successor comes while the predecessor terminates"
	minReadyIgnored   flaw = "minReadySeconds is ignored"
	surgeOnReady      flaw = "with surge the old pod goes before the new one is available"
	surgeLimitIgnored flaw = "the surge limit is ignored"
	thirdPod          flaw = "a third active pod comes"
	onDeleteRolls     flaw = "OnDelete behaves as RollingUpdate"
	restartsCurrent   flaw = "up-to-date pods are restarted"
	staleTemplate     flaw = "pods are made from an outdated template"
	wrongImage        flaw = "the hash is current but the image is not"
	forceDelete       flaw = "deletion without a grace period"
	writesSpec        flaw = "the controller annotates its DaemonSet"
	statusLies        flaw = "the status does not add up"
	revisionReused    flaw = "the revision's data are overwritten"
	createsAfterEnd   flaw = "pods are made for a DaemonSet that is being deleted"
	wrongNode         flaw = "a pod is bound elsewhere"
	bareFirst         flaw = "a pod is labelled after its creation"
	observedFalls     flaw = "observedGeneration falls"
	percentUnbounded  flaw = "a percentage is read as a number"
)

// model is a small correct controller with kubelets, an API server and a user, run in steps of a tenth of a second. What it does

// is lawful by the catalog; whatever the judge says about it is a false alarm.

type model struct {
	*film
	rnd   *rand.Rand
	ds    *appsv1.DaemonSet
	flaw  flaw
	nodes []string
	// known is what the controller last saw of the DaemonSet: it may lag behind the user.
	known *appsv1.DaemonSet
	// due are kubelet actions by time; broken templates never become Ready.
	due    map[*corev1.Pod]time.Time
	bad    map[string]bool
	events int
	used   bool
	// seen is how long the history was when the controller last looked.
	seen int
	// brisk kubelets start and stop pods within a third of a second, as simulated ones do: a rollout is over in a second or two.
	brisk bool
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.Intn(len(of))] }

func newModel(seed int64, fl flaw, surge, del bool) *model {
	rnd := rand.New(rand.NewSource(seed))
	n := 3 + rnd.Intn(6)
	m := &model{film: shoot(n), rnd: rnd, flaw: fl, due: map[*corev1.Pod]time.Time{}, bad: map[string]bool{}}
	for i := 1; i <= n; i++ {
		m.nodes = append(m.nodes, "node-"+strconv.Itoa(i))
	}
	budget := pick(rnd, "1", "2", "3", "25%", "34%")
	opts := []option{maxUnavailable(budget), minReady(pick(rnd, int32(0), 0, 5, 10))}
	if surge {
		opts[0] = maxSurge(budget)
	}
	if del {
		opts[0] = onDelete
	}
	m.ds = m.create("fluentd", opts...)
	m.known = m.ds.DeepCopy()
	return m
}

// run plays a rollout or several and returns the history.

// user does one thing that users do.

// settle lets so many tenths of a second pass, with controller and kubelets at work.

func (m *model) terminate(p *corev1.Pod) {
	if m.alive(p) != nil {
		m.due[p] = m.now.Add(m.some(3000))
	}
}

// some returns how long a kubelet takes for something.

func (m *model) some(milliseconds int) time.Duration {
	if m.brisk {
		milliseconds = 200
	}
	return time.Duration(100+m.rnd.Intn(milliseconds)) * time.Millisecond
}

// kubelets bind, start and stop pods when their time has come.

func (m *model) kubelets() {
	for _, p := range slices.Clone(m.pods) {
		node := targetNode(p)
		if m.node[node] == nil { // PodGC, or the controller for an unbound pod
			if _, ok := m.due[p]; !ok || p.DeletionTimestamp == nil && m.due[p].Before(m.now.Add(-20*time.Second)) {
				p.Status.Phase = corev1.PodFailed
				m.del(p)
			}
			continue
		}
		at, ok := m.due[p]
		if !ok && p.Spec.NodeName == "" && p.DeletionTimestamp == nil {
			m.bind(p)
			if !m.bad[p.Spec.Containers[0].Image] {
				m.due[p] = m.now.Add(m.some(4000))
			}
			continue
		}
		if !ok || at.After(m.now) {
			continue
		}
		delete(m.due, p)
		switch {
		case dead(p):
			m.gone(p)
		case p.DeletionTimestamp != nil:
			m.die(p)
			m.due[p] = m.now.Add(m.some(1500))
		case !terminal(p):
			m.ready(p)
		}
	}
}

type place struct {
	fits, stays bool
	all, live   []*corev1.Pod // not dead; neither terminating nor terminal
	fresh       *corev1.Pod
	old         *corev1.Pod
}

// control is one pass of the controller.

func (m *model) control() {
	if m.known.Generation != m.ds.Generation && m.rnd.Intn(2) == 0 || m.known.DeletionTimestamp != m.ds.DeletionTimestamp {
		m.known = m.ds.DeepCopy()
	}
	ds := m.known
	if ds.DeletionTimestamp != nil && m.flaw != createsAfterEnd {
		return
	}
	hash := m.revise(ds)
	m.breakWrites(hash)
	places := map[string]*place{}
	where := newPlacement(&ds.Spec.Template)
	for name, n := range m.node {
		fits, stays := where.judge(n)
		places[name] = &place{fits: fits, stays: stays}
	}
	for _, p := range m.pods {
		pl := places[targetNode(p)]
		if pl == nil || dead(p) {
			continue
		}
		pl.all = append(pl.all, p)
		if active(p) {
			pl.live = append(pl.live, p)
			if p.Labels["controller-revision-hash"] == hash {
				pl.fresh = p
			} else {
				pl.old = p
			}
		}
	}
	names := make([]string, 0, len(places))
	for name := range places {
		names = append(names, name)
	}
	sort.Strings(names)
	m.rnd.Shuffle(len(names), func(a, b int) { names[a], names[b] = names[b], names[a] })
	v := &version{object: ds}
	if !v.surges() && m.manage(ds, names, places, false) || v.surges() && m.manage(ds, names, places, true) {
		m.status(ds)
		return
	}
	switch {
	case !v.rolling() && m.flaw != onDeleteRolls:
	case v.surges():
		m.surge(ds, v, names, places)
	default:
		m.roll(ds, v, names, places)
	}
	m.status(ds)
}

// manage removes failed and excess pods and fills empty places; it says whether it did anything.

func (m *model) manage(ds *appsv1.DaemonSet, names []string, places map[string]*place, surge bool) bool {
	did := false
	for _, name := range names {
		pl := places[name]
		for _, p := range pl.all {
			if (terminal(p) || !pl.stays) && p.DeletionTimestamp == nil {
				m.drop(p)
				did = true
			}
		}
		if !pl.stays {
			continue
		}
		if !surge && len(pl.live) > 1 { // surge was there a moment ago: the oldest stays
			m.drop(pl.live[1])
			did = true
			continue
		}
		if surge && len(pl.live) == 2 && pl.fresh == nil { // an update while a pair was there: the older one stays
			m.drop(pl.live[1])
			did = true
			continue
		}
		empty := len(pl.all) == 0 || surge && len(pl.live) == 0 || m.flaw == createTooEarly && len(pl.live) == 0
		if !empty || len(pl.live) > 0 || !pl.fits {
			continue
		}
		m.make(ds, name)
		did = true
	}
	return did
}

func (m *model) available(ds *appsv1.DaemonSet, p *corev1.Pod) bool {
	since, ready := readySince(p)
	return ready && p.DeletionTimestamp == nil &&
		(m.flaw == minReadyIgnored || since.Add(time.Duration(ds.Spec.MinReadySeconds)*time.Second).Before(m.now) || ds.Spec.MinReadySeconds == 0)
}

func (m *model) allowed(v *version) int {
	desired := 0
	where := newPlacement(&v.object.Spec.Template)
	for _, n := range m.node {
		if fits, _ := where.judge(n); fits {
			desired++
		}
	}
	allowed, text := v.budget(desired)
	if m.flaw == percentUnbounded {
		value, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
		if err != nil {
			panic(err)
		}
		allowed = value
	}
	if m.flaw == budgetPlusOne {
		allowed++
	}
	if m.flaw == budgetIgnored || m.flaw == surgeLimitIgnored {
		allowed = 1000
	}
	return allowed
}

func (m *model) roll(ds *appsv1.DaemonSet, v *version, names []string, places map[string]*place) {
	down := 0
	var free, candidates []*corev1.Pod
	for _, name := range names {
		switch pl := places[name]; {
		case len(pl.live) == 0 && !pl.fits:
		case len(pl.live) == 0:
			down++
		case pl.old == nil:
			if !m.available(ds, pl.fresh) {
				down++
			}
		case !m.available(ds, pl.old):
			free = append(free, pl.old)
			if m.flaw != brokenNotCounted {
				down++
			}
		default:
			candidates = append(candidates, pl.old)
		}
	}
	for _, p := range free {
		m.drop(p)
	}
	for _, p := range candidates[:max(0, min(len(candidates), m.allowed(v)-down))] {
		m.drop(p)
	}
	if m.flaw == restartsCurrent && m.rnd.Intn(20) == 0 {
		for _, name := range names {
			if pl := places[name]; pl.fresh != nil && m.available(ds, pl.fresh) && down == 0 {
				m.drop(pl.fresh)
				return
			}
		}
	}
}

func (m *model) surge(ds *appsv1.DaemonSet, v *version, names []string, places map[string]*place) {
	busy := 0
	var free, candidates []string
	for _, name := range names {
		pl := places[name]
		_, ready := (*corev1.Pod)(nil), false
		if pl.old != nil {
			_, ready = readySince(pl.old)
		}
		switch {
		case pl.old == nil || !pl.fits:
		case pl.fresh == nil && !m.available(ds, pl.old):
			free = append(free, name)
		case pl.fresh == nil:
			candidates = append(candidates, name)
		case m.available(ds, pl.fresh) || !ready:
			m.drop(pl.old)
		case m.flaw == surgeOnReady && pl.fresh.Spec.NodeName != "":
			m.drop(pl.old)
		case m.flaw == thirdPod && m.rnd.Intn(10) == 0 && len(pl.live) == 2:
			m.make(ds, name)
		default:
			busy++
		}
	}
	for _, name := range free {
		m.make(ds, name)
	}
	for _, name := range candidates[:max(0, min(len(candidates), m.allowed(v)-busy))] {
		m.make(ds, name)
	}
}

func (m *model) drop(p *corev1.Pod) {
	if m.flaw == forceDelete && p.Spec.NodeName != "" {
		grace := *p.Spec.TerminationGracePeriodSeconds
		*p.Spec.TerminationGracePeriodSeconds = 0
		at := m.second()
		zero := int64(0)
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &zero
		*p.Spec.TerminationGracePeriodSeconds = grace
		m.gone(p)
		return
	}
	m.del(p)
	m.terminate(p)
}

func (m *model) make(ds *appsv1.DaemonSet, node string) {
	m.events++
	p := m.pod(ds, node)
	switch m.flaw {
	case wrongImage:
		p.Spec.Containers[0].Image = "fluentd:v1"
	case staleTemplate:
		if old := m.revs[ds.UID]; len(old) > 1 {
			was := ds.DeepCopy()
			was.Spec.Template = *revisionTemplate(old[0])
			p = m.pod(was, node)
		}
	case bareFirst:
		owners := p.OwnerReferences
		p.OwnerReferences = nil
		m.emitPod(history.Added, p)
		p.OwnerReferences = owners
		m.pods = append(m.pods, p)
		m.emitPod(history.Modified, p)
		return
	}
	m.pods = append(m.pods, p)
	m.emitPod(history.Added, p)
	if m.flaw == wrongNode && node != m.nodes[0] && !m.used {
		m.used = true
		p.Spec.NodeName = m.nodes[0]
		m.emitPod(history.Modified, p)
	}
}

// breakWrites are the flaws that need no pod.

func (m *model) breakWrites(hash string) {
	if m.rnd.Intn(50) > 0 || m.used {
		return
	}
	switch m.flaw {
	case writesSpec:
		m.wait(5)
		m.ds.Annotations = map[string]string{"note": hash}
		m.emitSet(history.Modified, m.ds)
	case revisionReused:
		cr := m.revs[m.ds.UID][0]
		cr = cr.DeepCopy()
		cr.Data.Raw = []byte(`{"spec":{"template":{}}}`)
		m.emitRevision(history.Modified, cr)
	default:
		return
	}
	m.used = true
}

func (m *model) status(ds *appsv1.DaemonSet) {
	was := m.ds.Status
	now := m.count(ds)
	now.ObservedGeneration = ds.Generation
	if m.flaw == statusLies && now.UpdatedNumberScheduled > 0 {
		now.NumberUnavailable++
	}
	if m.flaw == observedFalls && now.ObservedGeneration > 1 && m.rnd.Intn(10) == 0 {
		now.ObservedGeneration--
	}
	if fmt.Sprint(was) != fmt.Sprint(now) {
		m.ds.Status = now
		m.emitSet(history.Modified, m.ds)
	}
}
