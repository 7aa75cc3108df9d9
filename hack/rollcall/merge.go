package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/report"
)

// runMerge makes one report of what shards left: in their folders below ARTIFACTS or, with RESULTS, in their ConfigMaps. It is an error
// unless every shard has ended well and the whole would pass as the run of a single process.
func runMerge(ctx context.Context, s settings) error {
	if match := configMapName.FindStringSubmatch(s.Results); match != nil {
		if err := fetchShards(ctx, match[1], match[2], s.Artifacts); err != nil {
			return err
		}
	}
	folders, err := shardFolders(s.Artifacts)
	if err != nil {
		return err
	}
	r, faults := report.SaveShards(s.Artifacts, folders)
	if r == nil {
		return faults
	}
	summarize(r, s.Artifacts)
	if faults != nil {
		for _, line := range strings.Split(faults.Error(), "\n") {
			say("%s", line)
		}
		return specsFailed{faults}
	}
	if err := r.Err(); err != nil {
		return specsFailed{err}
	}
	return nil
}

// partsIn are the files that make merge needs of a shard. Of other runs there are none.
func partsIn(artifacts string) []string {
	if plan, err := report.LoadPlan(filepath.Join(artifacts, report.PartsFolder)); err != nil || plan.Shard == nil {
		return nil
	}
	var names []string
	entries, _ := os.ReadDir(filepath.Join(artifacts, report.PartsFolder)) // what cannot be read is missed by the merge
	for _, e := range entries {
		names = append(names, filepath.Join(report.PartsFolder, e.Name()))
	}
	return names
}

// fetchShards brings the parts in a run's ConfigMaps to folders below artifacts, in place of what is there.
func fetchShards(ctx context.Context, namespace, name, artifacts string) error {
	from, release, err := openConfigMap(namespace, name)
	if err != nil {
		return err
	}
	return errors.Join(from.fetchShards(ctx, artifacts), release())
}

func (c configMap) fetchShards(ctx context.Context, artifacts string) error {
	list, err := c.client.CoreV1().ConfigMaps(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("RESULTS=configmap/%s/%s: %w", c.namespace, c.name, err)
	}
	if err := removeShards(artifacts); err != nil {
		return err
	}
	ofShard := regexp.MustCompile("^" + regexp.QuoteMeta(c.name) + `-(\d+)$`)
	found := 0
	for i := range list.Items {
		m := &list.Items[i]
		match := ofShard.FindStringSubmatch(m.Name)
		if match == nil {
			continue
		}
		found++
		if left := m.Data["left-out"]; left != "" {
			say("ConfigMap %s/%s was too small for %s", c.namespace, m.Name, left)
		}
		index, err := strconv.Atoi(match[1])
		if err == nil {
			err = unpack(m, filepath.Join(shardFolder(artifacts, index), report.PartsFolder))
		}
		if err != nil {
			return fmt.Errorf("ConfigMap %s/%s: %w", c.namespace, m.Name, err)
		}
	}
	if found == 0 {
		return fmt.Errorf("RESULTS=configmap/%s/%s: there is no ConfigMap %s-0, nor any other shard's", c.namespace, c.name, c.name)
	}
	return nil
}

// removeShards makes room, so that an earlier run's shards are not taken for those that are missing now.
func removeShards(artifacts string) error {
	old, err := filepath.Glob(filepath.Join(artifacts, "shard-*"))
	for _, folder := range old {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	return err
}

func unpack(m *corev1.ConfigMap, parts string) error {
	if err := os.MkdirAll(parts, 0o755); err != nil {
		return err
	}
	for key, content := range m.BinaryData {
		name, zipped := strings.CutSuffix(key, ".gz")
		if !zipped || name != filepath.Base(name) || slices.Contains(reports, name) {
			continue // of the reports there will be new ones
		}
		unzipping, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		text, err := io.ReadAll(unzipping)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if err := os.WriteFile(filepath.Join(parts, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
