package invariant

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden texts anew")

func TestExplain(t *testing.T) {
	for name, play := range map[string]func() *film{
		"M-01": func() *film {
			f, ds, pods := midway()
			f.del(pods[2])
			f.add(ds, "node-3")
			return f
		},
		"M-02": func() *film {
			f := shoot(5)
			ds := f.create("fluentd", maxUnavailable("2"))
			pods := f.fill(ds, 5)
			f.update(ds, image("v2"))
			f.observe(ds)
			for i := range 3 {
				f.wait(0.4)
				f.del(pods[i])
			}
			return f
		},
		"M-03": func() *film {
			f, pods, add := surging(2, maxSurge("1"), minReady(10))
			f.ready(add("node-1"))
			f.wait(1)
			f.del(pods[0])
			return f
		},
		"M-08": func() *film {
			f := shoot(1)
			p := f.pod(f.create("fluentd"), "node-1")
			p.Spec.Containers[0].Image = "fluentd:v0"
			f.pods = append(f.pods, p)
			f.emitPod("ADDED", p)
			return f
		},
		"M-14": func() *film {
			f := shoot(3)
			ds := f.create("fluentd")
			f.fill(ds, 3)
			ds.Status.NumberReady = 5
			f.emitSet("MODIFIED", ds)
			return f
		},
		"M-18": func() *film {
			f := shoot(3)
			ds := f.create("fluentd", minReady(10))
			pods := f.fill(ds, 3)
			f.update(ds, image("v2"))
			f.observe(ds)
			f.replace(ds, pods[0])
			f.wait(5)
			f.del(pods[1])
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := play().end()
			found := Judge(h).Violations
			if len(found) != 1 || found[0].Invariant != name {
				t.Fatalf("want one %s, got %v", name, found)
			}
			got := Explain(h, found[0])
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the text changed (run with -update if that is meant):\n%s\nwant:\n%s", got, want)
			}
			if first, _, _ := strings.Cut(got, "\n"); first != found[0].String() {
				t.Errorf("the first line is not the sentence: %s", first)
			}
		})
	}
}
