// Command peer runs upstream's own end-to-end specs of DaemonSets and Rollcall alternately on one cluster, and says what each costs and sees.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	o, err := loadOptions(os.Getenv)
	if err != nil {
		return err
	}
	steps := map[string]func(context.Context, options) error{
		"build": build, "rounds": rounds, "mutants-upstream": mutantsByUpstream, "mutants-rollcall": mutantsByRollcall, "table": table,
	}
	if o.again {
		if err := forget(o); err != nil {
			return err
		}
	}
	for _, name := range args {
		step := steps[name]
		if step == nil {
			return fmt.Errorf("unknown step %s: build, rounds, mutants-upstream, mutants-rollcall or table", name)
		}
		if err := step(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(args) == 0 {
		return fmt.Errorf("say which steps: build, rounds, mutants-upstream, mutants-rollcall, table")
	}
	return nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "peer: "+format+"\n", args...) }
