package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
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
		return fmt.Errorf("say list, build, run, matrix or benign")
	}
	o, err := loadOptions(os.Getenv, time.Now())
	if err != nil {
		return err
	}
	if args[0] == "benign" {
		return benign(ctx, args[1:])
	}
	mutants, err := choose(ctx, args[1:], o)
	if err != nil {
		return err
	}
	switch args[0] {
	case "list":
		for _, m := range mutants {
			fmt.Printf("%s: a controller that %s\n", m.ID, m.Wrong)
		}
		return nil
	case "build":
		return build(ctx, mutants)
	case "run":
		if err := build(ctx, due(mutants, o)); err != nil {
			return err
		}
		return run(ctx, mutants, o)
	case "matrix":
		return matrix(mutants, o)
	}
	return fmt.Errorf("unknown command %s: list, build, run, matrix or benign", args[0])
}
