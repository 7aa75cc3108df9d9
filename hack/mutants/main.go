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
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say build, run or matrix")
	}
	mutants, err := load(args[1:])
	if err != nil {
		return err
	}
	o, err := loadOptions(os.Getenv)
	if err != nil {
		return err
	}
	switch args[0] {
	case "build":
		return build(ctx, mutants)
	case "run":
		if err := build(ctx, mutants); err != nil {
			return err
		}
		return run(ctx, mutants, o)
	case "matrix":
		return matrix(mutants)
	}
	return fmt.Errorf("unknown command %s: build, run or matrix", args[0])
}
