// Command controller is a DaemonSet controller, small enough to be read in one sitting: the example for those who write their own, and the
// proof that the suite asks for what is promised and for nothing else. See README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

func main() {
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "the cluster")
	workers := flag.Int("workers", 4, "how many DaemonSets are looked after at once")
	qps := flag.Float64("qps", 100, "requests a second; twice as many in a burst")
	lag := flag.Duration("lag", 0, "act on each event up to so long after it, at random, so that DaemonSets are not looked after in the order of events")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *workers, float32(*qps), *lag); err != nil {
		fmt.Fprintln(os.Stderr, "controller:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig string, workers int, qps float32, lag time.Duration) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = qps, max(1, int(2*qps))
	config.UserAgent = manager
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	c, err := newController(ctx, client, lag)
	if err != nil {
		return err
	}
	klog.Infof("looking after DaemonSets with %d workers", workers)
	return c.run(ctx, workers)
}
