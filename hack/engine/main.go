// Command engine gets a container engine for the kind provider on a Debian machine that has none: docker.io from Debian's packages,
// its daemon started directly (no init system needed), and, where the machine's root lacks capabilities, runc-bounded as the
// default runtime. A container engine that already answers is left alone.
//
//	go run ./hack/engine start      installs what is missing, starts, returns when docker answers
//	go run ./hack/engine stop       stops a daemon that start started, and no other
//	go run ./hack/engine status     says whether docker answers and who started it
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	flags := flag.NewFlagSet("engine", flag.ExitOnError)
	dir := flags.String("dir", filepath.Join(".cache", "engine"), "folder for the daemon's pid file, its log and the runtime wrapper")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: engine start|stop|status [--dir FOLDER]")
		flags.PrintDefaults()
	}
	if len(os.Args) < 2 {
		flags.Usage()
		os.Exit(2)
	}
	_ = flags.Parse(os.Args[2:]) // ExitOnError
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1], *dir); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, command, dir string) error {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("finding %s: %w", dir, err)
	}
	e := engine{dir: absolute}
	switch command {
	case "start":
		return e.start(ctx)
	case "stop":
		return e.stop(ctx)
	case "status":
		return e.status(ctx)
	default:
		return fmt.Errorf("unknown command %q: start, stop or status", command)
	}
}
