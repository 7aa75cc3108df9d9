package kubernetes

import (
	"slices"
	"testing"
)

func TestPath(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     []string
	}{
		{"v1.34.4", "v1.36.3", []string{"v1.34.4", "v1.35.4", "v1.36.3"}},
		{"v1.33.13", "v1.34.4", []string{"v1.33.13", "v1.34.4"}},
		{"v1.36.3", "v1.36.3", nil},  // nothing to do
		{"v1.36.3", "v1.35.4", nil},  // back
		{"v1.30.14", "v1.34.4", nil}, // over 1.31, which cannot be built
	} {
		got, err := Path(test.from, test.to)
		if !slices.Equal(got, test.want) || (err == nil) != (test.want != nil) {
			t.Errorf("from %s to %s: %v, %v; want %v", test.from, test.to, got, err, test.want)
		}
	}
}
