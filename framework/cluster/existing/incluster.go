package existing

import (
	"fmt"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ServiceAccountKubeconfig writes a kubeconfig for the service account of the pod that this program runs in, into dir, and returns its
// path: kubectl does not find its way by itself. The error is rest.ErrNotInCluster outside a pod. The token stays where the kubelet puts
// it and is only referred to, because the kubelet replaces it long before a long run ends.
func ServiceAccountKubeconfig(dir string) (string, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(serviceAccount(config), path); err != nil {
		return "", fmt.Errorf("writing a kubeconfig for the pod's service account: %w", err)
	}
	return path, nil
}

func serviceAccount(config *rest.Config) clientcmdapi.Config {
	const name = "pod"
	c := clientcmdapi.NewConfig()
	c.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthority: config.CAFile}
	c.AuthInfos[name] = &clientcmdapi.AuthInfo{TokenFile: config.BearerTokenFile}
	c.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	c.CurrentContext = name
	return *c
}
