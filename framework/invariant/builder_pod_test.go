package invariant

import (
	"fmt"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"rollcall.dev/framework/history"
)

func podRef(p *corev1.Pod) history.Reference {
	return history.Reference{Resource: history.Pods, Namespace: p.Namespace, Name: p.Name, UID: p.UID}
}

func (f *film) add(ds *appsv1.DaemonSet, node string, changes ...func(*corev1.Pod)) *corev1.Pod {
	p := f.pod(ds, node)
	for _, change := range changes {
		change(p)
	}
	f.pods = append(f.pods, p)
	f.emitPod(history.Added, p)
	return p
}

// named gives a pod the name of another one.
func named(other *corev1.Pod) func(*corev1.Pod) {
	name := other.Name
	return func(p *corev1.Pod) { p.Name = name }
}

func (f *film) pod(ds *appsv1.DaemonSet, node string) *corev1.Pod {
	f.ids++
	yes := true
	p := &corev1.Pod{ObjectMeta: *ds.Spec.Template.ObjectMeta.DeepCopy(), Spec: *ds.Spec.Template.Spec.DeepCopy()}
	p.Name, p.GenerateName, p.Namespace, p.UID = fmt.Sprintf("%s-%03d", ds.Name, f.ids), ds.Name+"-", ds.Namespace, types.UID(fmt.Sprintf("pod-%d", f.ids))
	p.CreationTimestamp = f.second()
	p.Labels = map[string]string{"controller-revision-hash": f.hash(ds)}
	for k, v := range ds.Spec.Template.Labels {
		p.Labels[k] = v
	}
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: ds.Name, UID: ds.UID, Controller: &yes, BlockOwnerDeletion: &yes}}
	p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{{
			Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}}}}}
	p.Status.Phase = corev1.PodPending
	return p
}

// orphan has the suite make a pod like the DaemonSet's that nobody controls; adopt is its adoption.
func (f *film) orphan(ds *appsv1.DaemonSet, node string, changes ...func(*corev1.Pod)) (p *corev1.Pod, adopt func()) {
	p = f.pod(ds, node)
	owners := p.OwnerReferences
	p.OwnerReferences = nil
	for _, change := range changes {
		change(p)
	}
	f.pods = append(f.pods, p)
	f.act("create", podRef(p), []history.Disturbance{history.PodsForeign}, func() { f.emitPod(history.Added, p) })
	return p, func() {
		p.OwnerReferences = owners
		f.emitPod(history.Modified, p)
	}
}

func (f *film) bind(p *corev1.Pod) {
	p.Spec.NodeName = targetNode(p)
	f.emitPod(history.Modified, p)
}

func (f *film) condition(p *corev1.Pod, ready bool) {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: f.second()}}
}

func (f *film) ready(p *corev1.Pod) {
	if p.Spec.NodeName == "" {
		f.bind(p)
	}
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "fluentd", Image: p.Spec.Containers[0].Image}}
	f.condition(p, true)
	f.emitPod(history.Modified, p)
}

func (f *film) unready(p *corev1.Pod) {
	f.condition(p, false)
	f.emitPod(history.Modified, p)
}

func (f *film) fail(p *corev1.Pod) {
	p.Status.Phase = corev1.PodFailed
	f.condition(p, false)
	f.emitPod(history.Modified, p)
}

func (f *film) del(p *corev1.Pod) {
	grace := *p.Spec.TerminationGracePeriodSeconds
	if p.Spec.NodeName == "" || terminal(p) {
		grace = 0
	}
	until := metav1.NewTime(f.second().Add(time.Duration(grace) * time.Second))
	p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &until, &grace
	if grace == 0 && len(p.Finalizers) == 0 {
		f.gone(p)
		return
	}
	f.emitPod(history.Modified, p)
}

func (f *film) die(p *corev1.Pod) {
	p.Status.Phase = corev1.PodSucceeded
	f.condition(p, false)
	f.emitPod(history.Modified, p)
}

func (f *film) gone(p *corev1.Pod) {
	f.emitPod(history.Deleted, p)
	for i := range f.pods {
		if f.pods[i] == p {
			f.pods = append(f.pods[:i], f.pods[i+1:]...)
			return
		}
	}
}

func (f *film) remove(p *corev1.Pod) {
	f.del(p)
	if len(f.alive(p)) > 0 {
		f.die(p)
		f.gone(p)
	}
}

func (f *film) alive(p *corev1.Pod) []*corev1.Pod {
	for _, o := range f.pods {
		if o == p {
			return []*corev1.Pod{p}
		}
	}
	return nil
}

func (f *film) replace(ds *appsv1.DaemonSet, p *corev1.Pod) *corev1.Pod {
	node := targetNode(p)
	f.remove(p)
	fresh := f.add(ds, node)
	f.ready(fresh)
	return fresh
}

func (f *film) fill(ds *appsv1.DaemonSet, nodes int) []*corev1.Pod {
	var pods []*corev1.Pod
	for i := 1; i <= nodes; i++ {
		p := f.add(ds, "node-"+strconv.Itoa(i))
		f.ready(p)
		pods = append(pods, p)
	}
	f.wait(float64(ds.Spec.MinReadySeconds) + 1)
	f.observe(ds)
	return pods
}
