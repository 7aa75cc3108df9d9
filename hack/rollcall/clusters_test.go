package main

import (
	"strings"
	"testing"
)

func TestAToolsClusterIsAnother(t *testing.T) {
	named := func(of string) (string, error) {
		s, err := loadSettings(func(name string) string { return map[string]string{"CLUSTER_OF": of, "REUSE": "1"}[name] })
		return stayingName(s), err
	}
	yours, err := named("")
	if err != nil || !strings.HasPrefix(yours, "rollcall-dev-") {
		t.Errorf("the user's cluster is %s (%v)", yours, err)
	}
	its, err := named("mutants")
	if err != nil || !strings.HasPrefix(its, "rollcall-mutants-") {
		t.Errorf("the cluster of mutants is %s (%v)", its, err)
	}
	if _, err := named("../mine"); err == nil {
		t.Error("CLUSTER_OF=../mine is taken for a part of a name")
	}
}
