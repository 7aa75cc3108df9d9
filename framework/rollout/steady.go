package rollout

import (
	"slices"

	"github.com/onsi/ginkgo/v2"

	"rollcall.dev/framework/history"
)

// NeedSteadyController skips a spec where the run restarts the controller the whole time: for what a controller may lawfully forget, such
// as how often pods have failed.
func (r *R) NeedSteadyController() {
	ginkgo.GinkgoHelper()
	if slices.Contains(r.Disturbances, history.ControllerRestarted) {
		ginkgo.Skip("a controller that is restarted may forget what this is about; a run without RESTART makes it run")
	}
}
