package catalog

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"
)

//go:embed data/*.yaml
var embedded embed.FS

// Catalog is the behaviours and statements, checked for consistency.
type Catalog struct {
	areas      []Area
	behaviours []Behaviour
	index      map[string]int
	statements []Statement
}

var load = sync.OnceValues(func() (*Catalog, error) {
	data, err := fs.Sub(embedded, "data")
	if err != nil {
		return nil, fmt.Errorf("open the embedded catalog: %w", err)
	}
	return Read(data)
})

// Load returns the project's catalog, read once. An error means that the data is not consistent and names each fault in a line of its own.
func Load() (*Catalog, error) { return load() }

// mustLoad is for callers that cannot go on without the catalog: the data is part of the program, and a test loads it.
func mustLoad() *Catalog {
	c, err := Load()
	if err != nil {
		panic(err.Error())
	}
	return c
}

// All returns the project's behaviours, in the order of their ids. The result is the caller's.
func All() []Behaviour { return mustLoad().All() }

// Get returns a behaviour of the project's catalog, and whether there is one of that id.
func Get(id string) (Behaviour, bool) { return mustLoad().Get(id) }

// All returns the behaviours in the order of their ids. The result is the caller's.
func (c *Catalog) All() []Behaviour { return slices.Clone(c.behaviours) }

// Get returns the behaviour of an id, and whether there is one.
func (c *Catalog) Get(id string) (Behaviour, bool) {
	i, ok := c.index[id]
	if !ok {
		return Behaviour{}, false
	}
	return c.behaviours[i], true
}

// Areas returns the areas in the order of their letters.
func (c *Catalog) Areas() []Area { return slices.Clone(c.areas) }

// Statements returns the task page's statements in the page's order.
func (c *Catalog) Statements() []Statement { return slices.Clone(c.statements) }

// file is the form of a data file: an area with its behaviours, or the task page's statements.
type file struct {
	Area       string      `json:"area"`
	Name       string      `json:"name"`
	Title      string      `json:"title"`
	Behaviours []Behaviour `json:"behaviours"`
	Statements []Statement `json:"statements"`
}

// Read reads a catalog from the YAML files at the top of a file system, in the order of their names. All faults that it finds are joined in
// the error.
func Read(data fs.FS) (*Catalog, error) {
	names, err := fs.Glob(data, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the catalog's files: %w", err)
	}
	c := &Catalog{index: map[string]int{}}
	var faults []error
	for _, name := range names {
		text, err := fs.ReadFile(data, name)
		if err != nil {
			return nil, fmt.Errorf("read the catalog: %w", err)
		}
		var f file
		if err := yaml.UnmarshalStrict(text, &f); err != nil {
			return nil, fmt.Errorf("parse the catalog's file %s: %w", path.Base(name), err)
		}
		c.statements = append(c.statements, f.Statements...)
		if len(f.Behaviours) == 0 {
			continue
		}
		area := Area{Letter: f.Area, Name: f.Name, Title: f.Title}
		c.areas = append(c.areas, area)
		for i, b := range f.Behaviours {
			b.Area = area
			if b.Nodes == 0 {
				b.Nodes = 1
			}
			// Numbers without gaps: a hole would be a promise that somebody lost.
			if want := fmt.Sprintf("%s-%02d", area.Letter, i+1); b.ID != want {
				faults = append(faults, fmt.Errorf("%s: behaviour %d has id %q, want %s", name, i+1, b.ID, want))
			}
			if _, twice := c.index[b.ID]; twice {
				faults = append(faults, fmt.Errorf("%s: id %s is used twice", name, b.ID))
			}
			c.index[b.ID] = len(c.behaviours)
			c.behaviours = append(c.behaviours, b)
			faults = append(faults, b.faults()...)
		}
	}
	faults = append(faults, c.link()...)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return c, nil
}

var minorVersion = regexp.MustCompile(`^1\.\d+$`)

// faults returns what is wrong with a behaviour by itself.
func (b Behaviour) faults() []error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: "+format, append([]any{b.ID}, args...)...))
	}
	if !slices.Contains(levels, b.Level) {
		fault("unknown level %q", b.Level)
	}
	if !strings.HasSuffix(b.Statement, ".") {
		fault("the statement is not a sentence with a full stop")
	}
	if b.Since != "" && !minorVersion.MatchString(b.Since) {
		fault("since %q is not a minor version such as 1.22", b.Since)
	}
	for i, n := range b.Needs {
		if !slices.Contains(Needs(), n) {
			fault("unknown need %q", n)
		}
		if slices.Contains(b.Needs[:i], n) {
			fault("need %q is named twice", n)
		}
	}
	if b.Nodes < 1 {
		fault("nodes %d is not positive", b.Nodes)
	}
	if b.Level == Core && b.optional() {
		fault("it is core, but needs what an environment may lack: %v", b.Needs)
	}
	if b.Level == Extended && !b.optional() {
		fault("it is extended, but any environment has what it needs: %v", b.Needs)
	}
	if b.Unproven != "" && !b.Level.Binding() {
		fault("it is %s, so it needs no reason to be unproven", b.Level)
	}
	if b.Free != "" && b.Level != Deviating {
		fault("it is %s, so nobody needs to be free of it", b.Level)
	}
	if len(b.Sources) == 0 {
		fault("it has no source")
	}
	for _, s := range b.Sources {
		if _, err := s.URL(); err != nil {
			fault("%w", err)
		}
	}
	for _, d := range b.Deviations {
		if d.Implementation == "" || d.Summary == "" {
			fault("a deviation lacks its implementation or summary")
		}
		if len(d.Links) == 0 && d.Reproduced == "" {
			fault("the deviation of %s has neither a link nor a reproduction of our own", d.Implementation)
		}
		for _, s := range d.Links {
			if _, err := s.URL(); err != nil {
				fault("%w", err)
			}
		}
		for _, id := range d.Invariants {
			if !strings.HasPrefix(id, "M-") {
				fault("the deviation of %s excuses %s, which is no invariant", d.Implementation, id)
			}
		}
		if _, err := inRange(d.Versions, Judged); err != nil {
			fault("%w", err)
		}
	}
	// Faults of the ranges are reported above.
	if d, err := b.DeviationOf(KubeControllerManager, Judged); err == nil && (d != nil) != (b.Level == Deviating) {
		fault("its level is %s, which contradicts the deviations of %s %s", b.Level, KubeControllerManager, Judged)
	}
	return faults
}

// link fills in which behaviours prove a statement, and returns the statements and references that do not fit.
func (c *Catalog) link() []error {
	var faults []error
	at := map[string]int{}
	for i, s := range c.statements {
		if want := fmt.Sprintf("S%d", i+1); s.ID != want {
			faults = append(faults, fmt.Errorf("statement %d has id %q, want %s", i+1, s.ID, want))
		}
		at[s.ID] = i
	}
	for _, b := range c.behaviours {
		for _, id := range b.Proves {
			i, ok := at[id]
			if !ok {
				faults = append(faults, fmt.Errorf("%s: it proves %q, which is no statement of the task page", b.ID, id))
				continue
			}
			c.statements[i].Behaviours = append(c.statements[i].Behaviours, b.ID)
		}
	}
	for _, s := range c.statements {
		if len(s.Behaviours) == 0 {
			faults = append(faults, fmt.Errorf("%s: no behaviour proves it", s.ID))
		}
	}
	return faults
}
