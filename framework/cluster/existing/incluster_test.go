package existing

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// TestServiceAccountRefersToTheTokensFile: the kubelet renews the token in its file; one that was copied would expire during a run.
func TestServiceAccountRefersToTheTokensFile(t *testing.T) {
	dir := t.TempDir()
	token, path := filepath.Join(dir, "token"), filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(token, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	pod := &rest.Config{Host: "https://10.96.0.1:443", BearerToken: "first", BearerTokenFile: token}
	if err := clientcmd.WriteToFile(serviceAccount(pod), path); err != nil {
		t.Fatal(err)
	}
	if err := CheckKubeconfig(path); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "first") {
		t.Errorf("the token itself is in the kubeconfig:\n%s", text)
	}
	config, err := restConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != pod.Host || config.BearerTokenFile != token {
		t.Errorf("got server %s with the token of %q, want %s with that of %s", config.Host, config.BearerTokenFile, pod.Host, token)
	}
}

func TestServiceAccountKubeconfigOutsideAPod(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := ServiceAccountKubeconfig(t.TempDir()); !errors.Is(err, rest.ErrNotInCluster) {
		t.Errorf("got %v, want %v", err, rest.ErrNotInCluster)
	}
}
