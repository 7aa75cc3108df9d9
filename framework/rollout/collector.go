package rollout

import (
	"context"
	"fmt"

	"github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"

	"rollcall.dev/framework/history"
)

// AwaitCollector returns when the garbage collector knows of every pod that there is at the time of the call. What is deleted with the
// propagation policy Orphan before that takes those pods with it that the collector hears of too late: its mistake, and no DaemonSet
// controller's. It tells by a pod whose owner does not exist, which the collector deletes.
func (r *R) AwaitCollector(ctx context.Context) {
	ginkgo.GinkgoHelper()
	// It has a name of its own: the judge takes it for any pod of the namespace otherwise.
	absent := uuid.NewUUID()
	pod := BarePod("collected-"+string(absent), "", metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "absent", UID: absent})
	pod.Spec.NodeSelector = map[string]string{"rollcall.dev/sentinel": "nowhere"}
	pod = r.CreatePod(ctx, pod)
	limit := r.patience(reaction)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	seen := 0
	err := r.recorder.Until(ctx, func(v history.View) (bool, error) {
		for ; seen < len(v.Entries); seen++ {
			if e := v.Entries[seen]; e.Pod != nil && e.Pod.UID == pod.UID && e.Type == history.Deleted {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		// Not by our own Fail: no deviation of a DaemonSet controller excuses the collector.
		ginkgo.Fail(fmt.Sprintf("the garbage collector should delete a pod whose owner does not exist within %s, but pod %s is still there", limit, pod.Name))
	}
}
