package invariant

import (
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

func TestBudgetLegal(t *testing.T) {
	for name, scene := range map[string]func() *film{
		"one by one": func() *film {
			f := shoot(5)
			ds := f.create("fluentd")
			pods := f.fill(ds, 5)
			f.update(ds, image("v2"))
			f.revise(ds)
			f.observe(ds)
			for _, p := range pods {
				f.replace(ds, p)
				f.observe(ds)
			}
			return f
		},
		"two at once under 30% of 5, rounded up": func() *film {
			f := shoot(5)
			ds := f.create("fluentd", maxUnavailable("30%"))
			pods := f.fill(ds, 5)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.del(pods[0])
			f.del(pods[1])
			return f
		},
		"old unavailable pods replaced all at once": func() *film {
			f := shoot(5)
			ds := f.create("fluentd", maxUnavailable("3"))
			pods := f.fill(ds, 5)
			f.update(ds, image("broken"))
			f.observe(ds)
			var broken []*corev1.Pod
			for i := range 3 {
				f.remove(pods[i])
				p := f.add(ds, targetNode(pods[i]))
				f.bind(p)
				broken = append(broken, p)
			}
			f.wait(30)
			f.update(ds, image("v3"), maxUnavailable("1"))
			f.observe(ds)
			f.wait(5)
			for _, p := range broken {
				f.del(p)
			}
			return f
		},
		"the budget before the change still counts until it is observed": func() *film {
			f := shoot(5)
			ds := f.create("fluentd", maxUnavailable("3"))
			pods := f.fill(ds, 5)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.update(ds, maxUnavailable("1"))
			f.del(pods[0])
			f.del(pods[1])
			f.del(pods[2])
			f.observe(ds)
			return f
		},
		"a readiness blip that the controller could not know yet": func() *film {
			f := shoot(5)
			ds := f.create("fluentd")
			pods := f.fill(ds, 5)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.unready(pods[4])
			f.wait(0.2)
			f.del(pods[0])
			return f
		},
		"the suite deletes pods itself": func() *film {
			f := shoot(5)
			ds := f.create("fluentd")
			pods := f.fill(ds, 5)
			for i := range 3 {
				f.act("delete", podRef(pods[i]), []history.Disturbance{history.PodsDeleted}, func() { f.remove(pods[i]) })
			}
			return f
		},
		"a node that is deleted in the middle of a rollout": func() *film {
			f := shoot(5)
			ds := f.create("fluentd")
			pods := f.fill(ds, 5)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.replace(ds, pods[0])
			f.act("delete node", nodeRef("node-2"), []history.Disturbance{history.NodesChanged}, func() {
				f.emitNode(history.Deleted, f.node["node-2"])
			})
			f.wait(10)
			f.replace(ds, pods[2])
			f.gone(pods[1])
			f.replace(ds, pods[3])
			return f
		},
		"a second update within minReadySeconds takes all pods": func() *film {
			f := shoot(3)
			ds := f.create("fluentd", minReady(30))
			pods := f.fill(ds, 3)
			f.update(ds, minReady(600), image("v2"))
			f.observe(ds)
			for _, p := range pods {
				f.del(p)
			}
			return f
		},
		"minReadySeconds kept": func() *film {
			f := shoot(3)
			ds := f.create("fluentd", minReady(10))
			pods := f.fill(ds, 3)
			f.update(ds, image("v2"))
			f.observe(ds)
			for _, p := range pods {
				f.replace(ds, p)
				f.wait(10)
				f.observe(ds)
			}
			return f
		},
	} {
		t.Run(name, func(t *testing.T) { passes(t, scene()) })
	}
}

func TestPercentageWhenNodesLeave(t *testing.T) {
	// leaving has four of ten nodes leave before or after an update begins that takes down so many of the others at once.
	leaving := func(before bool, down int) func() *film {
		return func() *film {
			f := shoot(10)
			ds := f.create("fluentd", maxUnavailable("30%"))
			pods := f.fill(ds, 10)
			leave := func() {
				for i := 7; i <= 10; i++ {
					n := nodeRef("node-" + strconv.Itoa(i))
					f.act("delete node", n, []history.Disturbance{history.NodesChanged}, func() { f.emitNode(history.Deleted, f.node[n.Name]) })
				}
				f.wait(10)
			}
			if before {
				leave()
			}
			f.update(ds, image("v2"))
			f.observe(ds)
			f.wait(3)
			if !before {
				leave()
			}
			for _, p := range pods[:down] {
				f.del(p)
			}
			return f
		}
	}
	play(t, []scene{
		{"30% of the ten at its start", nil, leaving(false, 3)},
		{"30% of the six that are left, rounded up", nil, leaving(false, 2)},
		{"30% of neither", []string{"M-02"}, leaving(false, 4)},
		{"30% of ten that were gone at its start", []string{"M-02"}, leaving(true, 3)},
	})
}

func TestNewsToTheController(t *testing.T) {
	// regained has an old pod become Ready again so many seconds before the controller deletes it, with another node down.
	regained := func(seconds float64) func() *film {
		return func() *film {
			f := shoot(3)
			ds := f.create("fluentd")
			pods := f.fill(ds, 3)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.del(pods[0])
			f.unready(pods[1])
			f.wait(10)
			f.ready(pods[1])
			f.wait(seconds)
			f.del(pods[1])
			return f
		}
	}
	// blinked has an old pod lose readiness for a moment, and so many seconds later a status come that calls all pods available.
	blinked := func(seconds float64) func() *film {
		return func() *film {
			f := shoot(3)
			ds := f.create("fluentd")
			pods := f.fill(ds, 3)
			f.update(ds, image("v2"))
			f.wait(10)
			f.del(pods[0])
			f.unready(pods[1])
			f.wait(0.4)
			f.ready(pods[1])
			f.wait(seconds)
			ds.Status.ObservedGeneration, ds.Status.UpdatedNumberScheduled = ds.Generation, 0
			f.emitSet(history.Modified, ds)
			f.wait(0.2)
			f.del(pods[1])
			return f
		}
	}
	// paused has the controller be stopped with the deletion of a pod in hand, and another pod meet with something before or meanwhile.
	paused := func(before, meanwhile func(*film, *corev1.Pod)) func() *film {
		return func() *film {
			f := shoot(3)
			ds := f.create("fluentd")
			pods := f.fill(ds, 3)
			f.update(ds, image("v2"))
			f.observe(ds)
			before(f, pods[2])
			f.wait(10)
			f.act("pause", history.Reference{Name: "controller"}, []history.Disturbance{history.ControllerRestarted}, func() {
				f.wait(10)
				meanwhile(f, pods[2])
				f.wait(20)
			})
			f.wait(1)
			f.del(pods[0])
			return f
		}
	}
	nothing := func(*film, *corev1.Pod) {}
	play(t, []scene{
		{"a pod has just become Ready again", nil, regained(3)},
		{"a pod became Ready again long ago", []string{"M-02"}, regained(6)},
		{"a status from before comes late", nil, blinked(0.2)},
		{"a status from after it says that it is known", []string{"M-02"}, blinked(2.1)},
		{"an update repeats the status from before", nil, func() *film {
			f := shoot(3)
			ds := f.create("fluentd")
			pods := f.fill(ds, 3)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.wait(5)
			f.del(pods[0])
			f.unready(pods[1])
			f.wait(10)
			f.ready(pods[1])
			f.wait(2.5)
			f.update(ds, image("v3"))
			f.del(pods[1])
			return f
		}},
		{"a pod lost readiness while the controller was stopped", nil, paused(nothing, (*film).unready)},
		{"a pod had lost readiness before", []string{"M-02"}, paused((*film).unready, nothing)},
		{"the controller itself had deleted a pod before", []string{"M-02"}, paused((*film).del, nothing)},
		{"an old pod is Ready again when a pair more is made", nil, func() *film {
			f, pods, add := surging(4, maxSurge("1"))
			f.wait(10)
			f.bind(add("node-1"))
			f.unready(pods[1])
			f.wait(10)
			f.ready(pods[1])
			f.wait(3)
			f.bind(add("node-2"))
			return f
		}},
	})
}

// belated has three old pods be asked to go so many seconds before the budget is lowered from three to one, and their events come seconds later.
func belated(before int) *film {
	f := shoot(5)
	ds := f.create("fluentd", maxUnavailable("3"))
	pods := f.fill(ds, 5)
	f.update(ds, image("v2"))
	f.revise(ds)
	f.observe(ds)
	f.wait(20)
	asked := f.second().Add(time.Duration(-before) * time.Second)
	f.update(ds, maxUnavailable("1"))
	f.observe(ds)
	f.wait(4)
	for _, p := range pods[:3] {
		until := metav1.NewTime(asked.Add(30 * time.Second))
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &until, new(int64(30))
		f.emitPod(history.Modified, p)
	}
	return f
}

// workers has a controller prove by a pod that it knows of an update with a smaller budget, and so many seconds later use the one before.
func workers(seconds float64) *film {
	f := shoot(4)
	ds := f.create("fluentd", maxUnavailable("3"))
	pods := f.fill(ds, 4)
	f.update(ds, image("v2"))
	f.revise(ds)
	f.observe(ds)
	f.remove(pods[0])
	f.update(ds, image("v3"), maxUnavailable("1"))
	f.revise(ds)
	f.add(ds, "node-1")
	f.wait(seconds)
	f.del(pods[1])
	f.del(pods[2])
	f.observe(ds)
	return f
}

// joining has ten nodes join whose events are seconds late, and so many of twenty old pods go under 20%.
func joining(gone int) *film {
	f := shoot(10)
	ds := f.create("fluentd", maxUnavailable("20%"))
	pods := f.fill(ds, 10)
	for i := 11; i <= 20; i++ {
		f.ready(f.add(ds, "node-"+strconv.Itoa(i)))
	}
	f.update(ds, image("v2"))
	f.revise(ds)
	f.observe(ds)
	for _, p := range pods[:gone] {
		f.del(p)
	}
	f.wait(4)
	for i := 11; i <= 20; i++ {
		f.emitNode(history.Added, newNode("node-"+strconv.Itoa(i)))
	}
	return f
}

// ahead has the next old pod go so many seconds after the last new one is Ready by its node's clock, which is ten seconds ahead.
func ahead(seconds float64) *film {
	f := shoot(2)
	ds := f.create("fluentd", minReady(5))
	pods := f.fill(ds, 2)
	f.wait(10)
	f.observe(ds)
	f.update(ds, image("v2"))
	f.revise(ds)
	f.observe(ds)
	f.remove(pods[0])
	fresh := f.add(ds, "node-1")
	f.bind(fresh)
	fresh.Status.Phase = corev1.PodRunning
	fresh.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(f.second().Add(10 * time.Second))}}
	f.emitPod(history.Modified, fresh)
	f.wait(seconds)
	f.del(pods[1])
	return f
}

