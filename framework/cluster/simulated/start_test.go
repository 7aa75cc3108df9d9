package simulated

import (
	"slices"
	"testing"
)

func TestFirstArgumentsComeFirst(t *testing.T) {
	got := firstsFirst([]string{"etcd=a=1", "scheduler=a=1", "scheduler=b=2", "apiserver=a=1=2", "etcd=b=2", "apiserver=b=2"})
	want := []string{"etcd=a=1", "scheduler=a=1", "apiserver=a=1=2", "scheduler=b=2", "etcd=b=2", "apiserver=b=2"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
