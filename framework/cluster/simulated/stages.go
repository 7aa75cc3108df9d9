package simulated

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The simulated kubelets are kwok's, and what they do is ours: kwok plays a Stage when its selector (jq) matches a pod, after its
// delay (jq), by a patch that its template (Go's text/template with sprig's functions) renders. The files in kubelet/ are those
// selectors, delays and templates, one concern each; Stages are composed from them here.
//
//	step.jq        which Stage a pod is due for: reject, admit, sync, terminate, delete, or none
//	due.jq         when a pod's next sync is due          death.jq        when a pod that is being deleted has stopped
//	admit.tmpl, reject.tmpl, sync.tmpl, terminate.tmpl    the writes; the other templates are their parts
//
// Every write carries the resourceVersion it was made from, so that one that comes too late is refused by the API server instead
// of undoing what happened since; the event that made it too late makes kwok plan again.
//
//go:embed kubelet/*.jq kubelet/*.tmpl
var kubeletFiles embed.FS

var stageResource = schema.GroupVersionResource{Group: "kwok.x-k8s.io", Version: "v1alpha1", Resource: "stages"}

// parts are the templates that define what the writes share.
var parts = []string{
	"clock", "program", "probe", "images", "stopping", "container", "backoff", "advance", "conditions",
}

const (
	askedAnnotation        = "simulated.rollcall.dev/asked"
	acknowledgedAnnotation = "simulated.rollcall.dev/acknowledged"
)

// again lets a second passing of the kubelet's delete wait, until the first would have shown: kwok deletes by name, and where the next pod
// has the same one, as some controllers will have it, that would be hit.
const again = `if (.metadata.deletionGracePeriodSeconds // 0) > 0 then "0s" else "2s" end`

// stages returns the Stages that behave as faults say, in the order in which they must be written: kwok sees them in that order,
// and once it acknowledges the last it knows all of them.
func stages(f faults) ([]*unstructured.Unstructured, error) {
	selectors, err := jqPrelude(f)
	if err != nil {
		return nil, err
	}
	render, err := templatePrelude(f)
	if err != nil {
		return nil, err
	}
	pod := func(name, delay string, next map[string]any) *unstructured.Unstructured {
		return stage("pod-"+name, "Pod", selectors+"step", []string{name}, delay, next)
	}
	status := func(file string) map[string]any {
		return map[string]any{"patches": []any{map[string]any{"subresource": "status", "root": "", "template": render + read(file)}}}
	}
	return []*unstructured.Unstructured{
		// Nodes first: kwok starts to heed leases with its first Stage for nodes, and its pods ask who holds them.
		stage("node-ready", "Node",
			selectors+`if stopped[.metadata.name] then "stopped" else (first(.status.conditions[]? | select(.type == "Ready") | .status) // "Unknown") end`,
			[]string{"Unknown", "False"}, "", status("node.tmpl")),
		pod("reject", "", status("reject.tmpl")),
		pod("admit", "", status("admit.tmpl")),
		pod("sync", selectors+"due", status("sync.tmpl")),
		pod("terminate", read("death.jq")+"death", status("terminate.tmpl")),
		pod("delete", again, map[string]any{"delete": true}),
		// The acknowledgement tells the provider that kwok works by these Stages, and that it has taken charge of the node: until kwok has
		// seen that it holds a node's lease it lets events of the node and its pods pass, and does not come back to them.
		stage("node-acknowledge", "Node",
			// A question that was asked of older Stages is answered too: its asker may not know yet that there are newer ones.
			fmt.Sprintf(`.metadata.annotations // {} | (.[%q] // "none" | split(".")[0] | tonumber? // infinite) <= %d and .[%q] != .[%[1]q]`,
				askedAnnotation, f.Generation, acknowledgedAnnotation),
			[]string{"true"}, "",
			map[string]any{"patches": []any{map[string]any{"root": "metadata",
				"template": fmt.Sprintf(`{"annotations":{%q: {{ index .metadata.annotations %q | quote }} }}`, acknowledgedAnnotation, askedAnnotation)}}}),
	}, nil
}

// stage is one Stage: it matches a kind's objects for which the jq program key answers one of values.
func stage(name, kind, key string, values []string, delay string, next map[string]any) *unstructured.Unstructured {
	match := make([]any, 0, len(values))
	for _, v := range values {
		match = append(match, v)
	}
	spec := map[string]any{
		"resourceRef": map[string]any{"apiGroup": "v1", "kind": kind},
		"selector": map[string]any{"matchExpressions": []any{
			map[string]any{"key": key, "operator": "In", "values": match},
		}},
		"next": next,
	}
	if delay != "" {
		spec["delay"] = map[string]any{"durationFrom": map[string]any{"expressionFrom": delay}}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": stageResource.GroupVersion().String(),
		"kind":       "Stage",
		"metadata":   map[string]any{"name": name},
		"spec":       spec,
	}}
}

// jqPrelude is what every jq program begins with: the tables, then due and step.
func jqPrelude(f faults) (string, error) {
	var b strings.Builder
	for _, table := range []struct {
		name string
		data map[string]string
	}{{"stopped", f.Stopped}, {"rejecting", f.Rejecting}} {
		data, err := json.Marshal(table.data)
		if err != nil {
			return "", fmt.Errorf("writing the table of nodes %s: %w", table.name, err)
		}
		fmt.Fprintf(&b, "def %s: %s;\n", table.name, data)
	}
	return b.String() + read("due.jq") + read("step.jq"), nil
}

// templatePrelude is what every template begins with: a part "tables" that puts the tables into its argument, then the other parts.
func templatePrelude(f faults) (string, error) {
	var b strings.Builder
	b.WriteString(`{{- define "tables" }}`)
	for _, table := range []struct {
		name string
		data any
	}{{"clocks", f.Clocks}, {"rejecting", f.Rejecting}, {"loaded", f.Loaded}, {"images", knownPattern()}, {"missing", missingImages}} {
		data, err := json.Marshal(table.data)
		if err != nil {
			return "", fmt.Errorf("writing the table %s: %w", table.name, err)
		}
		fmt.Fprintf(&b, "{{- $_ := set . %q (fromJson %q) }}", table.name, data)
	}
	b.WriteString("{{- end }}\n")
	for _, part := range parts {
		b.WriteString(read(part + ".tmpl"))
	}
	return b.String(), nil
}

// read returns an embedded file; of a jq program without comments, because every Stage for pods carries it several times.
func read(name string) string {
	data, err := kubeletFiles.ReadFile("kubelet/" + name)
	if err != nil {
		panic(err) // it is embedded: the name is ours
	}
	if !strings.HasSuffix(name, ".jq") {
		return string(data)
	}
	lines := slices.DeleteFunc(strings.Split(string(data), "\n"), func(line string) bool {
		line = strings.TrimSpace(line)
		return line == "" || strings.HasPrefix(line, "#")
	})
	return strings.Join(lines, "\n") + "\n"
}
