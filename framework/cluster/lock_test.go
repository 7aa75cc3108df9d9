package cluster

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

func TestWhoSharesALockKeepsOutWhoWantsItAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	take := func(how func(context.Context, string) (func(), error)) func() {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		unlock, err := how(ctx, path)
		if err != nil {
			return nil
		}
		return unlock
	}
	first, second := take(LockShared), take(LockShared)
	if first == nil || second == nil {
		t.Fatal("two cannot share it")
	}
	first()
	if take(Lock) != nil {
		t.Error("one has it alone beside another")
	}
	second()
	alone := take(Lock)
	if alone == nil {
		t.Fatal("nobody has it, and it is not given")
	}
	if take(LockShared) != nil {
		t.Error("one shares it with who has it alone")
	}
	alone()
}
