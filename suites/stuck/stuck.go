package stuck

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"
)

var second = rollout.OfEdition("2")

var _ = Describe("A stuck update", func() {
	r := rollout.New()

	It("waits on a full node until a pod there is deleted", catalog.Covers("H-01", "H-02", "H-03", "H-04", "H-12"), func(ctx SpecContext) {
		nodes := r.NodesAlone(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		hog := r.Fill(ctx, nodes[0], resource.MustParse("100Mi"))
		updated := r.Update(ctx, ds, rollout.Edition("2"), rollout.RequestMemory("200Mi"))
		r.Eventually(ctx, ds).Should(rollout.HavePods(1, "without room on the full node", rollout.All(rollout.Unschedulable, rollout.OnNode(nodes[0]))))
		r.Protect(ctx, hog)
		Expect(r.TryEvictPod(ctx, hog)).To(MatchError(apierrors.IsTooManyRequests, "429 Too Many Requests"), "a PodDisruptionBudget stops an eviction")
		r.MakeRoom(ctx, hog) // but not this
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", second)))
		Expect(after.DaemonSet.Generation).To(Equal(updated.Generation), "the DaemonSet did not have to be changed")
		Expect(after.All.Pods).NotTo(ContainElement(HaveField("Name", hog.Name)), "a pod without a controller does not come back")
	})

	DescribeTable("stays where it is, and another template mends it", func(ctx SpecContext, strategy, breaks, mends rollout.Change, what string, broken func(*corev1.Pod) bool) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), strategy, rollout.MinReadySeconds(3))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		stuck := r.Update(ctx, ds, rollout.Edition("2"), breaks)
		r.Eventually(ctx, ds).Should(rollout.HavePods(1, what, rollout.All(second, broken)))
		r.Settle(ctx)
		state := r.State(ds)
		Expect(state).To(rollout.HavePods(1, "of the broken template", second))
		Expect(len(rollout.Where(state.Pods, rollout.All(rollout.OfEdition(""), rollout.Ready)))).To(BeNumerically(">=", 2), "the other nodes keep their pods")
		Expect(state.DaemonSet.Generation).To(Equal(stuck.Generation), "nothing is rolled back")
		r.Update(ctx, ds, rollout.Edition("3"), mends)
		r.KeepAwake(ctx, ds)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the last template", rollout.OfEdition("3"))))
	},
		Entry("when its image does not exist", catalog.Covers("H-05", "H-06"), rollout.MaxUnavailable(1),
			rollout.Image(fixtures.FluentdNotExisting), rollout.Image(fixtures.FluentdNext), "that cannot be pulled", rollout.Waiting("ErrImagePull", "ImagePullBackOff")),
		Entry("when its container crashes", catalog.Covers("H-05", "H-06"), rollout.MaxUnavailable(1),
			crashes, works, "that crash", rollout.Waiting("CrashLoopBackOff")),
		Entry("when its image does not exist and it surges", catalog.Covers("H-05", "D-04"), rollout.MaxSurge(1),
			rollout.Image(fixtures.FluentdNotExisting), rollout.Image(fixtures.FluentdNext), "that cannot be pulled", rollout.Waiting("ErrImagePull", "ImagePullBackOff")),
		Entry("when no node is large enough", catalog.Covers("H-07"), rollout.MaxUnavailable(1),
			rollout.RequestMemory("900Ti"), rollout.RequestMemory("1Mi"), "without room", rollout.Unschedulable),
		Entry("when its configuration is not there", catalog.Covers("H-07"), rollout.MaxUnavailable(1),
			needs("settings-missing"), needs(""), "without configuration", rollout.Waiting("CreateContainerConfigError")),
	)

	// The limit is for as long as it takes, and not for the time that most checks look: what goes beyond it, the judge sees.
	DescribeTable("stops at its limit for minutes if it has to", SpecPriority(10), func(ctx SpecContext, strategy rollout.Change) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), strategy)
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.ReadyAfter(100))
		r.Eventually(ctx, ds).Should(rollout.HavePods(1, "of the new template that are Ready", rollout.All(second, rollout.Ready)))
		r.Update(ctx, ds, rollout.Edition("3"), rollout.ReadyAfter(0))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the last template", rollout.OfEdition("3"))))
	},
		Entry("with maxUnavailable", catalog.CoversWith([]catalog.Need{catalog.Slow}, "C-07", "H-05"), rollout.MaxUnavailable(1)),
		Entry("with maxSurge", catalog.CoversWith([]catalog.Need{catalog.Surge, catalog.Slow}, "D-03", "D-04", "H-05"), rollout.MaxSurge(1)),
	)

	It("deletes no more pods while new ones are refused, and finishes when they no longer are", catalog.Covers("H-08", "H-12"), func(ctx SpecContext) {
		r.NodesAlone(ctx, 3) // no other lease is to wake the controller
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.LimitPods(ctx, 0)
		r.Update(ctx, ds, rollout.Edition("2"))
		// A pod that still ends may be left alone: only when it is gone is a new one asked for, and refused.
		r.Eventually(ctx, ds).Should(rollout.Match("have lost a pod for good", func(s rollout.State) string {
			if n := len(s.Pods); n != 2 {
				return fmt.Sprintf("has %d pods", n)
			}
			return ""
		}))
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(2, "that are Ready", rollout.Ready))
		r.LiftLimit(ctx)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the new template", second)))
	})

	It("keeps every pod while those beside them are refused, and finishes when they no longer are", catalog.CoversWith([]catalog.Need{catalog.Surge}, "H-08", "D-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxSurge(1))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.LimitPods(ctx, 2)
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.KeepPods(before.Pods))
		r.LiftLimit(ctx)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", second)))
	})

	// A controller that stops at the first refusal, as many do, has asked for one pod and left the others out.
	DescribeTable("has its pods once they may be created, though all were refused from the beginning,", func(ctx SpecContext, nodes int) {
		r.NodesAlone(ctx, nodes) // as above
		r.LimitPods(ctx, 0)
		ds := r.Create(ctx, fixtures.Fluentd())
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(0, "while the quota allows none", rollout.Any))
		r.LiftLimit(ctx)
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(nodes, "that are Ready", rollout.Ready)))
	},
		Entry("on two nodes", catalog.Covers("H-08"), 2),
		Entry("on three nodes", catalog.Covers("H-08"), 3),
	)

	It("does not keep a pod on a node that no longer matches while another's is refused", catalog.Covers("K-03", "H-08"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 2)
		r.LabelNode(ctx, nodes[0], "chosen")
		ds := r.Create(ctx, fixtures.Fluentd(), r.NodesLabelled("chosen"))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.LimitPods(ctx, 1)
		r.LabelNode(ctx, nodes[1], "chosen")
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(1, "in all", rollout.Any))
		// To wait for the one before the other goes would be to wait for ever: it is the first node's pod that uses the quota up.
		r.UnlabelNode(ctx, nodes[0], "chosen")
		r.Soon(ctx, ds).Should(rollout.HavePods(0, "on the node that does not match", rollout.OnNode(nodes[0])))
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(1, "on the node that does", rollout.OnNode(nodes[1]))))
	})

	It("finishes when pods may be deleted that the API server refused to delete", catalog.CoversWith([]catalog.Need{catalog.AdmissionPolicies}, "H-12"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		before := r.Eventually(ctx, ds).Should(rollout.BeComplete()).Pods
		r.RefuseDeletions(ctx, before[0])
		r.Update(ctx, ds, rollout.Edition("2"))
		r.Soon(ctx, ds).Should(rollout.HaveObserved())
		r.Settle(ctx)
		Expect(r.State(ds)).To(rollout.HavePods(3, "that are Ready", rollout.Ready))
		r.AllowDeletions(ctx, before[0])
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the new template", second)))
	})

	// A controller that does not remember its own deletions takes the next pod down before it has heard of the last one. Heavy pods are
	// heard of late, a DaemonSet that is written to all the time is looked at soon, and where a deletion succeeds at last no status is to be
	// written in between.
	It("takes down no more than its budget, though its DaemonSet is written to all the time, when pods may be deleted again",
		catalog.CoversWith([]catalog.Need{catalog.AdmissionPolicies}, "C-05", "H-12"), func(ctx SpecContext) {
			r.Nodes(ctx, 4)
			ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
			original := ds.Spec.Template.DeepCopy()
			for _, edition := range []string{"2", "3", "4"} {
				before := r.Eventually(ctx, ds).Should(rollout.BeComplete()).Pods
				for _, pod := range before {
					r.EditPod(ctx, pod, "a heavy annotation", func(live *corev1.Pod) {
						metav1.SetMetaDataAnnotation(&live.ObjectMeta, "rollcall.dev/heavy", strings.Repeat("heavy ", 40<<10))
					})
				}
				r.RefuseDeletions(ctx, before[0])
				r.Update(ctx, ds, rollout.Edition(edition), rollout.NeverReady())
				r.Soon(ctx, ds).Should(rollout.HaveObserved())
				r.Settle(ctx)
				stop := r.Besiege(ctx, ds)
				r.AllowDeletions(ctx, before[0])
				r.Eventually(ctx, ds).Should(rollout.HavePods(1, "of the new template", rollout.OfEdition(edition)))
				stop()
				r.Settle(ctx)
				Expect(r.State(ds)).To(rollout.HavePods(3, "of the old template that are Ready", rollout.All(rollout.OfEdition(""), rollout.Ready)))
				r.Update(ctx, ds, rollout.Template(func(t *corev1.PodTemplateSpec) { *t = *original.DeepCopy() }))
			}
			r.Eventually(ctx, ds).Should(rollout.BeComplete())
		})

	It("is mended by another template when its pods Failed, again and again", catalog.CoversWith([]catalog.Need{catalog.PodRejection}, "H-07"), func(ctx SpecContext) {
		node := r.NodesAlone(ctx, 1)[0]
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.RejectPods(ctx, node, "OutOfcpu")
		r.Update(ctx, ds, rollout.Edition("2"))
		// After the first failures a controller takes its time to replace the next. How much, and whether it waits before the deletion or before
		// the creation, is its own choice: a minute, then two, then four would be lawful.
		state := r.Eventually(ctx, ds).Within(8 * time.Minute).Should(rollout.Match("have had four pods of the broken template that Failed", func(s rollout.State) string {
			if had := len(failures(s)); had < 4 {
				return fmt.Sprintf("has had %d", had)
			}
			return ""
		}))
		failed := failures(state)
		r.AcceptPods(ctx, node)
		r.Update(ctx, ds, rollout.Edition("3"))
		after := r.Soon(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(1, "of the last template", rollout.OfEdition("3"))))
		Expect(after.Find(failed[len(failed)-1])).To(BeNil(), "the last failed pod should be deleted")
	})

	It("finishes without another template once the nodes can have the image that it waits for",
		catalog.CoversWith([]catalog.Need{catalog.ImageLoad}, "H-12"), func(ctx SpecContext) {
			r.Nodes(ctx, 2)
			image := r.MissingImage()
			ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
			r.Eventually(ctx, ds).Should(rollout.BeComplete())
			stuck := r.Update(ctx, ds, rollout.Image(image))
			r.Eventually(ctx, ds).Should(rollout.HavePods(1, "that cannot be pulled", rollout.All(rollout.WithImage(image), rollout.Waiting("ErrImagePull", "ImagePullBackOff"))))
			r.LoadImage(ctx, image)
			after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "with the new image", rollout.WithImage(image))))
			Expect(after.DaemonSet.Generation).To(Equal(stuck.Generation), "the DaemonSet did not have to be changed")
		})

	It("is brought back by kubectl rollout undo, which restarts only what was changed", catalog.Covers("H-11"), func(ctx SpecContext) {
		r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.NeverReady())
		r.Eventually(ctx, ds).Should(rollout.And(rollout.HaveObserved(), rollout.HavePods(1, "of the broken template", second)))
		r.Settle(ctx)
		healthy := rollout.Where(r.State(ds).Pods, rollout.OfEdition(""))
		result := r.KubectlAct(ctx, r.DaemonSetNamed(ds.Name), nil, []string{"rollout", "undo", "ds/" + ds.Name, "-n", r.Namespace})
		Expect(result).To(kubectl.Say("daemonset.apps/fluentd-elasticsearch rolled back"))
		after := r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(3, "of the first template", rollout.OfEdition(""))))
		Expect(after).To(rollout.KeepPods(healthy))
	})

	It("can be deleted with its Pending and terminating pods", catalog.Covers("H-13"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1), rollout.TerminatesFor(2))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Update(ctx, ds, rollout.Edition("2"), rollout.RequestMemory("900Ti"))
		r.Eventually(ctx, ds).Should(rollout.HavePods(1, "without room", rollout.Unschedulable))
		r.Delete(ctx, ds, metav1.DeletePropagationBackground)
		r.Eventually(ctx, ds).Should(rollout.BeGone())
	})
})

