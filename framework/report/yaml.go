package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	ordered "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// longestFlow is up to how many characters a list of words stays on one line. A list of ids, none longer than longestID, always does.
const longestFlow, longestID = 80, 6

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

// Load reads a report. A field that this version does not have is an error, for it may carry what the others mean.
func Load(path string) (*ConformanceReport, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load the report: %w", err)
	}
	r := &ConformanceReport{}
	if err := yaml.Unmarshal(text, r); err == nil && (r.APIVersion != APIVersion || r.Kind != Kind) {
		return nil, fmt.Errorf("load the report %s: it is a %q %q, not a %s %s", path, r.APIVersion, r.Kind, APIVersion, Kind)
	}
	r = &ConformanceReport{}
	if err := yaml.UnmarshalStrict(text, r); err != nil {
		return nil, fmt.Errorf("load the report %s: %w", path, err)
	}
	return r, nil
}
