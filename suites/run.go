// Package suites is the one entry to all specs: Run. Importing it registers them, so that the tests of another repository can run them
// beside specs of its own.
package suites

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"rollcall.dev/framework/catalog"
	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/cluster/provider"
	"rollcall.dev/framework/kubectl"
	"rollcall.dev/framework/report"
	"rollcall.dev/framework/rollout"
)

// title is what Ginkgo calls the suite. A regular expression for specs sees it before each name.
const title = "Rollcall"

// Run runs the specs on a cluster that exists: those of this repository, and those that the test's own package has registered. It leaves
// report.yaml, index.html, junit.xml and the histories in Artifacts, and fails the test if anything failed or was lost, or if
// nothing was examined. What cannot be used is told with a line for each thing, before anything is created.
//
// Ginkgo runs one suite in a test binary: a package calls Run once, and has no BeforeSuite of its own.
func Run(t *testing.T, o Options) {
	t.Helper()
	o, err := o.complete()
	if err != nil {
		t.Fatalf("suites.Options: %v", err)
	}
	s := &suite{Options: o, configuration: configuration(t)}
	if GinkgoParallelProcess() == 1 && !o.launched {
		if s.Cluster, err = o.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := report.ClaimFolder(o.Artifacts); err != nil {
			t.Fatalf("suites.Options: Artifacts: %v", err)
		}
		if err := report.EmptyFolder(o.Artifacts); err != nil {
			t.Fatalf("suites.Options: Artifacts: %v", err)
		}
		if s.Reproduce == "" {
			s.Reproduce = reproduce(t.Name(), caller(1), s.configuration)
		}
	}
	if o.shard != nil {
		if err := s.focusOnShare(); err != nil {
			t.Fatal(err)
		}
	}
	RegisterFailHandler(rollout.Fail)
	s.register()
	_, reporter := GinkgoConfiguration()
	if reporter.SilenceSkips = true; reporter.JUnitReport == "" {
		reporter.JUnitReport = filepath.Join(o.Artifacts, "junit.xml")
	}
	RunSpecs(t, title, s.configuration, reporter)
}

// suite is a run of the specs in this process. Cluster is known to the first process before, and to the others once it has told them.
type suite struct {
	Options
	configuration types.SuiteConfig
	// end removes what the run made. Only the first process has it.
	end func(context.Context) error
	// part is this process's share of the results.
	part *report.Part
}

// shared is what the first process tells the others.
type shared struct {
	Run     string        `json:"run"`
	Cluster cluster.State `json:"cluster"`
}

func (s *suite) register() {
	SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
		text, err := json.Marshal(shared{Run: s.begin(ctx), Cluster: s.Cluster})
		Expect(err).NotTo(HaveOccurred())
		return text
	}, func(ctx SpecContext, text []byte) {
		var told shared
		Expect(json.Unmarshal(text, &told)).To(Succeed())
		s.Cluster = told.Cluster
		s.use(told.Run)
	}, NodeTimeout(time.Minute))

	SynchronizedAfterSuite(func() {}, func(ctx SpecContext) {
		if s.end == nil {
			return
		}
		err := s.end(ctx)
		if err != nil {
			err = errors.Join(err, report.SaveLeftBehind(s.parts(), err))
		}
		Expect(err).NotTo(HaveOccurred(), "removing what the run made; make sweep tries again")
	}, NodeTimeout(3*time.Minute))

	s.registerReport()
}

// begin starts the run and returns its id.
func (s *suite) begin(ctx context.Context) string {
	GinkgoHelper()
	_, client := s.connect()
	run := fmt.Sprintf("%06x", rand.Uint32N(1<<24))
	alive, stop := context.WithCancel(context.Background())
	s.end = func(ctx context.Context) error {
		stop()
		// The other processes have ended: while one of them runs a kubectl, the folder cannot be removed.
		if err := os.RemoveAll(kubectlCache(run)); err != nil {
			return err
		}
		if s.Cluster.PID != 0 {
			return nil // the whole cluster goes away with the process that made it
		}
		_, err := cluster.EndRun(ctx, client, run)
		if s.shard != nil {
			err = errors.Join(err, cluster.LeaveShards(ctx, client, run))
		}
		return err
	}
	Expect(cluster.BeginRun(alive, client, run)).To(Succeed())
	if s.shard != nil {
		Expect(cluster.JoinShards(ctx, client, run)).To(Succeed())
		cluster.KeepShards(alive, client)
	}
	return run
}

// use gives this process's specs their environment.
func (s *suite) use(run string) {
	GinkgoHelper()
	config, client := s.connect()
	p, err := provider.Open(s.Cluster)
	Expect(err).NotTo(HaveOccurred())
	program := kubectl.Kubectl{
		Path: s.Cluster.Kubectl, Kubeconfig: s.Cluster.Kubeconfig, Context: s.Cluster.Context,
		CacheDir: kubectlCache(run),
	}
	if s.Cluster.APIServerRestarts {
		program.Begin = func(ctx context.Context) (func(), error) { return cluster.LockShared(ctx, s.Cluster.KubectlLock()) }
	}
	rollout.Use(&rollout.Environment{
		Run: run, Seed: s.configuration.RandomSeed, Provider: p, Config: config, Client: client, Kubectl: program,
		Artifacts: s.Artifacts, TimeoutFactor: s.TimeoutFactor, Deviations: s.Deviations, Implementation: s.judged(),
		Disturbances: s.disturbed, Sharded: s.shard != nil,
	})
}

// kubectlCache is where the kubectls of a run keep what they learn about the API server.
func kubectlCache(run string) string { return filepath.Join(os.TempDir(), "rollcall-kubectl-"+run) }

func (s *suite) connect() (*rest.Config, kubernetes.Interface) {
	GinkgoHelper()
	config, err := cluster.RestConfig(s.Cluster)
	Expect(err).NotTo(HaveOccurred())
	// The suite's own traffic can be found in the API server's logs, and its client does not slow the specs down.
	config.UserAgent = "rollcall"
	config.QPS, config.Burst = 200, 400
	if s.cutWatches > 0 {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return cutting{next: next, every: s.cutWatches} })
	}
	client, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	klog.SetSlogLogger(slog.New(slog.NewTextHandler(GinkgoWriter, nil)))
	return config, client
}

// judged names what is judged, for the histories.
func (s *suite) judged() string {
	if s.controller != "" {
		return s.controller
	}
	i := s.implementation()
	return i.Project + " " + i.Version
}

// implementation is Options' with what nobody has named: what a cluster runs by itself is taken for Kubernetes' own.
func (s *suite) implementation() report.Implementation {
	i := s.Implementation
	if s.controller != "" {
		return i
	}
	version := s.Cluster.Version
	if n := len(s.Cluster.Releases); n > 0 {
		version += " to " + s.Cluster.Releases[n-1].Version
	}
	if i.Project == "" {
		i.Project = catalog.KubeControllerManager
	}
	i.Version = cmp.Or(i.Version, version)
	return i
}
