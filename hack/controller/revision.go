package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const hashLabel = appsv1.ControllerRevisionHashLabelKey

// snapshot is a template as kubectl expects it in a revision: a patch that replaces the whole template, keys in order. kubectl compares the
// bytes.
func snapshot(template *corev1.PodTemplateSpec) ([]byte, error) {
	text, err := json.Marshal(template)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	fields["$patch"] = "replace"
	return json.Marshal(map[string]any{"spec": map[string]any{"template": fields}})
}

// holds says whether a revision has this template. Meaning is compared, not bytes: another version of Kubernetes may have written it, with
// fields in another order or with nulls, and pods must not restart for that.
func holds(revision *appsv1.ControllerRevision, template *corev1.PodTemplateSpec) bool {
	var kept struct {
		Spec struct{ Template corev1.PodTemplateSpec }
	}
	if revision.Labels[hashLabel] == "" || json.Unmarshal(revision.Data.Raw, &kept) != nil {
		return false
	}
	was, err := snapshot(&kept.Spec.Template)
	is, other := snapshot(template)
	return err == nil && other == nil && reflect.DeepEqual(was, is)
}

// current is the revision of the DaemonSet's template if there is one and it is the latest, as it has to be; else nil.
func (v *view) current() *appsv1.ControllerRevision {
	latest := v.latest()
	if latest == nil || !holds(latest, &v.set.Spec.Template) {
		return nil
	}
	return latest
}

func (v *view) latest() *appsv1.ControllerRevision {
	if len(v.revisions) == 0 {
		return nil
	}
	return slices.MaxFunc(v.revisions, func(a, b *appsv1.ControllerRevision) int { return cmp.Compare(a.Revision, b.Revision) })
}

// hashes are those of the DaemonSet's template. A history may hold it twice, under two hashes: pods of either are new.
func (v *view) hashes() map[string]bool {
	all := map[string]bool{}
	for _, revision := range v.revisions {
		if holds(revision, &v.set.Spec.Template) {
			all[revision.Labels[hashLabel]] = true
		}
	}
	return all
}

// ensureRevision makes the template the latest in the history: an earlier revision moves up, a template that was never seen gets a new one.
func (c *controller) ensureRevision(ctx context.Context, v *view) error {
	if v.current() != nil {
		return nil
	}
	next := int64(1)
	if latest := v.latest(); latest != nil {
		next = latest.Revision + 1
	}
	revisions := c.client.AppsV1().ControllerRevisions(v.set.Namespace)
	for i, revision := range v.revisions {
		if !holds(revision, &v.set.Spec.Template) {
			continue
		}
		revision = revision.DeepCopy()
		revision.Revision = next
		moved, err := revisions.Update(ctx, revision, metav1.UpdateOptions{})
		if err == nil {
			v.revisions[i] = moved
		}
		return err
	}
	data, err := snapshot(&v.set.Spec.Template)
	if err != nil {
		return err
	}
	// A name that somebody else has is no reason to stop: the next one is tried.
	for salt := range 20 {
		hash := hashOf(data, salt)
		revision := &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{
				Name:            fmt.Sprintf("%s-template-%s", shortened(v.set.Name), hash),
				Namespace:       v.set.Namespace,
				Labels:          withHash(v.set.Spec.Template.Labels, hash),
				Annotations:     v.set.Annotations,
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(v.set, kind)},
			},
			Data:     runtime.RawExtension{Raw: data},
			Revision: next,
		}
		made, err := revisions.Create(ctx, revision, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			continue
		}
		if err == nil {
			v.revisions = append(v.revisions, made)
		}
		return err
	}
	return fmt.Errorf("twenty names for a revision of %s are taken", v.set.Name)
}

// surplusRevisions are those beyond the history's limit, the oldest first. The template's own never counts, and what a pod still runs stays.
func (v *view) surplusRevisions() []*appsv1.ControllerRevision {
	used := map[string]bool{}
	for _, pod := range v.pods {
		used[pod.Labels[hashLabel]] = true
	}
	var old []*appsv1.ControllerRevision
	room, current := int(*v.set.Spec.RevisionHistoryLimit), v.current()
	for _, revision := range v.revisions {
		switch {
		case revision == current:
		case used[revision.Labels[hashLabel]]:
			room--
		default:
			old = append(old, revision)
		}
	}
	slices.SortFunc(old, func(a, b *appsv1.ControllerRevision) int { return cmp.Compare(a.Revision, b.Revision) })
	return old[:max(0, len(old)-max(0, room))]
}

func (c *controller) deleteRevisions(ctx context.Context, v *view) error {
	for _, revision := range v.surplusRevisions() {
		err := c.client.AppsV1().ControllerRevisions(revision.Namespace).Delete(ctx, revision.Name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &revision.UID, ResourceVersion: &revision.ResourceVersion},
		})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// hashOf is short enough for a label, and lower case so that a name can have it.
func hashOf(data []byte, salt int) string {
	digest := sha256.Sum256(fmt.Appendf(nil, "%d %s", salt, data))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(digest[:10]))
}

// shortened leaves room in a name for what comes behind it.
func shortened(name string) string { return strings.TrimRight(name[:min(len(name), 200)], "-.") }
