package suites

import (
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"rollcall.dev/framework/report"
	"rollcall.dev/framework/rollout"
)

// TestVerdictOfWhatComesAfterTheEnd: a spec that has ended as a known deviation or by Skip is not over. What the judge finds is the
// implementation's, what our clean-up does not manage is ours: nobody may be accused of it, and nobody may miss it.
func TestVerdictOfWhatComesAfterTheEnd(t *testing.T) {
	judge := types.AdditionalFailure{Failure: types.Failure{Message: "M-02: pod x", FailureNodeType: types.NodeTypeAfterEach}}
	cleanUp := types.AdditionalFailure{Failure: types.Failure{
		Message: "A node timeout occurred", FailureNodeType: types.NodeTypeCleanupAfterEach,
		AdditionalFailure: &types.AdditionalFailure{Failure: types.Failure{Message: "accepting pods on node-21: context canceled"}},
	}}
	for name, c := range map[string]struct {
		deviation string
		more      []types.AdditionalFailure
		want      report.Verdict
		reason    string
	}{
		"a deviation and nothing else":            {"D-12: seen", nil, report.Deviation, "D-12: seen"},
		"a deviation and the judge":               {"D-12: seen", []types.AdditionalFailure{judge}, report.Failed, "M-02: pod x"},
		"a deviation and our clean-up":            {"D-12: seen", []types.AdditionalFailure{cleanUp}, report.Error, "A node timeout occurred: accepting pods"},
		"a deviation, our clean-up and the judge": {"D-12: seen", []types.AdditionalFailure{cleanUp, judge}, report.Failed, "M-02: pod x"},
		"skipped":                  {"", nil, report.Skipped, "one node"},
		"skipped and our clean-up": {"", []types.AdditionalFailure{cleanUp}, report.Error, "A node timeout occurred: accepting pods"},
	} {
		spec := SpecReport{LeafNodeType: types.NodeTypeIt, State: types.SpecStateSkipped, Failure: types.Failure{Message: "one node"}, AdditionalFailures: c.more}
		if c.deviation != "" {
			spec.ReportEntries = types.ReportEntries{{Name: rollout.DeviationEntry, Value: types.WrapEntryValue(c.deviation)}}
		}
		if got := result(spec); got.Verdict != c.want || !strings.HasPrefix(got.Reason, c.reason) {
			t.Errorf("%s: got %s because of %q, want %s because of %q", name, got.Verdict, got.Reason, c.want, c.reason)
		}
	}
}
