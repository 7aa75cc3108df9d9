package simulated

import (
	"regexp"
	"testing"
)

// knows says what kubelet/images.tmpl says, with the same table.
func knows(image string, loaded map[string]string) bool {
	if _, ok := loaded[image]; ok {
		return true
	}
	return regexp.MustCompile(knownPattern()).MatchString(image) && !regexp.MustCompile(missingImages).MatchString(image)
}

func TestKnownImages(t *testing.T) {
	loaded := map[string]string{"registry.example.com/agent:v7": "loaded"}
	for image, want := range map[string]bool{
		"quay.io/fluentd_elasticsearch/fluentd:v2.5.2":           true,
		"quay.io/fluentd_elasticsearch/fluentd:v2.6.0":           true,
		"quay.io/fluentd_elasticsearch/fluentd:v3.0.0":           false,
		"quay.io/fluentd_elasticsearch/fluentd:v2.6.0-no-such":   false,
		"quay.io/fluentd_elasticsearch/fluentd":                  false,
		"rollcall.dev/standin:2":                                 true,
		"registry.k8s.io/pause:3.10":                             true,
		"registry.k8s.io/e2e-test-images/httpd:2.4.38-4":         true,
		"registry.k8s.io/e2e-test-images/agnhost:2.56":           true,
		"registry.k8s.io/e2e-test-images/agnhost:does-not-exist": false,
		"nginx":                          true,
		"nginx:1.27":                     true,
		"docker.io/library/busybox:1.36": true,
		"docker.io/nginx:latest":         true,
		"nginx:v0.0.0-does-not-exist":    false,
		"foo:non-existent":               false,
		"webserver:404":                  false,
		"evil.example.com/nginx:1.27":    false,
		"registry.example.com/agent:v7":  true,
		"registry.example.com/agent:v8":  false,
		"nginx@sha256:0000000000000000000000000000000000000000000000000000000000000000": true,
	} {
		if got := knows(image, loaded); got != want {
			t.Errorf("%s: known %v, want %v", image, got, want)
		}
	}
}

func TestCheckImage(t *testing.T) {
	for image, good := range map[string]bool{"nginx": true, "registry.example.com:5000/a/b:v1": true, "": false, "-x": false, "a b": false} {
		if err := checkImage(image); (err == nil) != good {
			t.Errorf("%q: %v", image, err)
		}
	}
}
