// Package suites is the one entry to all specs: flags, the cluster, the specs, the report.
package suites

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/cluster/provider"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/rollout"

	// The areas register their specs by being imported.
	_ "rollcall.dev/suites/adoption"
	_ "rollcall.dev/suites/api"
	_ "rollcall.dev/suites/failedpods"
	_ "rollcall.dev/suites/nodes"
	_ "rollcall.dev/suites/ondelete"
	_ "rollcall.dev/suites/placement"
	_ "rollcall.dev/suites/revision"
	_ "rollcall.dev/suites/rollout"
	_ "rollcall.dev/suites/scale"
	_ "rollcall.dev/suites/status"
	_ "rollcall.dev/suites/stuck"
	_ "rollcall.dev/suites/surge"
	_ "rollcall.dev/suites/update"
	_ "rollcall.dev/suites/upgrade"
	_ "rollcall.dev/suites/walkthrough"
)

var options struct {
	cluster, artifacts, deviations, controller, commit, reproduce, disturbed string

	timeoutFactor float64
	cutWatches    time.Duration
	list, plan    bool
}

func init() {
	flag.StringVar(&options.cluster, "rollcall.cluster", "", "file that describes the cluster, as make e2e writes it")
	flag.StringVar(&options.artifacts, "rollcall.artifacts", "_artifacts", "folder for reports and histories")
	flag.StringVar(&options.deviations, "rollcall.deviations", "none", "whose known deviations apply")
	flag.StringVar(&options.controller, "rollcall.controller", "", "command line of the controller that is judged, empty for the built-in one")
	flag.StringVar(&options.disturbed, "rollcall.disturbed", "", "what is done to the cluster during the whole run besides the specs' acts, such as controller-restarted")
	flag.StringVar(&options.commit, "rollcall.commit", "", "the suite's git commit, for the report")
	flag.StringVar(&options.reproduce, "rollcall.reproduce", "", "the command that repeats the run, for the report")
	flag.DurationVar(&options.cutWatches, "rollcall.cut-watches", 0, "end every watch of the suite's own about so long after it began; 0 leaves them alone")
	flag.Float64Var(&options.timeoutFactor, "rollcall.timeout-factor", 1, "multiplies every time limit")
	flag.BoolVar(&options.plan, "rollcall.plan", false, "write what the selection would run into the artifacts' parts, and run nothing")
	flag.BoolVar(&options.list, "rollcall.list", false, "list the selected specs with their labels")
}

func TestSuites(t *testing.T) {
	RegisterFailHandler(rollout.Fail)
	if options.list {
		list(t)
		return
	}
	if options.cluster == "" {
		t.Skip("the specs need a cluster: run them with make e2e")
	}
	state, err := cluster.LoadState(options.cluster)
	if err != nil {
		t.Fatal(err)
	}
	if options.plan {
		writePlan(t, state)
		return
	}
	running = true
	RunSpecs(t, "Rollcall")
}

// list prints what the selection names, without a cluster.
func list(t *testing.T) {
	report := PreviewSpecs("Rollcall")
	count := 0
	for _, spec := range report.SpecReports {
		if spec.State.Is(types.SpecStateSkipped) || !spec.LeafNodeType.Is(types.NodeTypeIt) {
			continue
		}
		count++
		fmt.Printf("%s\n    [%s]\n", spec.FullText(), strings.Join(spec.Labels(), ", "))
	}
	fmt.Printf("%d specs\n", count)
	if count == 0 {
		t.Fatal("the selection names no spec")
	}
}

// shared is what the first process tells the others.
type shared struct {
	Run string `json:"run"`
}

// endRun removes what the run made. Only the first process has it.
var endRun func(context.Context) error

var _ = SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
	_, client := connect()
	run := fmt.Sprintf("%06x", rand.Uint32N(1<<24))
	alive, stop := context.WithCancel(context.Background())
	endRun = func(ctx context.Context) error {
		stop()
		// The other processes have ended: while one of them runs a kubectl, the folder cannot be removed.
		if err := os.RemoveAll(kubectlCache(run)); err != nil {
			return err
		}
		if loadState().PID != 0 {
			return nil // the whole cluster goes away with the process that made it
		}
		_, err := cluster.EndRun(ctx, client, run)
		return err
	}
	Expect(cluster.BeginRun(alive, client, run)).To(Succeed())
	text, err := json.Marshal(shared{Run: run})
	Expect(err).NotTo(HaveOccurred())
	return text
}, func(ctx SpecContext, text []byte) {
	var s shared
	Expect(json.Unmarshal(text, &s)).To(Succeed())
	state := loadState()
	config, client := connect()
	p, err := provider.Open(state)
	Expect(err).NotTo(HaveOccurred())
	suite, _ := GinkgoConfiguration()
	rollout.Use(&rollout.Environment{
		Run: s.Run, Seed: suite.RandomSeed, Provider: p, Config: config, Client: client,
		Kubectl: kubectl.Kubectl{
			Path: state.Kubectl, Kubeconfig: state.Kubeconfig, Context: state.Context,
			CacheDir: kubectlCache(s.Run),
		},
		Artifacts: options.artifacts, TimeoutFactor: options.timeoutFactor, Deviations: deviations(), Implementation: implementation(state),
		Disturbances: disturbances(),
	})
}, NodeTimeout(time.Minute))

var _ = SynchronizedAfterSuite(func() {}, func(ctx SpecContext) {
	if endRun != nil {
		Expect(endRun(ctx)).To(Succeed(), "removing what the run made; make sweep tries again")
	}
}, NodeTimeout(3*time.Minute))

// kubectlCache is where the kubectls of a run keep what they learn about the API server.
func kubectlCache(run string) string { return filepath.Join(os.TempDir(), "rollcall-kubectl-"+run) }

func loadState() cluster.State {
	GinkgoHelper()
	state, err := cluster.LoadState(options.cluster)
	Expect(err).NotTo(HaveOccurred())
	return state
}

func connect() (*rest.Config, kubernetes.Interface) {
	GinkgoHelper()
	config, err := cluster.RestConfig(loadState())
	Expect(err).NotTo(HaveOccurred())
	// The suite's own traffic can be found in the API server's logs, and its client does not slow the specs down.
	config.UserAgent = "rollcall"
	config.QPS, config.Burst = 200, 400
	if options.cutWatches > 0 {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return cutting{next: next, every: options.cutWatches} })
	}
	client, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	klog.SetOutput(GinkgoWriter)
	return config, client
}

func deviations() string {
	if options.deviations == "none" {
		return ""
	}
	return options.deviations
}

func disturbances() []history.Disturbance {
	if options.disturbed == "" {
		return nil
	}
	return []history.Disturbance{history.Disturbance(options.disturbed)}
}

func implementation(state cluster.State) string {
	if options.controller != "" {
		return options.controller
	}
	return "kube-controller-manager " + state.Version
}
