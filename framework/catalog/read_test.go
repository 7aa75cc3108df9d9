package catalog

import (
	"strings"
	"testing"
	"testing/fstest"
)

// small is a consistent catalog; the tests of this package break it or build on it.
const small = `
area: A
name: api
title: API
behaviours:
- {id: A-01, level: core, statement: It defaults., sources: [kk#1], proves: [S1]}
- {id: A-02, level: core, statement: It surges., sources: [kk#1], needs: [surge], nodes: 3}
- {id: A-03, level: extended, statement: It prints., sources: [kk#1], needs: [kubectl, surge]}
- id: A-04
  level: deviation
  statement: It counts.
  sources: [UP:1-2]
  deviations: [{implementation: kube-controller-manager, versions: ">=1.30", summary: It does not count., links: [kk#2], reproduced: 1.36.3}]
- {id: A-05, level: informative, statement: It may | may not., sources: ["doc:task"], note: Either *way*.}
- {id: A-06, level: core, statement: It survives both zero., sources: [kk#1], unproven: nobody can make it so}
`

const smallInvariants = `
area: M
name: invariant
title: Invariants
behaviours:
- {id: M-01, level: core, statement: It never overlaps., sources: [kk#1]}
- {id: M-02, level: extended, statement: It survives a restart., sources: [kk#1], needs: [controller-restart]}
`

const smallStatements = `
statements:
- {id: S1, in: [ja], statement: It has defaults.}
`

func files(area string) fstest.MapFS {
	return fstest.MapFS{
		"a.yaml":         {Data: []byte(area)},
		"m.yaml":         {Data: []byte(smallInvariants)},
		"task-page.yaml": {Data: []byte(smallStatements)},
	}
}

func smallCatalog(t *testing.T) *Catalog {
	t.Helper()
	c, err := Read(files(small))
	if err != nil {
		t.Fatalf("the small catalog has faults:\n%v", err)
	}
	return c
}

func TestReadNamesEachFault(t *testing.T) {
	for _, test := range []struct {
		name, old, new, want string
	}{
		{"unknown field", "title: API", "titel: API", `a.yaml: error unmarshaling`},
		{"gap", "id: A-02", "id: A-07", `behaviour 2 has id "A-07", want A-02`},
		{"same id twice", "id: A-02", "id: A-01", "id A-01 is used twice"},
		{"unknown level", "A-01, level: core", "A-01, level: must", `A-01: unknown level "must"`},
		{"no sentence", "It defaults.", "defaults", "A-01: the statement is not a sentence"},
		{"bad since", "A-01, level: core", "A-01, since: v1.22, level: core", `A-01: since "v1.22"`},
		{"unknown need", "needs: [surge]", "needs: [sruge]", `A-02: unknown need "sruge"`},
		{"need twice", "needs: [surge]", "needs: [surge, surge]", `A-02: need "surge" is named twice`},
		{"negative nodes", "nodes: 3", "nodes: -3", "A-02: nodes -3 is not positive"},
		{"core that needs kubectl", "A-03, level: extended", "A-03, level: core", "A-03: it is core, but needs"},
		{"extended that needs nothing", "A-02, level: core", "A-02, level: extended", "A-02: it is extended, but any environment has"},
		{"no source", "sources: [kk#1], proves", "sources: [], proves", "A-01: it has no source"},
		{"unknown source", "sources: [kk#1], proves", "sources: [kk1], proves", `A-01: unknown form of source "kk1"`},
		{"deviation without evidence", "links: [kk#2], reproduced: 1.36.3", "links: []", "A-04: the deviation of kube-controller-manager has neither"},
		{"deviation with an unknown link", "links: [kk#2]", "links: [somewhere]", `A-04: unknown form of source "somewhere"`},
		{"deviation without a summary", "summary: It does not count.", `summary: ""`, "A-04: a deviation lacks its implementation or summary"},
		{"deviation with a bad range", `">=1.30"`, `"1.30"`, "A-04: read version range"},
		{"deviation that is repaired", `">=1.30"`, `">=1.30 <1.36"`, "A-04: its level is deviation, which contradicts"},
		{"level that hides a deviation", "level: deviation", "level: core", "A-04: its level is core, which contradicts"},
		{"unproven though not required", "A-06, level: core", "A-06, level: informative", "A-06: it is informative, so it needs no reason"},
		{"unknown statement", "proves: [S1]", "proves: [S1, S2]", `A-01: it proves "S2", which is no statement`},
		{"statement that nothing proves", ", proves: [S1]", "", "S1: no behaviour proves it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			broken := strings.Replace(small, test.old, test.new, 1)
			if broken == small {
				t.Fatalf("the test changes nothing: %q is not in the small catalog", test.old)
			}
			if _, err := Read(files(broken)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestReadReportsAllFaultsAtOnce(t *testing.T) {
	broken := strings.NewReplacer("It defaults.", "defaults", "nodes: 3", "nodes: -3").Replace(small)
	_, err := Read(files(broken))
	if err == nil || len(strings.Split(err.Error(), "\n")) != 2 {
		t.Errorf("the error is %v, want two lines", err)
	}
}

func TestReadOfStatementsChecksTheirOrder(t *testing.T) {
	data := files(small)
	data["task-page.yaml"].Data = []byte(strings.Replace(smallStatements, "S1", "S2", 1))
	if _, err := Read(data); err == nil || !strings.Contains(err.Error(), `statement 1 has id "S2", want S1`) {
		t.Errorf("the error is %v, want one about the order", err)
	}
}

func TestReadFillsInWhatFollows(t *testing.T) {
	c := smallCatalog(t)
	b, _ := c.Get("A-01")
	if b.Area != (Area{Letter: "A", Name: "api", Title: "API"}) || b.Nodes != 1 {
		t.Errorf("A-01 has area %v and %d nodes, want its file's area and 1 node", b.Area, b.Nodes)
	}
	if s := c.Statements()[0]; len(s.Behaviours) != 1 || s.Behaviours[0] != "A-01" {
		t.Errorf("S1 is proved by %v, want A-01", s.Behaviours)
	}
}
