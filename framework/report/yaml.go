package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	ordered "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// longestFlow is up to how many characters a list of words stays on one line. A list of ids, none longer than longestID, always does.
const longestFlow, longestID = 80, 6

// reportFile is the report's name in a folder of artifacts.
const reportFile = "report.yaml"

// Write writes the report as YAML, its fields in the order of the types here: the outcome comes before the details.
func (r *ConformanceReport) Write(w io.Writer) error {
	// JSON is YAML, and encoding/json knows the fields' names and order: its output needs restyling only.
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	var document ordered.Node
	if err := ordered.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	restyle(&document)
	var out bytes.Buffer
	encoder := ordered.NewEncoder(&out)
	encoder.SetIndent(2)
	encoder.CompactSeqIndent()
	if err := encoder.Encode(&document); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// restyle turns JSON's look into YAML's: blocks, plain scalars, and short lists of words on a line.
func restyle(n *ordered.Node) {
	n.Style = 0
	switch n.Kind {
	case ordered.ScalarNode:
		if _, err := time.Parse(time.RFC3339Nano, n.Value); err == nil {
			n.Tag = "!!timestamp" // needs no quotes
		}
	case ordered.SequenceNode:
		length, words, ids := 0, true, true
		for _, item := range n.Content {
			words = words && item.Kind == ordered.ScalarNode
			ids = ids && len(item.Value) <= longestID
			length += len(item.Value) + 2
		}
		if words && (ids || length <= longestFlow) {
			n.Style = ordered.FlowStyle
		}
	case ordered.MappingNode:
		if len(n.Content) == 0 {
			n.Style = ordered.FlowStyle
		}
	}
	for _, child := range n.Content {
		restyle(child)
	}
}

// Save writes the report to a file, whole or not at all.
func (r *ConformanceReport) Save(path string) error {
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		return err
	}
	if err := writeWhole(path, out.Bytes()); err != nil {
		return fmt.Errorf("save the report: %w", err)
	}
	return nil
}

// Load reads a report, or the one in a folder of artifacts. A field that this version does not have is ignored, for fields may be added. What is no
// report, is cut short, contradicts itself or has another apiVersion is an error of one line.
func Load(path string) (*ConformanceReport, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, reportFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load the report: %w", err)
	}
	r, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("load the report %s: %w", path, err)
	}
	return r, nil
}

func parse(text []byte) (*ConformanceReport, error) {
	var head struct {
		APIVersion, Kind string
	}
	if err := yaml.Unmarshal(text, &head); err != nil {
		if bytes.HasPrefix(text, []byte("apiVersion: rollcall.dev/")) {
			return nil, fmt.Errorf("it is cut short or damaged: %w", err)
		}
		return nil, errors.New("it is not a report.yaml: it is no YAML with fields")
	}
	group, _, _ := strings.Cut(APIVersion, "/")
	switch {
	case head.Kind != Kind || !strings.HasPrefix(head.APIVersion, group+"/"):
		return nil, fmt.Errorf("it is not a report.yaml: that begins with apiVersion %s and kind %s, and this has %q and %q", APIVersion, Kind, head.APIVersion, head.Kind)
	case head.APIVersion != APIVersion:
		return nil, fmt.Errorf("it is of %s, and this version of Rollcall reads %s: use the version that wrote it, or a later one", head.APIVersion, APIVersion)
	}
	r := &ConformanceReport{}
	if err := yaml.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if planned := r.Summary.Planned; planned > len(r.Specs) {
		return nil, fmt.Errorf("it is cut short: %d specs were planned, and it ends after %d", planned, len(r.Specs))
	}
	if err := r.Validate(); err != nil {
		first, others, _ := strings.Cut(err.Error(), "\n")
		if others != "" {
			first += fmt.Sprintf(" (and %d more)", 1+strings.Count(others, "\n"))
		}
		return nil, errors.New(first)
	}
	return r, nil
}
