package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/kubectl"
)

// R is a spec's surroundings: a namespace of its own, a recorder that has run since before the first object, and clean-up.
// One R serves all specs of the container that New is called in, one after another.
type R struct {
	disturbances []history.Disturbance
	shared       string   // namespace that is not the spec's own
	lessee       string   // who leased the nodes, if it was not Namespace
	kept         []string // nodes that are leased for all specs of the container together

	*Environment
	// Namespace is where the spec's objects go.
	Namespace   string
	recorder    *history.Recorder
	nodes       []string
	generations generations
	files       string // folder of the manifests that the spec's kubectl reads
	file        string // of the history
}

// Option changes what New sets up.
type Option func(*R)

// Disturbing declares what the specs of this container do to the cluster, besides their acts.
func Disturbing(d ...history.Disturbance) Option {
	return func(r *R) { r.disturbances = append(r.disturbances, d...) }
}

// InNamespace makes the specs of an Ordered container use a namespace that exists, as the task page uses kube-system. All nodes
// are leased, since manifests for such a namespace choose nodes for themselves, and for the whole container: between two of its
// specs another could take a node for minutes.
func InNamespace(name string) Option {
	return func(r *R) { r.shared = name }
}

// OnAllNodes leases all nodes for an Ordered container as a whole, as name, for this container alone: to lease thousands for each spec would take
// longer than the specs.
func OnAllNodes(name string) Option {
	return func(r *R) { r.lessee = name }
}

// New sets up a namespace, a recorder, clean-up and judgement around each spec of the container that it is called in.
func New(options ...Option) *R {
	r := &R{}
	for _, o := range options {
		o(r)
	}
	if r.shared != "" || r.lessee != "" {
		ginkgo.BeforeAll(func(ctx ginkgo.SpecContext) {
			gomega.Expect(r.keepNodes(ctx)).To(gomega.Succeed(), "leasing all nodes")
		})
	}
	ginkgo.BeforeEach(func(ctx ginkgo.SpecContext) {
		gomega.Expect(r.begin(ctx)).To(gomega.Succeed(), "setting up the spec")
	})
	ginkgo.AfterEach(func(ctx ginkgo.SpecContext) { r.judge(ctx) })
	return r
}

func (r *R) begin(ctx ginkgo.SpecContext) error {
	if environment == nil {
		return errNotUsed
	}
	r.Environment, r.nodes, r.generations.known = environment, nil, nil
	report := ginkgo.CurrentSpecReport()
	r.checkRequirements(report.Labels())
	id := specID(report.FullText())
	r.Namespace = fmt.Sprintf("rollcall-%s-%s", r.Run, id)
	if r.shared != "" {
		r.Namespace = r.shared
	}
	// Clean-up is registered before what it cleans up exists: the context of a spec is over by then, so it has its own.
	ginkgo.DeferCleanup(func(ctx context.Context) error { return r.cleanUp(ctx) }, ginkgo.NodeTimeout(r.cleaning(len(r.kept))))
	files, err := os.MkdirTemp("", "rollcall-")
	if err != nil {
		return err
	}
	r.files = files

	if len(r.kept) == 0 {
		if err := r.holdCluster(ctx, r.holder(), report.IsSerial); err != nil {
			return err
		}
	}
	if r.shared == "" {
		if err := r.createNamespace(ctx); err != nil {
			return err
		}
	}
	r.file = r.historyFile(id)
	r.recorder, err = history.Start(ctx, history.Options{
		Client: r.Client,
		Header: history.Header{
			Spec: report.FullText(), Namespace: r.Namespace, Implementation: r.Implementation,
			Provider: r.Provider.State().Provider, Seed: r.Seed, TimeoutFactor: r.TimeoutFactor, Disturbances: slices.Concat(r.Disturbances, r.disturbances),
		},
		Labels: map[string]string{cluster.RunLabel: r.Run},
		// What is in a shared namespace chooses nodes for itself, the control plane's among them: all nodes matter.
		LeaseLater:     r.shared == "",
		File:           r.file,
		BarrierTimeout: r.patience(request),
	})
	if err != nil {
		return err
	}
	r.recorder.Lease(r.kept...)
	r.nodes = append(r.nodes, r.kept...)
	return nil
}

// keepNodes leases all nodes until the container's end.
func (r *R) keepNodes(ctx context.Context) error {
	if environment == nil {
		return errNotUsed
	}
	e, holder := environment, cmp.Or(r.lessee, r.shared)
	ginkgo.DeferCleanup(func(ctx context.Context) error {
		return errors.Join(e.release(ctx, holder, r.kept), e.returnCluster(ctx, holder))
	}, ginkgo.NodeTimeout(e.cleaning(e.Provider.State().Nodes)))
	err := e.holdCluster(ctx, holder, ginkgo.CurrentSpecReport().IsSerial)
	if err == nil && r.shared != "" {
		err = e.holdNamespace(ctx, holder, r.shared)
	}
	if err == nil {
		r.kept, err = e.lease(ctx, holder, 0, r.lessee != "")
	}
	return err
}

var errNotUsed = errors.New("rollout.Use was not called before the first spec")

// createNamespace makes the spec's namespace and waits for its service account, without which no pod can be created.
func (r *R) createNamespace(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.Namespace, Labels: map[string]string{cluster.RunLabel: r.Run}}}
	if _, err := r.Client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the spec's namespace: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.patience(request), fmt.Errorf("no default service account appeared within %s", r.patience(request)))
	defer cancel()
	accounts := r.Client.CoreV1().ServiceAccounts(r.Namespace)
	for {
		w, err := accounts.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=default"})
		if err != nil {
			return fmt.Errorf("watching the namespace's service account: %w", err)
		}
		select {
		case _, exists := <-w.ResultChan(): // nothing is there to be changed or deleted before
			w.Stop()
			if exists {
				return nil
			}
			// The watch ended: another one, which begins with what there is.
		case <-ctx.Done():
			w.Stop()
			return fmt.Errorf("preparing namespace %s: %w", r.Namespace, context.Cause(ctx))
		}
	}
}

