package report

import (
	"fmt"
	"strings"
)

// Verdict is what became of a spec, or of a behaviour. Its order is its severity: of several specs that cover one behaviour
// the worst decides (Worst), and of several runs of one spec too.
type Verdict int

// The verdicts, mildest first. Why they stand where they do:
//
//   - A deviation is worse than passed: the promise was broken, although everybody knows and nobody is alarmed.
//   - Skipped is worse than both: what one spec has shown says nothing about the part that another one did not look at. A
//     behaviour of which a part was not examined is not passed.
//   - Not run is worse than skipped: a skip was decided, with a reason and a remedy; a spec that did not run was lost, and
//     fails the run. It is milder than inconclusive, failed and error because those saw something.
//   - Inconclusive is worse than not run, since there may well be a violation where our evidence has its gap, and milder than
//     failed, which is proof.
//   - An error is the worst: our tool broke, and until it is mended nobody can say what its other findings are worth.
const (
	Passed Verdict = iota
	Deviation
	Skipped
	NotRun
	Inconclusive
	Failed
	Error
)

var verdictNames = [...]string{"passed", "deviation", "skipped", "notRun", "inconclusive", "failed", "error"}

// Verdicts returns all of them, mildest first.
func Verdicts() []Verdict {
	return []Verdict{Passed, Deviation, Skipped, NotRun, Inconclusive, Failed, Error}
}

// String returns the word that report.yaml has: passed, deviation, skipped, notRun, inconclusive, failed, error.
func (v Verdict) String() string {
	if v < 0 || int(v) >= len(verdictNames) {
		return fmt.Sprintf("Verdict(%d)", int(v))
	}
	return verdictNames[v]
}

// ParseVerdict is the inverse of String. The error lists the words that there are.
func ParseVerdict(text string) (Verdict, error) {
	for i, name := range verdictNames {
		if name == text {
			return Verdict(i), nil
		}
	}
	return 0, fmt.Errorf("there is no verdict %q, only %s", text, strings.Join(verdictNames[:], ", "))
}

// MarshalText is String, but refuses a value that is none of the constants.
func (v Verdict) MarshalText() ([]byte, error) {
	if v < 0 || int(v) >= len(verdictNames) {
		return nil, fmt.Errorf("there is no verdict %d", int(v))
	}
	return []byte(v.String()), nil
}

// UnmarshalText is ParseVerdict.
func (v *Verdict) UnmarshalText(text []byte) error {
	parsed, err := ParseVerdict(string(text))
	if err != nil {
		return err
	}
	*v = parsed
	return nil
}

// Worst returns the most severe of the verdicts, and NotRun for none: what nobody examined has not passed.
func Worst(verdicts ...Verdict) Verdict {
	if len(verdicts) == 0 {
		return NotRun
	}
	worst := verdicts[0]
	for _, v := range verdicts[1:] {
		worst = max(worst, v)
	}
	return worst
}

// FailsRun says whether one spec with this verdict is enough for the run to end with an error.
func (v Verdict) FailsRun() bool {
	return v >= NotRun
}

// Examined says whether the spec ran far enough to say something about the implementation.
func (v Verdict) Examined() bool {
	return v == Passed || v == Deviation || v == Failed
}
