package report

import (
	"encoding/xml"
	"fmt"
	"time"
)

// The elements of JUnit's format that CI systems agree about.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      float64     `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string     `xml:"name,attr"`
		Class   string     `xml:"classname,attr"`
		Status  string     `xml:"status,attr"`
		Time    float64    `xml:"time,attr"`
		Skipped *junitText `xml:"skipped"`
		Failure *junitText `xml:"failure"`
		Error   *junitText `xml:"error"`
	}
	junitText struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// SaveJUnit writes the specs of the report as JUnit's XML, whole or not at all. A run of its own has that from Ginkgo; one that was put
// together of several has specs that no Ginkgo has seen. A spec that was lost is an error there, a known deviation is skipped.
func (r *ConformanceReport) SaveJUnit(path string) error {
	suite := junitSuite{
		Name: "Rollcall", Tests: r.Summary.Planned, Failures: r.Summary.Failed, Skipped: r.Summary.Skipped + r.Summary.Deviations,
		Errors: r.Summary.Errors + r.Summary.Inconclusive + r.Summary.NotRun, Timestamp: r.Date.Format("2006-01-02T15:04:05"),
	}
	if r.Timings != nil {
		suite.Time = time.Duration(r.Timings.Total).Seconds()
	}
	for _, s := range r.Specs {
		c := junitCase{Name: "[It] " + s.Name, Class: "Rollcall", Status: s.Verdict.String(), Time: time.Duration(s.Duration).Seconds()}
		text := &junitText{Message: s.Reason, Text: s.Failure}
		switch s.Verdict {
		case Passed:
		case Skipped, Deviation:
			c.Skipped = text
		case Failed:
			c.Failure = text
		default:
			c.Error = text
		}
		suite.Cases = append(suite.Cases, c)
	}
	out, err := xml.MarshalIndent(junitSuites{Suites: []junitSuite{suite}}, "", "  ")
	if err == nil {
		err = writeWhole(path, append([]byte(xml.Header), append(out, '\n')...))
	}
	if err != nil {
		return fmt.Errorf("save the JUnit report: %w", err)
	}
	return nil
}
