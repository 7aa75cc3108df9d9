package main

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

const page = "hack/mutants/MATRIX.md"

// whole is the matrix itself, mutant by spec: too much for the page.
const whole = cache + "/matrix.csv"

// matrix writes what is known of each mutant into its part of the page, and leaves the other part as it is. Which specs noticed it, all of
// them after FULL=1, is a file beside the results.
func matrix(mutants []mutant, o options) error {
	if o.partial() {
		return nil
	}
	// Half a matrix looks like a whole one, and must not take its place when a run is broken off.
	if missing := due(mutants, options{}); len(missing) > 0 {
		fmt.Printf("MATRIX.md stays as it is: %d of %d are still to be judged, from %s on\n", len(missing), len(mutants), missing[0].ID)
		return nil
	}
	if err := writeWhole(mutants); err != nil {
		return err
	}
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	part, text := "operators", operatorsPart(mutants, o)
	if o.operators == 0 {
		unbroken, err := loadResult(original)
		if err != nil || unbroken.Killed || unbroken.Unclear != "" {
			return errors.New("the unbroken controller has not passed: without that no kill means anything")
		}
		part, text = "listed", listedPart(mutants, unbroken)
	}
	text, err = replacePart(string(old), part, text)
	if err != nil {
		return err
	}
	return os.WriteFile(page, []byte(text), 0o644)
}

// replacePart replaces what stands between the marks of a part.
func replacePart(page, part, text string) (string, error) {
	begin, end := "<!-- "+part+" -->\n", "<!-- end of "+part+" -->\n"
	before, rest, found := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", fmt.Errorf("MATRIX.md has no part %q between %q and %q", part, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin + text + end + after, nil
}

// table is the rows of those that somebody has to notice, and of those that nobody has to, with what became of the former.
type table struct {
	rows, equivalent []string
	accused          []string // of the equivalent, by what
	judged, killed   int
	seconds          float64
}

// newTable makes the rows; breaks says what stands between what is wrong and who noticed.
func newTable(mutants []mutant, breaks func(mutant) string) (t table) {
	for _, m := range mutants {
		if m.Equivalent != "" {
			t.equivalent = append(t.equivalent, fmt.Sprintf("| %s | %s | %s |", m.ID, cell(m.Wrong), cell(m.Equivalent)))
			if r, err := loadResult(m.ID); err == nil && r.Killed {
				t.accused = append(t.accused, fmt.Sprintf("**%s** by %s: %s", m.ID, cell(r.Specs[0].Spec), cell(r.Specs[0].Reason)))
			}
			continue
		}
		by, says, took := "", "", ""
		if r, err := loadResult(m.ID); err == nil {
			t.judged++
			t.seconds += r.Seconds
			took = fmt.Sprintf("%.0f", r.Seconds)
			switch {
			case r.Unclear != "":
				by, says = "**unclear**", r.Unclear
			case r.Killed:
				t.killed++
				by, says = r.Specs[0].Spec, r.Specs[0].Reason
				if more := len(r.Specs) - 1; r.Full && more > 0 {
					by += fmt.Sprintf(", and %d more", more)
				}
			default:
				by = "**survived**"
			}
		}
		t.rows = append(t.rows, fmt.Sprintf("| %s | %s |%s %s | %s | %s |", m.ID, cell(m.Wrong), breaks(m), cell(cmp.Or(by, "not judged yet")), cell(says), took))
	}
	slices.Sort(t.rows)
	slices.Sort(t.equivalent)
	slices.Sort(t.accused)
	return t
}

func (t table) unnoticed(heading string) string {
	if len(t.equivalent) == 0 {
		return ""
	}
	accused := ""
	if len(t.accused) > 0 {
		accused = " Accused all the same, which is wrong:\n\n- " + strings.Join(t.accused, "\n- ")
	}
	return heading + "\n\nThese changes break no promise." + accused + "\n\n| mutant | what it does | why that is allowed |\n|---|---|---|\n" + strings.Join(t.equivalent, "\n") + "\n"
}

func listedPart(mutants []mutant, unbroken result) string {
	t := newTable(mutants, func(m mutant) string { return " " + strings.Join(m.Behaviours, " ") + " |" })
	return fmt.Sprintf("Kubernetes' DaemonSet controller, broken on purpose in one way at a time: \"a controller that …\". Of %d that break a promise, %d have been judged and %d were killed, "+
		"in %.0f s each on average. ", len(t.rows), t.judged, t.killed, t.seconds/float64(max(1, t.judged))) +
		fmt.Sprintf("The unbroken controller passes the whole suite under limits that are no looser (TIMEOUT_FACTOR=%s). Seed %d.\n\n", unbroken.Patience, unbroken.Seed) +
		"| mutant | what is wrong | breaks | first killed by | which said | seconds |\n|---|---|---|---|---|---|\n" +
		strings.Join(t.rows, "\n") + "\n" + t.unnoticed("\n## Not to be noticed")
}

func operatorsPart(mutants []mutant, o options) string {
	t := newTable(mutants, func(mutant) string { return "" })
	return fmt.Sprintf("\nNot thought of by anybody: %d changes chosen by seed %d among all that standard mutation operators make of the controller's source. Specs are tried on each until one notices, "+
		"which the unbroken controller then has to pass under the same limits. Of %d that break a promise, %d have been judged and %d were killed; %d break none.\n\n", len(mutants), o.seed, len(t.rows), t.judged, t.killed, len(t.equivalent)) +
		"| mutant | what is wrong | first killed by | which said | seconds |\n|---|---|---|---|---|\n" +
		strings.Join(t.rows, "\n") + "\n" + t.unnoticed("\n### Not to be noticed either")
}

// writeWhole writes a line for every spec that noticed a mutant. Only of a mutant on which all were tried do they say who did not.
func writeWhole(mutants []mutant) error {
	lines := [][]string{{"mutant", "tried", "spec", "invariant", "behaviours", "reason"}}
	for _, m := range mutants {
		r, err := loadResult(m.ID)
		if err != nil {
			continue
		}
		tried := "until one noticed"
		if r.Full {
			tried = "all"
		}
		for _, k := range r.Specs {
			lines = append(lines, []string{m.ID, tried, k.Spec, k.Invariant, k.Behaviours, k.Reason})
		}
	}
	file, err := os.Create(whole)
	if err != nil {
		return err
	}
	defer file.Close()
	return csv.NewWriter(file).WriteAll(lines)
}

// cell is text as it stands in a table: on one line, not too long, and nothing in it taken for Markdown.
func cell(text string) string {
	const most = 240
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + " …"
	}
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;", ">", "&gt;").Replace(text)
}
