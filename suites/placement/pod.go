package placement

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/rollout"
)

var (
	preferred = []corev1.PreferredSchedulingTerm{{Weight: 7, Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
		{Key: "rollcall.dev/fast", Operator: corev1.NodeSelectorOpExists},
	}}}}
	apart = &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"name": "nobody"}}, TopologyKey: corev1.LabelHostname,
	}}}
)

var _ = Describe("A DaemonSet's pod", func() {
	r := rollout.New()

	It("is pinned to its node, and keeps what else its template asks of nodes and neighbours", catalog.Covers("B-02", "M-06"), func(ctx SpecContext) {
		nodes := r.Nodes(ctx, 3)
		ds := r.Create(ctx, fixtures.Fluentd(),
			required(corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpExists}}}),
			rollout.Template(func(t *corev1.PodTemplateSpec) {
				t.Spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution = preferred
				t.Spec.Affinity.PodAntiAffinity = apart
			}))
		state := r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes...))
		for _, pod := range state.Pods {
			affinity := pod.Spec.Affinity
			Expect(affinity).NotTo(BeNil(), "pod %s should have an affinity", pod.Name)
			Expect(affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution).To(Equal(&corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchFields: []corev1.NodeSelectorRequirement{{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{pod.Spec.NodeName}}},
			}}}), "pod %s runs on %s, and its one required term should say so", pod.Name, pod.Spec.NodeName)
			// The concept page says that the template's node affinity is replaced, and a pod with one node to go to prefers nothing: both are right.
			Expect(affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution).To(Or(BeEmpty(), Equal(preferred)), "what pod %s prefers", pod.Name)
			Expect(affinity.PodAntiAffinity).To(Equal(apart), "whom pod %s avoids", pod.Name)
		}
	})

	DescribeTable("is pinned to its node where the template", func(ctx SpecContext, affinity *corev1.Affinity) {
		nodes := r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.Template(func(t *corev1.PodTemplateSpec) { t.Spec.Affinity = affinity }))
		for _, pod := range r.Eventually(ctx, ds).Should(rollout.BeCompleteOn(nodes...)).Pods {
			unbound := pod.DeepCopy()
			unbound.Spec.NodeName = ""
			Expect(rollout.TargetNode(unbound)).To(Equal(pod.Spec.NodeName), "the node that pod %s was made for", pod.Name)
		}
	},
		Entry("asks for nothing", catalog.Covers("B-02", "M-06"), nil),
		Entry("has an affinity that says nothing", catalog.Covers("B-02", "M-06"), &corev1.Affinity{}),
		Entry("avoids other pods", catalog.Covers("B-02", "M-06"), &corev1.Affinity{PodAntiAffinity: apart}),
		Entry("prefers a node", catalog.Covers("B-02", "M-06"), &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: preferred}}),
	)

	DescribeTable("tolerates the taints of a node in trouble,", func(ctx SpecContext, hostNetwork bool) {
		r.Nodes(ctx, 2)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.Template(func(t *corev1.PodTemplateSpec) {
			t.Spec.HostNetwork = hostNetwork
			t.Spec.Tolerations = append(t.Spec.Tolerations, corev1.Toleration{Key: "rollcall.dev/own", Operator: corev1.TolerationOpExists},
				// What comes by itself for the same key has another effect, and must not take this one's place.
				corev1.Toleration{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule})
		}))
		for _, pod := range r.Eventually(ctx, ds).Should(rollout.BeComplete()).Pods {
			for _, taint := range []corev1.Taint{
				{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute},
				{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute},
				{Key: corev1.TaintNodeDiskPressure, Effect: corev1.TaintEffectNoSchedule},
				{Key: corev1.TaintNodeMemoryPressure, Effect: corev1.TaintEffectNoSchedule},
				{Key: corev1.TaintNodePIDPressure, Effect: corev1.TaintEffectNoSchedule},
				{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule},
				{Key: "rollcall.dev/own", Effect: corev1.TaintEffectNoSchedule},
				{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule},
			} {
				Expect(tolerating(pod, taint)).To(And(Not(BeEmpty()), HaveEach(HaveField("TolerationSeconds", BeNil()))), "for ever, on pod %s: %s:%s", pod.Name, taint.Key, taint.Effect)
			}
			network := tolerating(pod, corev1.Taint{Key: corev1.TaintNodeNetworkUnavailable, Effect: corev1.TaintEffectNoSchedule})
			if hostNetwork {
				Expect(network).NotTo(BeEmpty(), "pod %s does not need the network that is not there", pod.Name)
			} else {
				Expect(network).To(BeEmpty(), "pod %s needs the network", pod.Name)
			}
		}
	},
		Entry("with a network of its own", catalog.Covers("B-03"), false),
		Entry("with the host's network", catalog.Covers("B-03"), true),
	)

	DescribeTable("tolerates them also where its template tolerates every taint", func(ctx SpecContext, tolerated corev1.TaintEffect, missing ...corev1.Taint) {
		r.Nodes(ctx, 1)
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.Template(func(t *corev1.PodTemplateSpec) {
			t.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists, Effect: tolerated}}
		}))
		pod := r.Eventually(ctx, ds).Should(rollout.BeComplete()).Pods[0]
		for _, taint := range missing {
			Expect(tolerating(pod, taint)).To(And(Not(BeEmpty()), HaveEach(HaveField("TolerationSeconds", BeNil()))), "for ever, on pod %s: %s:%s", pod.Name, taint.Key, taint.Effect)
		}
	},
		Entry("that keeps new pods off", catalog.Covers("B-03"), corev1.TaintEffectNoSchedule,
			corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoExecute}, corev1.Taint{Key: corev1.TaintNodeUnreachable, Effect: corev1.TaintEffectNoExecute}),
		Entry("that drives pods away", catalog.Covers("B-03"), corev1.TaintEffectNoExecute,
			corev1.Taint{Key: corev1.TaintNodeDiskPressure, Effect: corev1.TaintEffectNoSchedule}, corev1.Taint{Key: corev1.TaintNodeMemoryPressure, Effect: corev1.TaintEffectNoSchedule},
			corev1.Taint{Key: corev1.TaintNodePIDPressure, Effect: corev1.TaintEffectNoSchedule}, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}),
	)

	It("is made of all that its template says", catalog.Covers("M-08", "C-01"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		grace, no, links := int64(7), false, false
		near := &corev1.PodAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 3, PodAffinityTerm: corev1.PodAffinityTerm{
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"name": "nobody"}}, TopologyKey: corev1.LabelHostname,
		}}}}
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.TerminatesFor(1), rollout.ReadyAfter(0), rollout.Template(func(t *corev1.PodTemplateSpec) {
			t.Spec.TerminationGracePeriodSeconds, t.Spec.AutomountServiceAccountToken, t.Spec.EnableServiceLinks = &grace, &no, &links
			t.Spec.HostPID, t.Spec.HostIPC, t.Spec.PriorityClassName = true, true, "system-node-critical"
			t.Spec.Affinity = &corev1.Affinity{PodAffinity: near}
			t.Spec.SecurityContext = &corev1.PodSecurityContext{SupplementalGroups: []int64{4321}}
			t.Spec.DNSPolicy = corev1.DNSClusterFirstWithHostNet
			t.Spec.HostAliases = []corev1.HostAlias{{IP: "127.0.0.1", Hostnames: []string{"rollcall.test"}}}
			t.Spec.DNSConfig = &corev1.PodDNSConfig{Searches: []string{"rollcall.test"}}
			t.Spec.Hostname, t.Spec.Subdomain = "recorder", "rollcall"
			t.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
				MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: &metav1.LabelSelector{MatchLabels: t.Labels},
			}}
			t.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "not-needed"}}
			c := &t.Spec.Containers[0]
			c.Ports = []corev1.ContainerPort{{Name: "forward", ContainerPort: 24224}}
			c.WorkingDir, c.ImagePullPolicy = "/", corev1.PullIfNotPresent
			c.TerminationMessagePath, c.TerminationMessagePolicy, c.Stdin = "/tmp/last-words", corev1.TerminationMessageFallbackToLogsOnError, true
			c.LivenessProbe, c.StartupProbe = c.ReadinessProbe.DeepCopy(), c.ReadinessProbe.DeepCopy()
			c.SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: &no}
			c.EnvFrom = []corev1.EnvFromSource{{Prefix: "ROLLCALL_", ConfigMapRef: &corev1.ConfigMapEnvSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "not-needed"}, Optional: new(true),
			}}}
		}))
		// Part by part: admission may add to a pod what its template leaves open.
		parts := []struct {
			what string
			of   func(spec *corev1.PodSpec) any
		}{
			{"node selector", func(s *corev1.PodSpec) any { return s.NodeSelector }},
			{"grace period", func(s *corev1.PodSpec) any { return s.TerminationGracePeriodSeconds }},
			{"automountServiceAccountToken", func(s *corev1.PodSpec) any { return s.AutomountServiceAccountToken }},
			{"enableServiceLinks", func(s *corev1.PodSpec) any { return s.EnableServiceLinks }},
			{"hostPID", func(s *corev1.PodSpec) any { return s.HostPID }},
			{"hostIPC", func(s *corev1.PodSpec) any { return s.HostIPC }},
			{"priority class", func(s *corev1.PodSpec) any { return s.PriorityClassName }},
			{"liking for other pods", func(s *corev1.PodSpec) any { return s.Affinity.PodAffinity }},
			{"security context", func(s *corev1.PodSpec) any { return s.SecurityContext }},
			{"DNS policy", func(s *corev1.PodSpec) any { return s.DNSPolicy }},
			{"DNS settings", func(s *corev1.PodSpec) any { return s.DNSConfig }},
			{"host name", func(s *corev1.PodSpec) any { return s.Hostname }},
			{"subdomain", func(s *corev1.PodSpec) any { return s.Subdomain }},
			{"topology spread", func(s *corev1.PodSpec) any { return s.TopologySpreadConstraints }},
			{"host aliases", func(s *corev1.PodSpec) any { return s.HostAliases }},
			{"image pull secrets", func(s *corev1.PodSpec) any { return s.ImagePullSecrets }},
			{"container's ports", func(s *corev1.PodSpec) any { return s.Containers[0].Ports }},
			{"container's working directory", func(s *corev1.PodSpec) any { return s.Containers[0].WorkingDir }},
			{"container's pull policy", func(s *corev1.PodSpec) any { return s.Containers[0].ImagePullPolicy }},
			{"container's security context", func(s *corev1.PodSpec) any { return s.Containers[0].SecurityContext }},
			{"container's source of variables", func(s *corev1.PodSpec) any { return s.Containers[0].EnvFrom }},
			{"container's mounts", func(s *corev1.PodSpec) any { return s.Containers[0].VolumeMounts }},
			{"container's hooks", func(s *corev1.PodSpec) any { return s.Containers[0].Lifecycle }},
			{"container's termination message", func(s *corev1.PodSpec) any { return s.Containers[0].TerminationMessagePath }},
			{"container's termination message policy", func(s *corev1.PodSpec) any { return s.Containers[0].TerminationMessagePolicy }},
			{"container's stdin", func(s *corev1.PodSpec) any { return s.Containers[0].Stdin }},
			{"container's liveness probe", func(s *corev1.PodSpec) any { return s.Containers[0].LivenessProbe }},
			{"container's startup probe", func(s *corev1.PodSpec) any { return s.Containers[0].StartupProbe }},
			{"container's readiness probe", func(s *corev1.PodSpec) any { return s.Containers[0].ReadinessProbe }},
		}
		for _, pod := range r.Eventually(ctx, ds).Should(rollout.BeComplete()).Pods {
			for _, part := range parts {
				want := part.of(&ds.Spec.Template.Spec)
				Expect(want).NotTo(BeZero(), "the template's %s", part.what)
				Expect(part.of(&pod.Spec)).To(Equal(want), "the %s of pod %s should be its template's", part.what, pod.Name)
			}
		}
	})

	It("says whose it is and what it was made from", catalog.Covers("B-04", "M-07"), func(ctx SpecContext) {
		r.Nodes(ctx, 2)
		const finalizer = "rollcall.dev/template"
		ds := r.Create(ctx, fixtures.Fluentd(), rollout.Template(func(t *corev1.PodTemplateSpec) {
			t.Labels["tier"] = "node"
			t.Annotations = map[string]string{"rollcall.dev/note": "from the template"}
			t.Finalizers = []string{finalizer}
		}))
		client, namespace := r.Client, r.Namespace
		DeferCleanup(func(ctx context.Context) error { // else the pods stay for ever
			pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(ds.Spec.Selector)})
			if err != nil {
				return err
			}
			// New pods would have it too, so nothing may make any.
			orphan := metav1.DeletePropagationOrphan
			if err := client.AppsV1().DaemonSets(namespace).Delete(ctx, ds.Name, metav1.DeleteOptions{PropagationPolicy: &orphan}); err != nil {
				return err
			}
			for _, pod := range pods.Items {
				if _, err := client.CoreV1().Pods(namespace).Patch(ctx, pod.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}); err != nil && !apierrors.IsNotFound(err) {
					return err
				}
			}
			return nil
		}, NodeTimeout(time.Minute))

		for _, pod := range r.Eventually(ctx, ds).Should(rollout.BeComplete()).Pods {
			Expect(pod.OwnerReferences).To(ContainElement(rollout.OwnedBy(ds)), "the owners of pod %s", pod.Name) // there is one controller at most
			Expect(pod.Labels).To(And(HaveKeyWithValue("name", ds.Name), HaveKeyWithValue("tier", "node"), HaveKeyWithValue(appsv1.ControllerRevisionHashLabelKey, Not(BeEmpty()))))
			Expect(pod.Annotations).To(HaveKeyWithValue("rollcall.dev/note", "from the template"))
			Expect(pod.Finalizers).To(ContainElement(finalizer), "the finalizers of pod %s", pod.Name)
		}
	})
})

// tolerating are the pod's tolerations of the taint.
func tolerating(pod *corev1.Pod, taint corev1.Taint) []corev1.Toleration {
	var all []corev1.Toleration
	for _, t := range pod.Spec.Tolerations {
		if t.Operator == corev1.TolerationOpExists && (t.Key == "" || t.Key == taint.Key) && (t.Effect == "" || t.Effect == taint.Effect) {
			all = append(all, t)
		}
	}
	return all
}
