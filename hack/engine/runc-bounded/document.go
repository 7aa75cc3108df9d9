package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// document is the file in which a call of runc says what capabilities it wants: a bundle's config.json (create, run, restore) or
// the description of one process (exec).
type document struct {
	path string
	// bundle is true for config.json, where the process is one field of many.
	bundle bool
}

// documentOf finds the document in runc's arguments; the zero document if the call has none.
func documentOf(args []string) document {
	command := slices.IndexFunc(args, func(a string) bool {
		return slices.Contains([]string{"create", "run", "restore", "exec"}, a)
	})
	if command < 0 {
		return document{}
	}
	if args[command] == "exec" {
		return document{path: option(args[command+1:], "--process", "-p")}
	}
	bundle := option(args[command+1:], "--bundle", "-b")
	if bundle == "" {
		bundle = "." // runc's default
	}
	return document{path: filepath.Join(bundle, "config.json"), bundle: true}
}

// option is the value of a flag given under one of names, as "flag value" or "flag=value".
func option(args []string, names ...string) string {
	for i, arg := range args {
		name, value, hasValue := strings.Cut(arg, "=")
		if !slices.Contains(names, name) {
			continue
		}
		if hasValue {
			return value
		}
		if i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// without rewrites the file so that none of its capability sets names a lacking capability.
func (d document) without(lacking map[string]bool) error {
	data, err := os.ReadFile(d.path)
	if err != nil {
		return fmt.Errorf("reading what the container asks for: %w", err)
	}
	edited, err := edit(data, d.bundle, lacking)
	if err != nil {
		return fmt.Errorf("taking capabilities out of %s: %w", d.path, err)
	}
	if err := os.WriteFile(d.path, edited, 0o600); err != nil {
		return fmt.Errorf("writing what the container may have: %w", err)
	}
	return nil
}

// edit works on raw messages, so that what it does not know about goes through unchanged.
func edit(data []byte, bundle bool, lacking map[string]bool) ([]byte, error) {
	if bundle {
		return editField(data, "process", func(process []byte) ([]byte, error) { return edit(process, false, lacking) })
	}
	return editField(data, "capabilities", func(sets []byte) ([]byte, error) {
		var bySet map[string][]string
		if err := json.Unmarshal(sets, &bySet); err != nil {
			return nil, err
		}
		for set, capabilities := range bySet {
			bySet[set] = slices.DeleteFunc(capabilities, func(c string) bool { return lacking[c] })
		}
		return json.Marshal(bySet)
	})
}

// editField replaces one field of an object; an object without it stays as it is.
func editField(data []byte, field string, change func([]byte) ([]byte, error)) ([]byte, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, err
	}
	value, found := object[field]
	if !found || bytes.Equal(value, []byte("null")) {
		return data, nil
	}
	changed, err := change(value)
	if err != nil {
		return nil, err
	}
	object[field] = changed
	return json.Marshal(object)
}
