package rollout

import (
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
)

// contested is how often a write is made anew that another writer was faster than, in about five seconds. client-go's own backoffs give up
// after as many hundredths of one: a controller may write a status as often as it likes (catalog G-14 is informative), and whoever judges
// it must not fail over that.
var contested = wait.Backoff{Steps: 20, Duration: 5 * time.Millisecond, Factor: 1.3, Jitter: 1}

// rewrite calls a function that reads an object and writes it, until nobody else wrote meanwhile.
func rewrite(write func() error) error { return retry.RetryOnConflict(contested, write) }