func TestWhoseTime(t *testing.T) {
	play(t, []scene{
		{"deleted under the budget before, and seen late", nil, func() *film { return belated(1) }},
		{"deleted under the new budget, and seen late", []string{"M-02"}, func() *film { return belated(-2) }},
		{"two workers of one moment", nil, func() *film { return workers(0) }},
		{"it has known better for a while", []string{"M-02"}, func() *film { return workers(2) }},
		{"a fifth of the nodes, of which half are seen late", nil, func() *film { return joining(4) }},
		{"more than a fifth of the nodes, of which half are seen late", []string{"M-02"}, func() *film { return joining(5) }},
		{"a node's clock is ahead, and the controller waited by its own", nil, func() *film { return ahead(6) }},
		{"a node's clock is ahead, and the controller did not wait", []string{"M-18"}, func() *film { return ahead(3) }},
	})
}

// taken has a user take a pod in a rollout, and the controller the next one a second later, with or without having seen to the first.
func taken(seen bool) *film {
	f := shoot(3)
	ds := f.create("fluentd")
	pods := f.fill(ds, 3)
	f.update(ds, image("v2"))
	f.revise(ds)
	f.observe(ds)
	f.act("delete", podRef(pods[0]), []history.Disturbance{history.PodsDeleted}, func() { f.remove(pods[0]) })
	if seen {
		f.bind(f.add(ds, "node-1"))
	}
	f.wait(1)
	f.del(pods[1])
	return f
}

