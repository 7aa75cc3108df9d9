package catalog

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

const smallPage = `<!-- Generated from framework/catalog/data and the labels of the specs. Do not edit. -->
# Catalog

8 behaviours: 4 core, 2 extended, 1 deviation, 1 informative.

*core*: every implementation has to keep it, and every cluster can show it. *extended*: as binding, but showing it needs what is named with it. *deviation*: as binding, and upstream is known to break it. *informative*: not required. Area M is judged on the history of every spec.

*Eligible*: a node that the template and its tolerations allow. *Desired*: how many are. *Dead*: a pod that is terminating and in a terminal phase; *active*: neither. *Available*: not terminating and Ready for minReadySeconds. *New*: of the current template; *old*: any other. *Undisturbed*: all pods were available before, and only the controller acts.

## A. API

| id | promise | level | since | specs | sources |
|---|---|---|---|---|---|
| A-01 | It defaults. | core |  | a \| b &lt;c&gt;<br>proves A-01 | [kk#1](https://github.com/kubernetes/kubernetes/issues/1) |
| A-02 | It surges. | core<br>surge<br>3 nodes |  | **none** | [kk#1](https://github.com/kubernetes/kubernetes/issues/1) |
| A-03 | It prints. | extended<br>kubectl<br>surge |  | proves A-03 | [kk#1](https://github.com/kubernetes/kubernetes/issues/1) |
| A-04 | It counts. | deviation |  | proves A-04 | [UP:1-2](https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/controller/daemon/update.go#L1-L2) |
| A-05 | It may \| may not.<br>*Either \*way\*.* | informative |  |  | [doc:task](https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/) |
| A-06 | It survives both zero. | core |  | none: nobody can make it so | [kk#1](https://github.com/kubernetes/kubernetes/issues/1) |

## M. Invariants

| id | promise | level | since | specs | sources |
|---|---|---|---|---|---|
| M-01 | It never overlaps. | core |  | every spec's history | [kk#1](https://github.com/kubernetes/kubernetes/issues/1) |
| M-02 | It survives a restart. | extended<br>controller-restart |  | **none** | [kk#1](https://github.com/kubernetes/kubernetes/issues/1) |

## Known deviations

| id | implementation | versions | what happens instead | evidence |
|---|---|---|---|---|
| A-04 | kube-controller-manager | &gt;=1.30 | It does not count. | [kk#2](https://github.com/kubernetes/kubernetes/issues/2); own reproduction: 1.36.3 |

## The task page's statements

| id | statement | proved by |
|---|---|---|
| S1 | It has defaults. | A-01 |
`

func TestMarkdown(t *testing.T) {
	c := smallCatalog(t)
	specs := append(proving(t, c), spec(t, c, "a | b <c>", nil, "A-01"))
	specs[1].Pending = true
	if got := string(c.Markdown(specs)); got != smallPage {
		t.Errorf("the page is\n%s\nwant\n%s", got, smallPage)
	}
	slices.Reverse(specs)
	if got := string(c.Markdown(specs)); got != smallPage {
		t.Errorf("with the specs in another order the page is\n%s", got)
	}
}

func TestMarkdownOfTheProjectsCatalog(t *testing.T) {
	page := Markdown(nil)
	for _, b := range All() {
		if n := strings.Count(string(page), "\n| "+b.ID+" | "); n != 1+len(b.Deviations) {
			t.Errorf("%s has %d rows, want one and one for each deviation", b.ID, n)
		}
	}
	// A row that is broken in two, or has a bar too many, spoils the table.
	for line := range bytes.Lines(page) {
		bars := bytes.Count(line, []byte("|")) - bytes.Count(line, []byte(`\|`))
		if bytes.HasPrefix(line, []byte("|")) && bars != 7 && bars != 6 && bars != 4 {
			t.Errorf("a row has %d bars: %s", bars, line)
		}
	}
}
