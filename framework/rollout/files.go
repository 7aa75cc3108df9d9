package rollout

import (
	"fmt"
	"os"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"rollcall.dev/fixtures"
	"rollcall.dev/framework/cluster"
)

// File writes a fixture to a file for kubectl, and returns its path. It gets the run's label, and where the spec has a
// namespace of its own, that and the leased nodes; nothing else is changed, so that what kubectl reads is what a user wrote.
func (r *R) File(name string) string {
	ginkgo.GinkgoHelper()
	path := r.temporary(name)
	text, err := r.manifest(fixtures.Manifest(name))
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "writing %s for kubectl", name)
	return path
}

func (r *R) manifest(text []byte) ([]byte, error) {
	var object map[string]any
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	metadata := child(object, "metadata")
	child(metadata, "labels")[cluster.RunLabel] = r.Run
	if r.shared == "" {
		metadata["namespace"] = r.Namespace
		if object["kind"] == "DaemonSet" {
			selector := child(child(child(child(object, "spec"), "template"), "spec"), "nodeSelector")
			for key, value := range r.nodeSelector(r.holder(), nil) {
				selector[key] = value
			}
		}
	}
	return yaml.Marshal(object)
}

// child returns the map under key, making it where there is none.
func child(parent map[string]any, key string) map[string]any {
	if c, ok := parent[key].(map[string]any); ok {
		return c
	}
	c := map[string]any{}
	parent[key] = c
	return c
}
