package suites

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
)

// configuration is Ginkgo's, as its flags have it, with what every run of the suite has in common.
func configuration(t *testing.T) types.SuiteConfig {
	c, _ := GinkgoConfiguration()
	c.RandomizeAllSpecs, c.FailOnPending, c.FailOnEmpty = true, true, true
	slow := 3 * time.Minute
	if strings.Contains(c.LabelFilter, "scale") { // there every spec takes minutes, and says no more by telling where it is
		slow = 20 * time.Minute
	}
	c.PollProgressAfter, c.PollProgressInterval = cmp.Or(c.PollProgressAfter, slow), cmp.Or(c.PollProgressInterval, slow/3)
	c.LabelFilter = filter(c.LabelFilter)
	if deadline, set := t.Deadline(); set {
		// go test kills what is late, after ten minutes if nobody says -timeout. Before that, the specs that run are ended in good order, what
		// they made is removed, and the report says which did not run.
		left := time.Until(deadline)
		c.Timeout = min(c.Timeout, left-min(left/3, 3*time.Minute))
	}
	return c
}

// filter is a label filter without the specs that nobody wants by the way: those of an upgrade have nothing to say on a cluster that stays as
// it is, and those for large clusters take long. They run only where the filter names them.
func filter(labels string) string {
	var parts []string
	if labels != "" {
		parts = append(parts, "("+labels+")")
	}
	for _, rare := range []string{"upgrade", "scale"} {
		if !strings.Contains(labels, rare) {
			parts = append(parts, "!"+rare)
		}
	}
	return strings.Join(parts, " && ")
}

// included says whether the selection includes a spec that did not run, and was not told why: the run was cut short, or nobody wanted it.
func included(spec SpecReport, c types.SuiteConfig) bool {
	wanted, err := spec.MatchesLabelFilter(c.LabelFilter)
	if err != nil || !wanted {
		return false
	}
	name := []byte(title + " " + name(spec))
	focus, skip := strings.Join(c.FocusStrings, "|"), strings.Join(c.SkipStrings, "|")
	return (focus == "" || regexp.MustCompile(focus).Match(name)) && (skip == "" || !regexp.MustCompile(skip).Match(name))
}

// caller is the import path of the package that has called, so many callers above the one that asks.
func caller(skip int) string {
	pc, _, _, _ := runtime.Caller(skip + 1)
	function := runtime.FuncForPC(pc).Name() // example.org/conformance_test.TestDaemonSets
	folder := strings.LastIndex(function, "/") + 1
	name, _, _ := strings.Cut(function[folder:], ".")
	return function[:folder] + strings.TrimSuffix(name, "_test")
}

// reproduce is the command that runs the test of a package again as it was run.
func reproduce(test, pkg string, c types.SuiteConfig) string {
	words := []string{"go", "test", pkg, "-timeout=0", "-run='^" + test + "$'"}
	prefix := "-ginkgo."
	if c.ParallelTotal > 1 {
		words = []string{"ginkgo", fmt.Sprintf("-procs=%d", c.ParallelTotal)}
		prefix = "-"
	}
	add := func(name, value string) {
		words = append(words, prefix+name+"='"+strings.ReplaceAll(value, "'", `'\''`)+"'")
	}
	words = append(words, fmt.Sprintf("%sseed=%d", prefix, c.RandomSeed))
	if asked, _ := GinkgoConfiguration(); asked.LabelFilter != "" {
		add("label-filter", asked.LabelFilter)
	}
	for _, focus := range c.FocusStrings {
		add("focus", focus)
	}
	for _, skip := range c.SkipStrings {
		add("skip", skip)
	}
	if c.ParallelTotal > 1 {
		words = append(words, ". # in the folder of "+pkg) // an import path means nothing to ginkgo
	}
	return strings.Join(words, " ")
}

// release is the version of this module that a test of another one was built with, empty if that is a folder.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, module := range info.Deps {
		if module.Path == "rollcall.dev" && module.Replace == nil {
			return module.Version
		}
	}
	return ""
}
