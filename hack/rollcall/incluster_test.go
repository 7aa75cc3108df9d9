package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"

	"rollcall.dev/framework/cluster"
)

const inCluster = "../ci/in-cluster"

// manifest reads a file's objects, strictly: a field that Kubernetes does not know would silently do nothing.
func manifest(t *testing.T, name string) (objects []any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(inCluster, name))
	if err != nil {
		t.Fatal(err)
	}
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	defer documents.Close()
	buffer := make([]byte, len(text))
	for {
		n, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		object, kind, err := scheme.Codecs.UniversalDeserializer().Decode(buffer[:n], nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fresh := reflect.New(reflect.TypeOf(object).Elem()).Interface()
		if err := yaml.UnmarshalStrict(buffer[:n], fresh); err != nil {
			t.Errorf("%s: %s: %v", name, kind.Kind, err)
		}
		objects = append(objects, fresh)
	}
}

func TestTheRoleIsWhatTheRunAsksFor(t *testing.T) {
	var role *rbacv1.ClusterRole
	for _, object := range manifest(t, "rbac.yaml") {
		if r, ok := object.(*rbacv1.ClusterRole); ok {
			role = r
		}
	}
	if role == nil {
		t.Fatal("rbac.yaml has no ClusterRole")
	}
	if reflect.DeepEqual(role.Rules, cluster.Rules()) {
		return
	}
	var want strings.Builder
	quoted := func(words []string) string { return strings.ReplaceAll(fmt.Sprintf("%q", words), " ", ", ") }
	for _, r := range cluster.Rules() {
		fmt.Fprintf(&want, "- {apiGroups: %s, resources: [%s], verbs: [%s]}\n", quoted(r.APIGroups), r.Resources[0], strings.Join(r.Verbs, ", "))
	}
	t.Errorf("rbac.yaml grants something else than framework/cluster asks for; its rules must be:\n%s", want.String())
}

func TestTheJobsRunThisImage(t *testing.T) {
	for _, file := range []string{"job.yaml", "sharded.yaml"} {
		job, ok := manifest(t, file)[0].(*batchv1.Job)
		if !ok {
			t.Fatalf("%s begins with something else than a Job", file)
		}
		checkContainer(t, file, job.Spec.Template.Spec.Containers[0])
		last := "0"
		if job.Spec.Completions != nil {
			last = fmt.Sprint(*job.Spec.Completions - 1)
		}
		// As the kubelet would: $(NAME) is what an earlier variable has.
		env := map[string]string{}
		for _, variable := range job.Spec.Template.Spec.Containers[0].Env {
			value := variable.Value
			if from := variable.ValueFrom; from != nil {
				value = map[string]string{
					"metadata.namespace": job.Namespace,
					"metadata.annotations['" + batchv1.JobCompletionIndexAnnotation + "']": last,
					"metadata.labels['" + batchv1.ControllerUidLabel + "']":                "5f0c",
				}[from.FieldRef.FieldPath]
			}
			for name, earlier := range env {
				value = strings.ReplaceAll(value, "$("+name+")", earlier)
			}
			env[variable.Name] = value
		}
		if env["DURATIONS"] != "" {
			checkOptional(t, file, job.Spec.Template.Spec, env["DURATIONS"])
			env["DURATIONS"] = t.TempDir() // which is what the pod sees then
		}
		s, err := loadSettings(func(name string) string { return env[name] })
		if err != nil || s.Results == "" {
			t.Errorf("%s: its variables are refused, or it keeps no results: %v", file, err)
		}
		if sharded := file == "sharded.yaml"; sharded != (s.Shard != nil) || sharded && (s.Shard.String() != "2/3" || s.Shard.Run != "5f0c") {
			t.Errorf("%s: its last pod is shard %v", file, s.Shard)
		}
	}
}

// checkOptional complains unless a ConfigMap is mounted at the path that need not be there: before the first run there is none.
func checkOptional(t *testing.T, file string, pod corev1.PodSpec, path string) {
	t.Helper()
	for _, mount := range pod.Containers[0].VolumeMounts {
		for _, volume := range pod.Volumes {
			if mount.MountPath == path && volume.Name == mount.Name && volume.ConfigMap != nil && volume.ConfigMap.Optional != nil && *volume.ConfigMap.Optional {
				return
			}
		}
	}
	t.Errorf("%s: there is no optional ConfigMap at %s", file, path)
}

// TestTheSonobuoyPlugin has the fields of Sonobuoy's plugin definition that are used, for want of its types.
func TestTheSonobuoyPlugin(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(inCluster, "sonobuoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var plugin struct {
		Config struct {
			Driver      string `json:"driver"`
			Name        string `json:"plugin-name"`
			Description string `json:"description"`
			Format      string `json:"result-format"`
		} `json:"sonobuoy-config"`
		PodSpec corev1.PodSpec   `json:"podSpec"`
		Spec    corev1.Container `json:"spec"`
	}
	if err := yaml.UnmarshalStrict(text, &plugin); err != nil {
		t.Fatal(err)
	}
	if plugin.Config.Driver != "Job" || plugin.Config.Format != "junit" {
		t.Errorf("the plugin is a %s with results as %s, want a Job with junit", plugin.Config.Driver, plugin.Config.Format)
	}
	checkContainer(t, "sonobuoy.yaml", plugin.Spec)
}

func checkContainer(t *testing.T, file string, c corev1.Container) {
	t.Helper()
	if c.Image != suiteImage || !reflect.DeepEqual(c.Args, []string{"e2e"}) {
		t.Errorf("%s runs %s %v, want %s [e2e]", file, c.Image, c.Args, suiteImage)
	}
}
