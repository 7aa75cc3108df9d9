package invariant

import "time"

// The tolerances of the judge, each with the reason for its size. All are on one clock each: times on entries are the recorder's,
// times inside objects the API server's (deletionTimestamp, creationTimestamp, managedFields) or the kubelet's (conditions).
const (
	// grain is the resolution of every time that the API stores (catalog M-intro rules 4 and 6).
	grain = time.Second
	// skew is how far two recorded streams may be apart on arrival: they are separate watches, and only the order within one
	// of them is the API server's.
	skew = 2 * time.Second
	// cacheAge is how old a controller's view of what others did may be when its request arrives: informer lag plus the time
	// a batch of requests waits behind a client's rate limit. What it did itself it knows at once.
	cacheAge = 5 * time.Second
	// patience is what a soft finding has to outlast before it counts (catalog M-intro rule 8).
	patience = 60 * time.Second
	// expectations is what kube-controller-manager may lose to an event that it waits for in vain (M-20).
	expectations = 5*time.Minute + 30*time.Second
	// longestDelay is how long a controller may put off the replacement of a pod that failed once more (catalog L-02).
	longestDelay = 15 * time.Minute
	// failover is how long after a restart of the control plane's parts a controller may still act on what it knew before (M-22).
	failover = 60 * time.Second
)

// patient is a time that a controller may need, for as much longer as the run was patient (TIMEOUT_FACTOR). A run in more of a hurry gives
// nobody less time: what a controller may do does not depend on it.
func (r *replay) patient(limit time.Duration) time.Duration {
	return time.Duration(float64(limit) * max(1, r.h.Header.TimeoutFactor))
}
