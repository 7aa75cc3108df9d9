package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// TestAClusterThatIsLeftIsAlwaysNamed, and nothing is called gone then.
func TestAClusterThatIsLeftIsAlwaysNamed(t *testing.T) {
	failed, left, other := specsFailed{errors.New("1 of 3 specs")}, notRemoved{errors.New("the cluster stays")}, errors.New("no port")
	gone := "interrupted; what this run made is gone again"
	for _, c := range []struct {
		err  error
		code int
		says []string
	}{
		{nil, 0, nil},
		{failed, 1, nil},
		{fmt.Errorf("v1.34.4: %w", failed), 1, nil},
		{errors.Join(failed, left), 1, []string{"the cluster stays"}},
		{errors.Join(fmt.Errorf("v1.34.4: %w", errors.Join(failed, left)), fmt.Errorf("v1.35.4: %w", other)), 1, []string{"the cluster stays", "v1.35.4: no port"}},
		{errors.Join(failed, fmt.Errorf("two: %w, %w", other, left)), 1, []string{"two: no port, the cluster stays"}},
		{fmt.Errorf("waiting: %w", errInterrupted), 130, []string{gone}},
		{errors.Join(errInterrupted, other), 130, []string{gone}},
		{errors.Join(errInterrupted, left), 130, []string{"interrupted", "the cluster stays"}},
		{fmt.Errorf("making a cluster: %w", errors.Join(errInterrupted, left)), 130, []string{"interrupted", "the cluster stays"}},
		{errors.Join(failed, errInterrupted, left), 130, []string{"interrupted", "the cluster stays"}},
		{left, 2, []string{"the cluster stays"}},
		{fmt.Errorf("two: %w, %w", other, left), 2, []string{"two: no port, the cluster stays"}},
	} {
		if says, code := parting(c.err); code != c.code || !slices.Equal(says, c.says) {
			t.Errorf("%v: says %q with code %d; want %q with code %d", c.err, says, code, c.says, c.code)
		}
	}
}
