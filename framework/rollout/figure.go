package rollout

import "github.com/onsi/ginkgo/v2"

// FigureEntry is the name of the report entries that hold a spec's Figures, for the report of the run.
const FigureEntry = "rollcall.figure"

// Figure is something that a spec measured. No verdict depends on it.
type Figure struct {
	// Name says what, with the unit behind it where it has one: "memory (MiB)".
	Name string `json:"name"`
	// Value is how much.
	Value float64 `json:"value"`
}

// Measured puts a figure into the report of the run.
func Measured(name string, value float64) {
	ginkgo.AddReportEntry(FigureEntry, Figure{Name: name, Value: value}, ginkgo.ReportEntryVisibilityNever)
}
