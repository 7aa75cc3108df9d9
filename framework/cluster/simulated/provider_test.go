package simulated

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"rollcall.dev/framework/cluster"
)

// binaries is a folder with files that could be run, had they anything in them.
func binaries(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range append([]string{"kwokctl", "kubectl"}, binaryFlags...) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCreateRefusesBadInput(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "somebody's"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := cluster.Config{Name: "good", Nodes: 1, Binaries: binaries(t, ""), Dir: filepath.Join(t.TempDir(), "new")}
	for name, test := range map[string]struct {
		change func(*cluster.Config)
		says   string
	}{
		"a name with capitals": {func(c *cluster.Config) { c.Name = "Bad Name" }, "cluster name"},
		"too many nodes":       {func(c *cluster.Config) { c.Nodes = 5001 }, "1 to 5000 nodes"},
		"fewer than no node":   {func(c *cluster.Config) { c.Nodes = -1 }, "1 to 5000 nodes"},
		"no folder":            {func(c *cluster.Config) { c.Dir = "" }, "folder"},
		"no binaries":          {func(c *cluster.Config) { c.Binaries = full }, "no executable kwokctl"},
		"a folder in use":      {func(c *cluster.Config) { c.Dir = full }, "not empty"},
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			test.change(&config)
			p := New(config)
			_, err := p.Create(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line about %q", err, test.says)
			}
			// What a caller does after any Create must not touch what is not this cluster's.
			if err := p.Destroy(t.Context()); err != nil {
				t.Errorf("destroying what was never made: %v", err)
			}
			if _, err := os.Stat(filepath.Join(full, "somebody's")); err != nil {
				t.Error("a foreign folder was removed")
			}
		})
	}
}

func TestDestroyLeavesForeignFoldersAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "somebody's")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := New(cluster.Config{Name: "x", Dir: dir}).Destroy(t.Context()); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("it was removed: %v", err)
	}
	if err := New(cluster.Config{Name: "x", Dir: filepath.Join(dir, "none")}).Destroy(t.Context()); err != nil {
		t.Errorf("a cluster that is gone: %v", err)
	}
}

// TestCreateCleansUp: when kwokctl fails, or the caller gives up, the folder is gone again.
func TestCreateCleansUp(t *testing.T) {
	for name, test := range map[string]struct{ script, says string }{
		"kwokctl fails": {"echo the reason; exit 3", "the reason"},
		"interrupted":   {"exec sleep 60", "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			dir := filepath.Join(t.TempDir(), "new")
			_, err := New(cluster.Config{Name: "x", Nodes: 1, Binaries: binaries(t, test.script), Dir: dir}).Create(ctx)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("the folder is still there: %v", err)
			}
		})
	}
}

func TestDiedNamesTheComponent(t *testing.T) {
	p := New(cluster.Config{Name: "x", Dir: t.TempDir()})
	for file, text := range map[string]string{
		"pids/etcd.pid": "4194304", "logs/etcd.log": "first\nlisten tcp 127.0.0.1:1: bind: address already in use\n",
	} {
		path := filepath.Join(p.home(), file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := p.died()
	if err == nil || !strings.Contains(err.Error(), "etcd ended") || !strings.Contains(err.Error(), "already in use") {
		t.Errorf("got %v, want etcd and the end of its log", err)
	}
}

func TestAmend(t *testing.T) {
	n := node("n", nodeAddress(0))
	for _, arg := range []string{"label=a=b", "taint=k=v:NoSchedule", "taint=only=:NoExecute", "allocatable=cpu=500m"} {
		if err := amend(n, arg); err != nil {
			t.Errorf("%s: %v", arg, err)
		}
	}
	if n.Labels["a"] != "b" || len(n.Spec.Taints) != 2 || n.Spec.Taints[1] != (corev1.Taint{Key: "only", Effect: "NoExecute"}) || n.Status.Allocatable.Cpu().String() != "500m" {
		t.Errorf("labels %v, taints %v, cpu %v", n.Labels, n.Spec.Taints, n.Status.Allocatable.Cpu())
	}
	for _, arg := range []string{"", "label", "label=a", "colour=a=b", "allocatable=cpu=lots"} {
		if err := amend(n, arg); err == nil {
			t.Errorf("%q was accepted", arg)
		}
	}
}
