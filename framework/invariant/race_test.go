package invariant

import (
	"path/filepath"
	"testing"

	"rollcall.dev/framework/history"
)

// The recording is of kube-controller-manager's controller v1.36.3 on a machine with forty processes in the queue.
func TestMistakenDeletionIsRecognised(t *testing.T) {
	h, err := history.Load(filepath.Join("testdata", "mistaken-deletion.jsonl.zst"))
	if err != nil {
		t.Fatal(err)
	}
	violations := Judge(h).Violations
	if len(violations) != 1 || violations[0].Invariant != "M-02" {
		t.Fatalf("%v, should be one breach of M-02", violations)
	}
	if !MistakenDeletion(h, violations[0]) {
		t.Errorf("%s: not recognised", violations[0])
	}
}

func TestPlainBreachIsNoMistakenDeletion(t *testing.T) {
	for _, pause := range []float64{0, 5} {
		f := shoot(5)
		ds := f.create("fluentd")
		pods := f.fill(ds, 5)
		f.update(ds, image("v2"))
		f.observe(ds)
		if pause > 0 { // in the middle of an update, when the pod before has long gone
			f.replace(ds, pods[2])
			f.wait(pause)
		}
		f.del(pods[0])
		f.del(pods[1])
		h := f.end()
		breaches := 0
		for _, v := range Judge(h).Violations {
			if v.Invariant == "M-02" {
				breaches++
			}
			if MistakenDeletion(h, v) {
				t.Errorf("%s: taken for the known race", v)
			}
		}
		if breaches == 0 {
			t.Error("no breach of M-02")
		}
	}
}
