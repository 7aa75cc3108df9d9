// Command editor is what specs have kubectl edit run, in an image that has no other program for it. By the name that it is called, it is:
//
//	true  an editor that is closed again without a change
//	sed   sed -i s/OLD/NEW/ FILE
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := call(filepath.Base(os.Args[0]), os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

func call(name string, args []string) error {
	switch {
	case name == "true":
		return nil
	case name == "sed" && len(args) == 3 && args[0] == "-i":
		return substitute(args[1], args[2])
	}
	return errors.New("only true and sed -i s/OLD/NEW/ FILE can be done here")
}

// substitute replaces the first OLD of each line, which is a text, not a regular expression.
func substitute(command, path string) error {
	parts := strings.Split(command, "/")
	if len(parts) != 4 || parts[0] != "s" || parts[1] == "" || parts[3] != "" || strings.ContainsAny(parts[1], `\*[^$`) || strings.ContainsAny(parts[2], `\&`) {
		return fmt.Errorf("%q is not s/OLD/NEW/ with plain texts", command)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var edited strings.Builder
	for line := range strings.Lines(string(content)) {
		edited.WriteString(strings.Replace(line, parts[1], parts[2], 1))
	}
	return os.WriteFile(path, []byte(edited.String()), 0o600)
}
