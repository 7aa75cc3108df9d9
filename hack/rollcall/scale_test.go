package main

import "testing"

func TestScaleKeepsWhatItIsTold(t *testing.T) {
	for _, test := range []struct{ is, want settings }{
		{settings{Provider: "auto"}, settings{Provider: "simulated", Labels: "scale", Nodes: 1000, Procs: 1}},
		{settings{Provider: "simulated", Labels: "C-05 || C-07", Nodes: 5000, Procs: 2}, settings{Provider: "simulated", Labels: "scale && (C-05 || C-07)", Nodes: 5000, Procs: 2}},
	} {
		got, err := test.is.forScale()
		if err != nil || got.Provider != test.want.Provider || got.Labels != test.want.Labels || got.Nodes != test.want.Nodes || got.Procs != test.want.Procs {
			t.Errorf("%+v becomes %+v (%v), want %+v", test.is, got, err, test.want)
		}
	}
	if _, err := (settings{Provider: "kind"}).forScale(); err == nil {
		t.Error("PROVIDER=kind is overridden without a word")
	}
}
