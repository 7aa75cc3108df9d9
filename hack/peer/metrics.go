package main

import (
	"bufio"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// usage is what the API server has done so far, or between two looks.
type usage struct {
	// Verbs counts requests by verb, Kinds by verb and resource: "LIST pods".
	Verbs map[string]float64 `json:"verbs"`
	Kinds map[string]float64 `json:"kinds"`
	// CPU is in seconds.
	CPU float64 `json:"cpu"`
}

func (u usage) requests() (sum float64) {
	for _, n := range u.Verbs {
		sum += n
	}
	return sum
}

// collection is the verb of deleting all objects of a kind in a namespace, which the API server's metrics do not tell from deleting one.
const collection = "DELETE all"

// namespaces is about how many requests it took to delete namespaces: of each kind that there is all objects are deleted, and then listed.
func (u usage) namespaces() float64 { return 2 * u.Verbs[collection] }

// leases is how many requests had to do with leases: kubelets' heartbeats and controllers' elections.
func (u usage) leases() (sum float64) {
	for kind, n := range u.Kinds {
		if strings.HasSuffix(kind, " leases") {
			sum += n
		}
	}
	return sum
}

func (u usage) since(before usage) usage {
	d := usage{Verbs: map[string]float64{}, Kinds: map[string]float64{}, CPU: u.CPU - before.CPU}
	for k, n := range u.Verbs {
		d.Verbs[k] = n - before.Verbs[k]
	}
	for k, n := range u.Kinds {
		d.Kinds[k] = n - before.Kinds[k]
	}
	return d
}

// look reads the API server's metrics.
func (s *scene) look(ctx context.Context) (usage, error) {
	text, err := s.client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return usage{}, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	return parseMetrics(string(text))
}

var label = regexp.MustCompile(`(\w+)="([^"]*)"`)

// parseMetrics reads the two metrics that matter of Prometheus' text format. A watch is counted when it ends.
func parseMetrics(text string) (usage, error) {
	u := usage{Verbs: map[string]float64{}, Kinds: map[string]float64{}}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		name, labels := line, ""
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		name = line[:at]
		if i := strings.IndexByte(name, '{'); i >= 0 {
			name, labels = name[:i], name[i:]
		}
		if name != "apiserver_request_total" && name != "process_cpu_seconds_total" {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return u, fmt.Errorf("a metric that is no number: %q", line)
		}
		if name == "process_cpu_seconds_total" {
			u.CPU = value
			continue
		}
		by := map[string]string{}
		for _, m := range label.FindAllStringSubmatch(labels, -1) {
			by[m[1]] = m[2]
		}
		if by["verb"] == "DELETE" && by["scope"] == "namespace" {
			by["verb"] = collection
		}
		kind := by["verb"] + " " + by["resource"]
		if by["subresource"] != "" {
			kind += "/" + by["subresource"]
		}
		u.Verbs[by["verb"]] += value
		u.Kinds[kind] += value
	}
	if len(u.Verbs) == 0 {
		return u, fmt.Errorf("the API server's metrics count no requests")
	}
	return u, lines.Err()
}
