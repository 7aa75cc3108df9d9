// Command daemonset-controller runs the DaemonSet controller of a Kubernetes before 1.27 and nothing else. Those are made in another way than
// the ones since.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/kubernetes/pkg/controller/daemon"
)

func main() {
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "path of the cluster's kubeconfig")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig); err != nil {
		fmt.Fprintln(os.Stderr, "daemonset-controller:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 50, 100
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 12*time.Hour)
	// One second to fifteen minutes: what kube-controller-manager passes for failed pods.
	backoff := flowcontrol.NewBackOff(time.Second, 15*time.Minute)
	controller, err := daemon.NewDaemonSetsController(factory.Apps().V1().DaemonSets(), factory.Apps().V1().ControllerRevisions(),
		factory.Core().V1().Pods(), factory.Core().V1().Nodes(), client, backoff)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	switch c := any(controller).(type) {
	case interface{ Run(context.Context, int) }:
		c.Run(ctx, 2)
	case interface{ Run(int, <-chan struct{}) }: // up to 1.22
		c.Run(2, ctx.Done())
	}
	return nil
}
