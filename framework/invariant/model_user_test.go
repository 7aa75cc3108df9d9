package invariant

import (
	"sort"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/history"
)

func (m *model) run() *film {
	m.settle(600)
	for range 1 + m.rnd.Intn(3) {
		m.user()
		m.settle(200 + m.rnd.Intn(400))
	}
	m.bad = map[string]bool{}
	m.update(m.ds, image("final"))
	for i := 0; i < 300 && m.ds.Status.UpdatedNumberScheduled < m.ds.Status.DesiredNumberScheduled; i++ {
		m.settle(10)
	}
	m.settle(80)
	return m.film
}

func (m *model) user() {
	switch m.rnd.Intn(14) {
	case 0: // a broken image
		m.bad["fluentd:broken"] = true
		m.update(m.ds, image("broken"))
	case 1: // two updates in quick succession
		m.update(m.ds, image("a"+strconv.Itoa(m.rnd.Intn(100))))
		m.settle(m.rnd.Intn(5))
		m.update(m.ds, image("b"+strconv.Itoa(m.rnd.Intn(100))))
	case 2: // roll back in the middle
		before := m.ds.Spec.Template.Spec.Containers[0].Image
		m.update(m.ds, image("c"+strconv.Itoa(m.rnd.Intn(100))))
		m.settle(m.rnd.Intn(60))
		m.update(m.ds, func(ds *appsv1.DaemonSet) { ds.Spec.Template.Spec.Containers[0].Image = before })
	case 3: // a pod is deleted by hand
		if len(m.pods) > 0 {
			p := m.pods[m.rnd.Intn(len(m.pods))]
			if p.DeletionTimestamp == nil {
				m.act("delete", podRef(p), []history.Disturbance{history.PodsDeleted}, func() { m.del(p); m.terminate(p) })
			}
		}
	case 4: // a node leaves in the middle of a rollout
		m.update(m.ds, image("d"+strconv.Itoa(m.rnd.Intn(100))))
		m.settle(m.rnd.Intn(40))
		m.dropNode()
	case 5: // a node joins
		name := "node-" + strconv.Itoa(100+m.rnd.Intn(100))
		m.act("add node", nodeRef(name), []history.Disturbance{history.NodesChanged}, func() { m.emitNode(history.Added, newNode(name)) })
	case 6: // an old pod loses readiness while a rollout goes on
		m.update(m.ds, image("e"+strconv.Itoa(m.rnd.Intn(100))))
		m.settle(m.rnd.Intn(20))
		if p := m.pods[m.rnd.Intn(len(m.pods))]; active(p) {
			if _, ready := readySince(p); ready {
				m.unready(p)
				m.due[p] = m.now.Add(time.Duration(1+m.rnd.Intn(20)) * time.Second)
			}
		}
	case 7: // a pod fails
		m.update(m.ds, image("f"+strconv.Itoa(m.rnd.Intn(100))))
		m.settle(m.rnd.Intn(20))
		if p := m.pods[m.rnd.Intn(len(m.pods))]; active(p) && p.Spec.NodeName != "" {
			m.fail(p)
			delete(m.due, p)
		}
	case 8: // another budget in the middle of a rollout
		m.update(m.ds, image("h"+strconv.Itoa(m.rnd.Intn(100))))
		m.settle(m.rnd.Intn(40))
		budget := pick(m.rnd, "1", "2", "50%")
		if v := (&version{object: m.ds}); v.surges() {
			m.update(m.ds, maxSurge(budget))
		} else if v.rolling() {
			m.update(m.ds, maxUnavailable(budget))
		}
	case 9: // another strategy in the middle of a rollout
		if m.flaw != sound {
			return
		}
		m.update(m.ds, image("i"+strconv.Itoa(m.rnd.Intn(100))))
		m.settle(m.rnd.Intn(60))
		m.update(m.ds, pick(m.rnd, maxSurge("1"), maxUnavailable("1"), maxSurge("50%"), onDelete))
	case 10: // a taint comes, and perhaps goes
		m.update(m.ds, image("j"+strconv.Itoa(m.rnd.Intn(100))))
		m.settle(m.rnd.Intn(40))
		name := pick(m.rnd, m.nodes...)
		if m.node[name] == nil {
			return
		}
		m.taint(name, pick(m.rnd, corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute))
		m.settle(m.rnd.Intn(200))
		if m.node[name] != nil && m.rnd.Intn(2) == 0 {
			m.taint(name, "")
		}
	case 11: // minReadySeconds is raised together with the template: all pods may go at once
		m.update(m.ds, image("k"+strconv.Itoa(m.rnd.Intn(100))), minReady(m.ds.Spec.MinReadySeconds+int32(m.rnd.Intn(60))))
	default:
		m.update(m.ds, image("g"+strconv.Itoa(m.rnd.Intn(100))))
	}
}

func (m *model) taint(name string, effect corev1.TaintEffect) {
	n := m.node[name].DeepCopy()
	n.Spec.Taints = nil
	if effect != "" {
		n.Spec.Taints = []corev1.Taint{{Key: "k", Effect: effect}}
	}
	m.act("taint", nodeRef(name), []history.Disturbance{history.NodesChanged}, func() { m.emitNode(history.Modified, n) })
}

func (m *model) dropNode() {
	names := make([]string, 0, len(m.node))
	for name := range m.node {
		names = append(names, name)
	}
	if len(names) < 3 {
		return
	}
	sort.Strings(names)
	name := pick(m.rnd, names...)
	m.act("delete node", nodeRef(name), []history.Disturbance{history.NodesChanged}, func() { m.emitNode(history.Deleted, m.node[name]) })
}

func (m *model) settle(tenths int) {
	for range tenths {
		m.wait(0.1)
		m.kubelets()
		changed := len(m.h.Entries) != m.seen
		if changed && m.rnd.Intn(3) > 0 || m.rnd.Intn(8) == 0 { // the controller's caches lag, and now and then it resyncs
			m.seen = len(m.h.Entries)
			m.control()
		}
	}
}
