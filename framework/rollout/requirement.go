package rollout

import (
	"github.com/onsi/ginkgo/v2"

	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
)

// requirements skip a spec whose label says that it needs what this run cannot do. The acts that need it skip too; asked before the spec
// begins, it does not wait for nodes first, nor keep others waiting: on a small cluster that took minutes.
var requirements = map[catalog.Need]func(*R){
	catalog.NodeAddRemove:     func(r *R) { r.nodeLifecycle() },
	catalog.NodeStop:          func(r *R) { r.nodeLifecycle() },
	catalog.SimulatedClock:    func(r *R) { Need[cluster.ClockSkewer](r) },
	catalog.ControllerRestart: func(r *R) { r.restarter() },
	catalog.PodRejection:      func(r *R) { Need[cluster.PodRejecter](r) },
	catalog.ImageLoad:         func(r *R) { Need[cluster.ImageLoader](r) },
	catalog.Upgrade:           func(r *R) { r.Releases() },
}

func (r *R) checkRequirements(labels []string) {
	ginkgo.GinkgoHelper()
	for _, label := range labels {
		if check, ok := requirements[catalog.Need(label)]; ok {
			check(r)
		}
	}
}
