package suites

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"rollcall.dev/framework/cluster"
	"rollcall.dev/framework/history"
	"rollcall.dev/framework/report"
)

// How make e2e runs the suite: what it has prepared comes as flags.

var (
	options  = Options{launched: true}
	launched struct {
		cluster, deviations, disturbed string
		shard, shardRun, durations     string
		list, plan                     bool
	}
)

func init() {
	flag.StringVar(&launched.cluster, "rollcall.cluster", "", "file that describes the cluster, as make e2e writes it")
	flag.StringVar(&options.Artifacts, "rollcall.artifacts", "", "folder for reports and histories")
	flag.StringVar(&launched.deviations, "rollcall.deviations", "none", "whose known deviations apply")
	flag.StringVar(&options.controller, "rollcall.controller", "", "command line of the controller that is judged, empty for the built-in one")
	flag.StringVar(&launched.disturbed, "rollcall.disturbed", "", "what is done to the cluster during the whole run besides the specs' acts, such as controller-restarted")
	flag.StringVar(&options.commit, "rollcall.commit", "", "the suite's git commit, for the report")
	flag.StringVar(&options.Reproduce, "rollcall.reproduce", "", "the command that repeats the run, for the report")
	flag.StringVar(&launched.shard, "rollcall.shard", "", "run one of several shares of the specs, beside the others: 0/3")
	flag.StringVar(&launched.shardRun, "rollcall.shard-run", "", "a word that tells the shards of one run from another run's")
	flag.StringVar(&launched.durations, "rollcall.durations", "", "an earlier report.yaml, by whose durations the shares are balanced")
	flag.DurationVar(&options.cutWatches, "rollcall.cut-watches", 0, "end every watch of the suite's own about so long after it began; 0 leaves them alone")
	flag.Float64Var(&options.TimeoutFactor, "rollcall.timeout-factor", 1, "multiplies every time limit")
	flag.BoolVar(&launched.plan, "rollcall.plan", false, "write what the selection would run into the artifacts' parts, and run nothing")
	flag.BoolVar(&launched.list, "rollcall.list", false, "list the selected specs with their labels")
}

func TestSuites(t *testing.T) {
	if launched.list {
		list(t)
		return
	}
	if launched.cluster == "" {
		t.Skip("the specs need a cluster: run them with make e2e")
	}
	var err error
	if options.Cluster, err = cluster.LoadState(launched.cluster); err != nil {
		t.Fatal(err)
	}
	if launched.deviations != "none" {
		options.Deviations = launched.deviations
	}
	if launched.disturbed != "" {
		options.disturbed = []history.Disturbance{history.Disturbance(launched.disturbed)}
	}
	if launched.shard != "" {
		shard, err := report.ParseShard(launched.shard)
		if err != nil {
			t.Fatal(err)
		}
		shard.Run = launched.shardRun
		options.shard = &shard
	}
	if launched.plan {
		writePlan(t)
		return
	}
	Run(t, options)
}

// list prints what the selection names, without a cluster.
func list(t *testing.T) {
	count := 0
	for _, spec := range PreviewSpecs(title, configuration(t)).SpecReports {
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

// writePlan notes what is going to run. It takes a process of its own: after a dry run, Ginkgo forgets what was registered around every spec.
func writePlan(t *testing.T) {
	o, err := options.complete()
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{Options: o, configuration: configuration(t)}
	var specs []SpecReport
	for _, spec := range PreviewSpecs(title, s.configuration).SpecReports {
		if selected(spec) {
			specs = append(specs, spec)
		}
	}
	plan := s.plan(time.Now(), specs)
	if s.shard != nil {
		err = s.takeShare(plan, specs, launched.durations)
	}
	if err := errors.Join(err, plan.Save(s.parts())); err != nil {
		t.Fatal(err)
	}
}