func TestUserTakesPod(t *testing.T) {
	play(t, []scene{
		{"the controller need not know", nil, func() *film { return taken(false) }},
		{"the controller has made its successor", []string{"M-02"}, func() *film { return taken(true) }},
	})
}

func TestBudgetIllegal(t *testing.T) {
	t.Run("one too many", func(t *testing.T) {
		f := shoot(5)
		ds := f.create("fluentd", maxUnavailable("2"))
		pods := f.fill(ds, 5)
		f.update(ds, image("v2"))
		f.observe(ds)
		for i := range 3 {
			f.del(pods[i])
		}
		found := fails(t, f, "M-02")
		want := "M-02: pod fluentd-005 on node-3 was deleted at 12:01:01.0 while 2 of 5 nodes were already without an available pod; maxUnavailable allows 2"
		if len(found) != 1 || found[0].String() != want {
			t.Errorf("got  %v\nwant %s", found, want)
		}
	})
	t.Run("broken old pods are not counted", func(t *testing.T) {
		f := shoot(5)
		ds := f.create("fluentd", maxUnavailable("3"))
		pods := f.fill(ds, 5)
		f.update(ds, image("broken"))
		f.observe(ds)
		for i := range 3 {
			f.remove(pods[i])
			f.bind(f.add(ds, targetNode(pods[i])))
		}
		f.wait(30)
		f.update(ds, image("v3"), maxUnavailable("1"))
		f.observe(ds)
		f.wait(10)
		f.del(pods[3])
		fails(t, f, "M-02")
	})
	t.Run("percent beyond rounding up", func(t *testing.T) {
		f := shoot(5)
		ds := f.create("fluentd", maxUnavailable("30%"))
		pods := f.fill(ds, 5)
		f.update(ds, image("v2"))
		f.observe(ds)
		for i := range 3 {
			f.del(pods[i])
		}
		if v := fails(t, f, "M-02"); len(v) == 1 && !strings.Contains(v[0].Message, "maxUnavailable 30% allows 2") {
			t.Error(v[0])
		}
	})
	t.Run("the suite's deletion of another pod does not excuse the controller", func(t *testing.T) {
		f := shoot(5)
		ds := f.create("fluentd")
		pods := f.fill(ds, 5)
		f.act("delete", podRef(pods[4]), []history.Disturbance{history.PodsDeleted}, func() { f.del(pods[4]) })
		f.wait(10)
		f.update(ds, image("v2"))
		f.observe(ds)
		f.del(pods[0])
		fails(t, f, "M-02")
	})
	t.Run("the next node before minReadySeconds", func(t *testing.T) {
		f := shoot(3)
		ds := f.create("fluentd", minReady(10))
		pods := f.fill(ds, 3)
		f.update(ds, image("v2"))
		f.observe(ds)
		f.replace(ds, pods[0])
		f.wait(5)
		f.del(pods[1])
		fails(t, f, "M-18")
	})
}
