package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"rollcall.dev/framework/cluster"
)

// reports are what goes into a ConfigMap, the most important first. Histories are too large for one.
var reports = []string{"report.yaml", "junit.xml", "index.html"}

// mostInConfigMap is below the 1 MiB that the API server accepts, by some room for names.
const mostInConfigMap = 1_000_000

// configMap is a receiver that outlives the pod: the reports, compressed, and under "outcome" how the run ended.
type configMap struct {
	client          kubernetes.Interface
	namespace, name string
	most            int
}

func openConfigMap(namespace, name string) (configMap, func() error, error) {
	kubeconfig, release, err := existingKubeconfig()
	if err != nil {
		return configMap{}, nil, fmt.Errorf("RESULTS=configmap/%s/%s: %w", namespace, name, err)
	}
	config, err := cluster.RestConfig(cluster.State{Kubeconfig: kubeconfig})
	if err != nil {
		return configMap{}, nil, errors.Join(err, release())
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return configMap{}, nil, errors.Join(err, release())
	}
	return configMap{client, namespace, name, mostInConfigMap}, release, nil
}

func (c configMap) expect(ctx context.Context) error {
	return c.write(ctx, map[string]string{"outcome": "the run has not ended"}, nil)
}

func (c configMap) take(ctx context.Context, artifacts, outcome string) error {
	files, size := map[string][]byte{}, len(outcome)
	var kept, left []string
	for _, name := range append(partsIn(artifacts), present(artifacts, reports)...) {
		content, err := compressed(filepath.Join(artifacts, name))
		if err != nil {
			return fmt.Errorf("compressing %s: %w", name, err)
		}
		name = filepath.Base(name)
		if size+len(content) > c.most {
			left = append(left, name)
			continue
		}
		size += len(content)
		files[name+".gz"] = content
		kept = append(kept, name+".gz")
	}
	data := map[string]string{"outcome": outcome}
	if len(left) > 0 {
		data["left-out"] = strings.Join(left, ", ")
		say("too large for a ConfigMap: %s", data["left-out"])
	}
	if err := c.write(ctx, data, files); err != nil {
		return err
	}
	say("results: ConfigMap %s/%s: %s", c.namespace, c.name, strings.Join(append([]string{"outcome"}, kept...), ", "))
	return nil
}

// write makes the ConfigMap hold this and nothing else.
func (c configMap) write(ctx context.Context, data map[string]string, files map[string][]byte) error {
	maps := c.client.CoreV1().ConfigMaps(c.namespace)
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: c.name, Namespace: c.namespace}, Data: data, BinaryData: files}
	_, err := maps.Create(ctx, m, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = maps.Update(ctx, m, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("writing the results to ConfigMap %s/%s: %w", c.namespace, c.name, err)
	}
	return nil
}

func compressed(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err = w.Write(content)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}
