// Command runc-bounded is runc for a machine whose root does not have every capability. runc applies the capabilities a container
// asks for, and `docker run --privileged` asks for all that the kernel knows, so on such a machine it ends with "unable to apply
// caps: operation not permitted". This command takes what the caller's own bounding set lacks out of the request and then becomes
// runc. It never adds anything; where nothing is lacking it changes nothing.
//
// It is used in two places: as dockerd's default runtime (hack/engine) and as containerd's inside a node (hack/nodeimage).
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "runc-bounded:", err)
		os.Exit(1)
	}
}

// run edits the files that args name and replaces this process by runc. It returns only if that fails.
func run(args []string) error {
	runc, err := exec.LookPath("runc")
	if err != nil {
		return fmt.Errorf("looking for runc: %w", err)
	}
	lacking, err := lackingCapabilities()
	if err != nil {
		return err
	}
	if document := documentOf(args[1:]); document.path != "" && len(lacking) > 0 {
		if err := document.without(lacking); err != nil {
			return err
		}
	}
	if err := syscall.Exec(runc, append([]string{"runc"}, args[1:]...), os.Environ()); err != nil {
		return fmt.Errorf("starting %s: %w", runc, err)
	}
	return nil
}
