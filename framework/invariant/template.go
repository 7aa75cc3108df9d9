package invariant

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/history"
)

// templateKey is equal for templates that mean the same to the API server. It goes through the typed object, so that neither
// the order of fields nor an explicit null (`creationTimestamp: null`) makes a difference. seen spares hashing a text twice.
func templateKey(template *corev1.PodTemplateSpec, seen map[string]string) string {
	text, err := json.Marshal(template)
	if err != nil {
		return ""
	}
	if key, ok := seen[string(text)]; ok {
		return key
	}
	key := fmt.Sprintf("%x", sha256.Sum256(text))[:16]
	if seen != nil {
		seen[string(text)] = key
	}
	return key
}

// revisionTemplate reads the template out of a ControllerRevision: {"spec":{"template":{…,"$patch":"replace"}}}, the form that
// kubectl sends back as a patch to roll back (catalog I-01). It returns nil for any other form.
func revisionTemplate(cr *appsv1.ControllerRevision) *corev1.PodTemplateSpec {
	var patch struct {
		Spec struct {
			Template *corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	if json.Unmarshal(cr.Data.Raw, &patch) != nil {
		return nil
	}
	return patch.Spec.Template
}

func (r *replay) readRevision(i int, e *history.Entry) {
	cr := e.ControllerRevision
	first, ok := r.sighted[cr.UID]
	if !ok {
		first = i
		r.sighted[cr.UID] = i
	}
	owner := metav1.GetControllerOfNoCopy(cr)
	if owner == nil || owner.Kind != "DaemonSet" {
		return
	}
	ds := r.set(owner.UID)
	hash := cr.Labels[appsv1.DefaultDaemonSetUniqueLabelKey]
	for _, known := range ds.revisions[hash] {
		if known.uid == cr.UID {
			if e.Type == history.Deleted {
				known.gone = i
			}
			return
		}
	}
	rev := &revision{
		uid: cr.UID, name: cr.Name, hash: hash, created: cr.CreationTimestamp.Time,
		listed: r.entries[first].Type == history.Listed, seq: first, gone: -1, template: revisionTemplate(cr),
	}
	if rev.template != nil {
		rev.key = templateKey(rev.template, nil)
	}
	if e.Type == history.Deleted {
		rev.gone = i
	}
	ds.revisions[hash] = append(ds.revisions[hash], rev)
}

// carries says how the template that a pod was made from relates to versions of its DaemonSet.
type carries int

const (
	unsure carries = iota
	all            // it is the template of every one of the versions
	none           // it is that of none of them
	some           // it is that of some of them
)

// carried relates a pod to versions: by its hash label and the ControllerRevision that bears the same one, or, where there is
// none, by the pod's contents. The names and the hashes themselves are the implementation's own business.
func (p *pod) carried(versions []*version) carries {
	if len(versions) == 0 {
		return unsure
	}
	hits := 0
	for _, v := range versions {
		hit, sure := p.carriesVersion(v)
		if !sure {
			return unsure
		}
		if hit {
			hits++
		}
	}
	switch hits {
	case 0:
		return none
	case len(versions):
		return all
	default:
		return some
	}
}

func (p *pod) carriesVersion(v *version) (hit, sure bool) {
	keyed := false
	for _, rev := range p.set.revisions[p.hash] {
		if rev.key == "" {
			continue
		}
		keyed = true
		if rev.key == v.key {
			return true, true
		}
	}
	if keyed {
		return false, true
	}
	// Contents can only be compared one way (a pod has more than its template), so a match may be one with several versions.
	return difference(&v.object.Spec.Template, p.object) == "", true
}
