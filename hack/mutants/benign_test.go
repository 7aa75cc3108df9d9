package main

import (
	"maps"
	"testing"
)

func TestVariationsFitTheSource(t *testing.T) {
	t.Chdir("../..")
	sources, err := readSources(t.Context())
	if err != nil {
		t.Skipf("upstream's source is not here: %v", err)
	}
	all, err := loadBenign()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if err := m.apply(maps.Clone(sources)); err != nil {
			t.Error(err)
		}
	}
}
