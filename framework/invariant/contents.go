package invariant

import (
	"fmt"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// difference says in a few words what of a template a pod lacks, or nothing. A pod may have more than its template: defaults,
// what admission adds (a token volume, a sidecar), automatic tolerations and the pinning to its node (catalog M-08).
func difference(template *corev1.PodTemplateSpec, pod *corev1.Pod) string {
	if d := mapDifference("label", template.Labels, pod.Labels); d != "" {
		return d
	}
	if d := mapDifference("annotation", template.Annotations, pod.Annotations); d != "" {
		return d
	}
	if d := containerDifference("container", template.Spec.Containers, pod.Spec.Containers); d != "" {
		return d
	}
	if d := containerDifference("init container", template.Spec.InitContainers, pod.Spec.InitContainers); d != "" {
		return d
	}
	for i := range template.Spec.Volumes {
		want := &template.Spec.Volumes[i]
		at := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == want.Name })
		if at < 0 {
			return fmt.Sprintf("volume %s is missing", want.Name)
		}
		if !sameSource(&want.VolumeSource, &pod.Spec.Volumes[at].VolumeSource) {
			return fmt.Sprintf("volume %s differs", want.Name)
		}
	}
	return ""
}

// sameSource compares volumes by their kind and contents.
func sameSource(a, b *corev1.VolumeSource) bool { return reflect.DeepEqual(a, b) }

func mapDifference(what string, want, have map[string]string) string {
	for key, value := range want {
		if key == appsv1.DefaultDaemonSetUniqueLabelKey {
			continue // one that a template was given, as whoever copies a pod's labels does, is the controller's to overwrite
		}
		if got, ok := have[key]; !ok {
			return fmt.Sprintf("%s %s is missing", what, key)
		} else if got != value {
			return fmt.Sprintf("%s %s is %q, not %q", what, key, got, value)
		}
	}
	return ""
}

func containerDifference(what string, want, have []corev1.Container) string {
	for i := range want {
		w := &want[i]
		at := slices.IndexFunc(have, func(c corev1.Container) bool { return c.Name == w.Name })
		if at < 0 {
			return fmt.Sprintf("%s %s is missing", what, w.Name)
		}
		h := &have[at]
		switch {
		case w.Image != h.Image:
			return fmt.Sprintf("%s %s has image %s, not %s", what, w.Name, h.Image, w.Image)
		case !slices.Equal(w.Command, h.Command):
			return fmt.Sprintf("%s %s has command %q, not %q", what, w.Name, h.Command, w.Command)
		case !slices.Equal(w.Args, h.Args):
			return fmt.Sprintf("%s %s has args %q, not %q", what, w.Name, h.Args, w.Args)
		}
		for k := range w.Env {
			at := slices.IndexFunc(h.Env, func(e corev1.EnvVar) bool { return e.Name == w.Env[k].Name })
			if at < 0 || !reflect.DeepEqual(w.Env[k], h.Env[at]) {
				return fmt.Sprintf("%s %s has another value of env %s", what, w.Name, w.Env[k].Name)
			}
		}
		if d := resourceDifference(w.Resources.Requests, h.Resources.Requests); d != "" {
			return fmt.Sprintf("%s %s has another request of %s", what, w.Name, d)
		}
		if d := resourceDifference(w.Resources.Limits, h.Resources.Limits); d != "" {
			return fmt.Sprintf("%s %s has another limit of %s", what, w.Name, d)
		}
	}
	return ""
}

func resourceDifference(want, have corev1.ResourceList) string {
	for name, quantity := range want {
		if got, ok := have[name]; !ok || quantity.Cmp(got) != 0 {
			return string(name)
		}
	}
	return ""
}
