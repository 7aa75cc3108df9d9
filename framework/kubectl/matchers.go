package kubectl

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/onsi/gomega/types"
)

// Say matches a Result with exit code 0 whose whole standard output is the text, give or take white space at its ends.
func Say(text string) types.GomegaMatcher {
	return matcher{
		expected: fmt.Sprintf("print %q and exit with code 0", text),
		match:    func(r Result) bool { return r.ExitCode == 0 && strings.TrimSpace(r.Stdout) == text },
	}
}

// SayMatching matches a Result with exit code 0 whose whole standard output, without white space at its ends, matches the pattern.
func SayMatching(pattern string) types.GomegaMatcher {
	expression := regexp.MustCompile(`^(?s:` + pattern + `)$`)
	return matcher{
		expected: fmt.Sprintf("print what matches %q and exit with code 0", pattern),
		match:    func(r Result) bool { return r.ExitCode == 0 && expression.MatchString(strings.TrimSpace(r.Stdout)) },
	}
}

// Refuse matches a Result with exit code 1 whose standard error contains the text.
func Refuse(text string) types.GomegaMatcher {
	return matcher{
		expected: fmt.Sprintf("exit with code 1 and say %q on standard error", text),
		match:    func(r Result) bool { return r.ExitCode == 1 && strings.Contains(r.Stderr, text) },
	}
}

type matcher struct {
	expected string
	match    func(Result) bool
}

func (m matcher) Match(actual any) (bool, error) {
	r, ok := actual.(Result)
	if !ok {
		return false, fmt.Errorf("this matcher takes a kubectl.Result, not %T", actual)
	}
	return m.match(r), nil
}

func (m matcher) FailureMessage(actual any) string {
	return fmt.Sprintf("kubectl should %s, but:\n%s", m.expected, actual)
}

func (m matcher) NegatedFailureMessage(actual any) string {
	return fmt.Sprintf("kubectl should not %s, but:\n%s", m.expected, actual)
}