// specID is short, the same in every run, and different for each spec: it names the namespace and the history's file.
func specID(fullText string) string {
	digest := fnv.New32a()
	digest.Write([]byte(fullText))
	return strconv.FormatUint(uint64(digest.Sum32()), 36)
}

// cleanUp removes what the spec made. Diagnosis and judgement are over by then.
func (r *R) cleanUp(ctx context.Context) error {
	var problems []error
	if r.recorder != nil {
		// Judged specs have stopped it already; this is for one that failed while it was being set up.
		stopped, cancel := context.WithCancel(ctx)
		cancel()
		_, _ = r.recorder.Stop(stopped)
		r.recorder = nil
	}
	if r.goesAway() {
		return os.RemoveAll(r.files)
	}
	problems = append(problems, cluster.DeleteDaemonSets(ctx, r.Client, r.Namespace, r.Run))
	if r.shared == "" {
		if err := r.Client.CoreV1().Namespaces().Delete(ctx, r.Namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			problems = append(problems, fmt.Errorf("deleting the spec's namespace: %w", err))
		}
	}
	if len(r.nodes) > 0 && len(r.kept) == 0 {
		problems = append(problems, r.release(ctx, r.holder(), r.nodes))
	}
	if len(r.kept) == 0 {
		problems = append(problems, r.returnCluster(ctx, r.holder()))
	}
	return errors.Join(append(problems, os.RemoveAll(r.files))...)
}

// goesAway says whether the cluster goes away with the run, and that ends now: then nothing has to be put back, which could take a minute.
func (e *Environment) goesAway() bool {
	return ginkgo.CurrentSpecReport().State.Is(types.SpecStateInterrupted) && e.Provider.State().PID != 0
}

// holder is the spec's name in the table of leases. A shared namespace can hold one spec at a time.
func (r *R) holder() string {
	if r.lessee != "" {
		return r.lessee
	}
	return r.Namespace
}

// Nodes leases count nodes that other specs may use too, as long as none of them changes nodes. Only the leased nodes are
// recorded and judged. A cluster with fewer nodes skips the spec.
func (r *R) Nodes(ctx context.Context, count int) []string {
	ginkgo.GinkgoHelper()
	return r.mustLease(ctx, count, false)
}

// NodesAlone leases count nodes for this spec alone: for specs that fill, taint, stop or remove them, and for those in which nothing may
// happen to a node but what the spec does. A lease is a label, and a controller that hears of it may look at a node whose pod it has
// forgotten: that has hidden broken ones.
func (r *R) NodesAlone(ctx context.Context, count int) []string {
	ginkgo.GinkgoHelper()
	return r.mustLease(ctx, count, true)
}

func (r *R) mustLease(ctx context.Context, count int, alone bool) []string {
	ginkgo.GinkgoHelper()
	nodes, err := r.leaseNodes(ctx, count, alone)
	if errors.Is(err, errTooFewNodes) {
		ginkgo.Skip(fmt.Sprintf("%v; NODES=%d or a larger cluster would make it run", err, count))
	}
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "leasing nodes")
	return nodes
}

func (r *R) leaseNodes(ctx context.Context, count int, alone bool) ([]string, error) {
	nodes, err := r.lease(ctx, r.holder(), count, alone)
	r.nodes = append(r.nodes, nodes...)
	if err != nil {
		return nil, err
	}
	r.recorder.Lease(nodes...)
	return nodes, r.awaitLease(ctx, nodes)
}

// awaitLease waits until the recorder has heard of the label that the spec's DaemonSets select nodes by: before that, one without any pod would
// be complete.
func (r *R) awaitLease(ctx context.Context, nodes []string) error {
	label := leaseLabel(r.holder())
	ctx, cancel := context.WithTimeout(ctx, r.patience(reaction))
	defer cancel()
	err := r.recorder.Until(ctx, func(v history.View) (bool, error) {
		leased := 0
		for _, node := range v.Nodes {
			if node.Labels[label] == r.Run {
				leased++
			}
		}
		return leased >= len(nodes), nil
	})
	if err != nil {
		return fmt.Errorf("waiting to hear of the label %s of %d nodes: %w", label, len(nodes), err)
	}
	return nil
}

// AllNodes are the leased ones.
func (r *R) AllNodes() []string { return r.nodes }

// Kubectl runs a kubectl command that changes nothing, or what is given as an act by KubectlAct.
// The spec fails if kubectl cannot be run to its end; its exit code is the spec's business.
func (r *R) Kubectl(ctx context.Context, args ...string) kubectl.Result {
	ginkgo.GinkgoHelper()
	return r.kubectl(ctx, args)
}

func (r *R) kubectl(ctx context.Context, args []string, options ...kubectl.Option) kubectl.Result {
	ginkgo.GinkgoHelper()
	limit := r.patience(rolloutBase + rolloutPerNode*time.Duration(len(r.nodes)))
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not end within %s", limit))
	defer cancel()
	result, err := r.Environment.Kubectl.Run(ctx, args, options...)
	ginkgo.GinkgoWriter.Println(result)
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "a kubectl command did not come to its end")
	return result
}

// temporary is a path in the folder of the spec's files.
func (r *R) temporary(name string) string { return filepath.Join(r.files, name) }
