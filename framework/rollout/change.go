package rollout

import (
	"fmt"
	"reflect"

	"github.com/onsi/ginkgo/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Image sets the image of the first container.
func Image(image string) Change {
	return func(ds *appsv1.DaemonSet) { ds.Spec.Template.Spec.Containers[0].Image = image }
}

// MaxUnavailable makes the strategy RollingUpdate with this budget, a number (2) or a percentage ("30%"), and no surge.
func MaxUnavailable(budget any) Change {
	return func(ds *appsv1.DaemonSet) { setStrategy(ds, intOrPercent(budget), intstr.FromInt32(0)) }
}

// MaxSurge makes the strategy RollingUpdate with this surge, a number or a percentage, and maxUnavailable 0.
func MaxSurge(budget any) Change {
	return func(ds *appsv1.DaemonSet) { setStrategy(ds, intstr.FromInt32(0), intOrPercent(budget)) }
}

// OnDelete makes the strategy OnDelete.
func OnDelete() Change {
	return func(ds *appsv1.DaemonSet) {
		ds.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{Type: appsv1.OnDeleteDaemonSetStrategyType}
	}
}

// MinReadySeconds sets the field.
func MinReadySeconds(seconds int32) Change {
	return func(ds *appsv1.DaemonSet) { ds.Spec.MinReadySeconds = seconds }
}

// Named sets the name, for a second DaemonSet in a namespace. Its selector and labels follow, so that the two are told apart.
func Named(name string) Change {
	return func(ds *appsv1.DaemonSet) {
		ds.Name = name
		ds.Spec.Selector.MatchLabels["name"] = name
		ds.Spec.Template.Labels["name"] = name
	}
}

// Template changes the pod template.
func Template(change func(*corev1.PodTemplateSpec)) Change {
	return func(ds *appsv1.DaemonSet) { change(&ds.Spec.Template) }
}

// Container changes the first container.
func Container(change func(*corev1.Container)) Change {
	return func(ds *appsv1.DaemonSet) { change(&ds.Spec.Template.Spec.Containers[0]) }
}

// NeverReady gives the first container a readiness probe that cannot succeed.
func NeverReady() Change { return readiness([]string{"/bin/false"}, 0) }

// ReadyAfter gives the first container a readiness probe that is first asked after so many seconds.
func ReadyAfter(seconds int32) Change { return readiness([]string{"/bin/true"}, seconds) }

func readiness(command []string, delay int32) Change {
	return Container(func(c *corev1.Container) {
		c.ReadinessProbe = &corev1.Probe{
			ProbeHandler:        corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: command}},
			InitialDelaySeconds: delay, PeriodSeconds: 1,
		}
	})
}

// TerminatesFor makes the pods take so many seconds to end, by a preStop hook.
func TerminatesFor(seconds int64) Change {
	return Container(func(c *corev1.Container) {
		c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/sleep", fmt.Sprint(seconds)}}}}
	})
}

// Lingering makes every pod take ten minutes to end: longer than anything that is waited for. See Hurry.
func Lingering(ds *appsv1.DaemonSet) {
	TerminatesFor(600)(ds)
	ds.Spec.Template.Spec.TerminationGracePeriodSeconds = new(int64(600))
}

func setStrategy(ds *appsv1.DaemonSet, unavailable, surge intstr.IntOrString) {
	ds.Spec.UpdateStrategy = appsv1.DaemonSetUpdateStrategy{
		Type:          appsv1.RollingUpdateDaemonSetStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &unavailable, MaxSurge: &surge},
	}
}

func intOrPercent(budget any) intstr.IntOrString {
	switch b := budget.(type) {
	case int:
		return intstr.FromInt(b)
	case string:
		return intstr.FromString(b)
	}
	panic(fmt.Sprintf("a budget is a number or a percentage, not %T", budget))
}

// Need returns the provider as something that only some providers are, and skips the spec on the others.
func Need[T any](r *R) T {
	ginkgo.GinkgoHelper()
	ability, ok := r.Provider.(T)
	if !ok {
		ginkgo.Skip(fmt.Sprintf("the %s provider is no %s; PROVIDER=simulated is", r.Provider.State().Provider, reflect.TypeFor[T]()))
	}
	return ability
}
