// Package kubernetes builds Kubernetes from source, through the Go module proxy: each version is a module of its own beside
// this file, because k8s.io/kubernetes pins every staging module and so cannot be required next to the suite's dependencies.
package kubernetes

import (
	"fmt"
	"slices"
	"strings"
)

// DefaultVersion is what is built when nobody asks for another.
const DefaultVersion = "v1.36.3"

// versions maps a version to the folder of its module. Older patch releases of a minor can be had by changing its go.mod.
var versions = map[string]string{
	"v1.36.3":  "v1.36",
	"v1.35.4":  "v1.35",
	"v1.34.4":  "v1.34",
	"v1.33.13": "v1.33",
	"v1.30.14": "v1.30",
}

// past are versions of which the DaemonSet controller alone is built: they have bugs that make track-record looks for.
var past = map[string]string{
	"v1.34.0": "v1.34.0",
	"v1.30.4": "v1.30.4",
	"v1.29.6": "v1.29.6",
	"v1.26.0": "v1.26.0",
	"v1.14.0": "v1.14.0",
}

// module is the folder of a version's module.
func module(version string) string { return versions[version] + past[version] }

// Versions lists what can be built, newest first.
func Versions() []string {
	all := make([]string, 0, len(versions))
	for v := range versions {
		all = append(all, v)
	}
	// Every minor has two digits and one version, so that the text order of the minors is their order.
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(versions[b], versions[a]) })
	return all
}

// ParseVersion returns the version that s names, with or without its v, or an error that lists those that can be built.
func ParseVersion(s string) (string, error) {
	version := "v" + strings.TrimPrefix(s, "v")
	if module(version) == "" {
		return "", fmt.Errorf("%s cannot be built; these can: %s", s, strings.Join(Versions(), ", "))
	}
	return version, nil
}

// Path returns the versions from one to a newer one, a minor after the other as an upgrade goes, both included.
func Path(from, to string) ([]string, error) {
	var path []string
	for _, v := range slices.Backward(Versions()) {
		if minor(v) >= minor(from) && minor(v) <= minor(to) {
			path = append(path, v)
		}
	}
	if minor(from) >= minor(to) {
		return nil, fmt.Errorf("an upgrade goes from a minor version to a newer one, not from %s to %s", from, to)
	}
	if want := minor(to) - minor(from) + 1; len(path) < want {
		return nil, fmt.Errorf("an upgrade takes one minor version at a time, and from %s to %s only %s can be built", from, to, strings.Join(path, ", "))
	}
	return path, nil
}

func minor(version string) int {
	var n int
	_, _ = fmt.Sscanf(version, "v1.%d", &n) // all versions here have that form
	return n
}

// binary is one program and where its source is.
type binary struct {
	name   string
	pkg    string
	module string // folder beside this file
	flags  string // -ldflags
}

// Set says which programs a cluster needs.
type Set int

const (
	// Simulated is a control plane and kwok.
	Simulated Set = iota
	// Kind is what goes into a node image, and kubectl.
	Kind
	// Controller is the DaemonSet controller alone.
	Controller
	// Kubectl is kubectl alone, for a cluster that somebody else made.
	Kubectl
)

func binaries(version string, set Set) []binary {
	module := module(version)
	own := func(name string) binary {
		return binary{name: name, pkg: "k8s.io/kubernetes/cmd/" + name, module: module, flags: stamp(version)}
	}
	if set == Controller {
		return []binary{{name: "daemonset-controller", pkg: "./daemonset-controller", module: module, flags: stamp(version)}}
	}
	if set == Kubectl {
		return []binary{own("kubectl")}
	}
	all := []binary{
		{name: "etcd", pkg: "go.etcd.io/etcd/server/v3", module: "etcd", flags: "-s -w"},
		own("kube-apiserver"), own("kube-controller-manager"), own("kube-scheduler"), own("kubectl"),
	}
	if set == Kind {
		return append(all, own("kubelet"), own("kubeadm"), own("kube-proxy"))
	}
	return append(all,
		binary{name: "kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok", module: "kwok", flags: "-s -w"},
		binary{name: "kwokctl", pkg: "sigs.k8s.io/kwok/cmd/kwokctl", module: "kwok", flags: "-s -w"},
	)
}

// stamp makes a binary report its version. Without it kubeadm and the checks of version skew misbehave, and kubectl,
// which reads client-go's copy, says v0.0.0.
func stamp(version string) string {
	minor := strings.Split(version, ".")[1]
	flags := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for name, value := range map[string]string{
			"gitVersion": version, "gitMajor": "1", "gitMinor": minor, "gitTreeState": "archive",
		} {
			flags = append(flags, fmt.Sprintf("-X %s.%s=%s", pkg, name, value))
		}
	}
	slices.Sort(flags[2:]) // the same flags give the same build
	return strings.Join(flags, " ")
}
