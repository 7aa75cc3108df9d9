// Command nodeimage builds kind's node image from source, for machines that cannot pull kindest/node: Debian's packages, the node
// files of the sigs.k8s.io/kind module, and Kubernetes binaries that were built before. README.md says how and why.
//
//	go run ./hack/nodeimage --version v1.36.3 --binaries FOLDER --tag rollcall.dev/node:v1.36.3
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	var o options
	flag.StringVar(&o.version, "version", "v1.36.3", "Kubernetes version of the binaries, with its v")
	flag.StringVar(&o.binaries, "binaries", "", "folder with kubeadm, kubelet, kubectl, kube-apiserver, kube-controller-manager, kube-scheduler and etcd (required)")
	flag.StringVar(&o.tag, "tag", "", "name of the image (default rollcall.dev/node:VERSION)")
	flag.StringVar(&o.cache, "cache", filepath.Join(".cache", "nodeimage"), "folder that keeps the root file system between builds")
	flag.StringVar(&o.suite, "suite", "bookworm", "Debian release of the node")
	flag.StringVar(&o.mirror, "mirror", "", "Debian mirror (default: mmdebstrap's own)")
	flag.Parse()
	if o.tag == "" {
		o.tag = "rollcall.dev/node:" + o.version
	}
	// A second interrupt ends the program at once, as without a handler: what is left then carries the build label.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := build(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "nodeimage:", err)
		os.Exit(1)
	}
}
