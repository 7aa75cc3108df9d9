package cluster

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// Lock takes a lock on a file, which is made if need be, once nobody else has one, in this process or another. The kernel gives it back when
// the process ends, however it ends.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	return flock(ctx, path, syscall.LOCK_EX)
}

// LockShared is Lock for those who do not mind each other, but only one who has the file alone.
func LockShared(ctx context.Context, path string) (unlock func(), err error) {
	return flock(ctx, path, syscall.LOCK_SH)
}

func flock(ctx context.Context, path string, how int) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = file.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}
