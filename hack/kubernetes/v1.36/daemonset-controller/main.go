// Command daemonset-controller runs Kubernetes' DaemonSet controller and nothing else: what CONTROLLER is tried with.
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
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/daemon"
)

func main() {
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "path of the cluster's kubeconfig")
	workers := flag.Int("workers", 2, "how many DaemonSets are handled at once")
	qps := flag.Float64("qps", 50, "requests a second to the API server")
	klog.InitFlags(nil)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *workers, float32(*qps)); err != nil {
		fmt.Fprintln(os.Stderr, "daemonset-controller:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig string, workers int, qps float32) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = qps, 2*int(qps)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 12*time.Hour)
	// One second to fifteen minutes: what kube-controller-manager passes for failed pods.
	backoff := flowcontrol.NewBackOff(time.Second, 15*time.Minute)
	controller, err := daemon.NewDaemonSetsController(ctx, factory.Apps().V1().DaemonSets(), factory.Apps().V1().ControllerRevisions(),
		factory.Core().V1().Pods(), factory.Core().V1().Nodes(), client, backoff)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	controller.Run(ctx, workers)
	return nil
}