var _ = Describe("An update with minReadySeconds", func() {
	r := rollout.New()

	It("takes the next pod down only after the new one has been Ready for that long", catalog.Covers("H-09", "M-18"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.MaxUnavailable(1), rollout.MinReadySeconds(5))
		r.Eventually(ctx, ds).Should(rollout.BeComplete())
		r.Nudge(ctx, ds)                                               // who looks at the pods too early must not find them old enough
		r.Update(ctx, ds, rollout.Edition("2"), rollout.ReadyAfter(5)) // the time counts from then on, not from its creation
		r.Eventually(ctx, ds).Should(rollout.And(rollout.BeComplete(), rollout.HavePods(2, "of the new template", second)))
	})
})

// failures are the pods of the second template that have Failed, in the order in which they did, whether they are there still or not.
func failures(s rollout.State) []*corev1.Pod {
	seen := map[types.UID]bool{}
	var failed []*corev1.Pod
	for _, e := range s.All.Entries {
		if e.Pod != nil && second(e.Pod) && rollout.Terminal(e.Pod) && !seen[e.Pod.UID] {
			seen[e.Pod.UID] = true
			failed = append(failed, e.Pod)
		}
	}
	return failed
}

// crashes makes the first container end at once, before it is first asked whether it is ready: on a busy node it could else be Ready
// long enough to count as available.
func crashes(ds *appsv1.DaemonSet) {
	rollout.ReadyAfter(10)(ds)
	rollout.Container(func(c *corev1.Container) { c.Command = []string{"/bin/false"} })(ds)
}

// works takes back what crashes did.
func works(ds *appsv1.DaemonSet) {
	rollout.Container(func(c *corev1.Container) { c.Command, c.ReadinessProbe = nil, nil })(ds)
}

// needs makes the first container need a ConfigMap, or none.
func needs(configMap string) rollout.Change {
	return rollout.Container(func(c *corev1.Container) {
		c.EnvFrom = nil
		if configMap != "" {
			c.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: configMap}}}}
		}
	})
}
