// Command rollcall is behind the Makefile's targets: it makes a cluster, runs the suite against it and takes it away again.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted")

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	go watchSignals(cancel)

	lines, code := parting(rootCommand().ExecuteContext(ctx))
	for _, line := range lines {
		fmt.Fprintln(os.Stderr, "rollcall:", line)
	}
	os.Exit(code)
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "rollcall",
		Short:         "Does this Kubernetes keep its promises while a DaemonSet is updated?",
		Long:          "Rollcall's commands, as make's targets call them. Settings are environment variables:\n\n" + variables,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		command("e2e", "make a cluster, run the suite, report, take the cluster away", handedOver(runE2E)),
		command("up", "make a cluster that stays", runUp),
		command("down", "take that cluster away", runDown),
		command("sweep", "remove what crashed runs left behind", runSweep),
		command("list", "list the specs with their labels, without a cluster", runList),
		command("rejudge", "judge saved histories again: HISTORY=<file or folder>", runRejudge),
		command("matrix", "the suite on each Kubernetes version, side by side", runMatrix),
		command("upgrade", "the control plane of a cluster taken from one version to a newer one: FROM=1.34.4 TO=1.36.3", runUpgrade),
		command("scale", "the specs for large clusters, on NODES=1000 simulated nodes", handedOver(runScale)),
		command("soak", "the suite over and over for DURATION, with components frozen and restarted, watches cut and all cores busy", runSoak),
		command("merge", "one report of what the shards of a run left in ARTIFACTS, or in RESULTS", runMerge),
		compareCommand(),
		command("publishable", "whether a report can be handed on: REPORT=report.yaml", runPublishable),
		command("build", "build Kubernetes from source", runBuild),
		command("image", "make the image that runs the suite inside a cluster", runImage),
		command("controller", "build the DaemonSet controller alone and print its path", runBuildController),
		command("node-image", "build kind's node image from source", runNodeImage),
	)
	return root
}

// parting is what is said at the end of a command, and its exit code.
func parting(err error) (lines []string, code int) {
	var failed specsFailed
	var left notRemoved
	switch {
	case err == nil:
		return nil, 0
	case errors.Is(err, errInterrupted) && errors.As(err, &left):
		return append([]string{"interrupted"}, untold(err)...), 130
	case errors.Is(err, errInterrupted):
		return []string{"interrupted; what this run made is gone again"}, 130
	case errors.As(err, &failed): // the suite has told what there is to tell of that
		return untold(err), 1
	default:
		return []string{err.Error()}, 2
	}
}

// untold are the parts of an error besides an interrupt and the specs' failure, of which the user knows.
func untold(err error) (lines []string) {
	var failed specsFailed
	if err == nil {
		return nil
	}
	if !errors.As(err, &failed) && !errors.Is(err, errInterrupted) {
		return []string{err.Error()}
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return untold(errors.Unwrap(err))
	}
	for _, part := range joined.Unwrap() {
		lines = append(lines, untold(part)...)
	}
	return lines
}

func command(name, short string, run func(ctx context.Context, s settings) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := loadSettings(os.Getenv)
			if err := errors.Join(err, s.notFor(name)); err != nil {
				return err
			}
			return run(cmd.Context(), s)
		},
	}
}

// sameInterrupt is how soon after an interrupt another one is taken for it: timeout(1) ends its whole process group, and make, which is
// in it, passes on to its child what the child has had already; on a busy machine that takes a while.
const sameInterrupt = 3 * time.Second

// watchSignals makes the first interrupt end the run in good order and the second end it at once. Output that nobody reads any more
// (make e2e | head) is a first one, and never a second: all that is written after it is the same again.
func watchSignals(cancel context.CancelCauseFunc) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	<-signals
	fmt.Fprintln(os.Stderr, "\nrollcall: interrupted, cleaning up (once more, after "+sameInterrupt.String()+", to stop at once)")
	cancel(errInterrupted)
	for first, again := time.Now(), os.Signal(nil); again == nil || again == syscall.SIGPIPE || time.Since(first) < sameInterrupt; {
		again = <-signals
	}
	killChildren()
	fmt.Fprintln(os.Stderr, "rollcall: stopped at once; make sweep removes what is left")
	os.Exit(130)
}
