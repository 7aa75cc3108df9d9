package main

import (
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	firstPause = time.Second
	longest    = 10 * time.Minute
	forget     = 30 * time.Minute
)

// failures remembers where pods keep failing, so that they are not replaced faster and faster. A changed spec is a new start.
type failures struct {
	sync.Mutex
	known map[failureKey]failure
}

type failureKey struct {
	set        types.UID
	generation int64
	node       string
}

type failure struct {
	at    time.Time // when the last one was replaced
	pause time.Duration
}

func keyOf(set *appsv1.DaemonSet, pod *corev1.Pod) failureKey {
	return failureKey{set.UID, set.Generation, target(pod)}
}

// wait says how long a failed pod has to stay before it is replaced.
func (f *failures) wait(key failureKey, now time.Time) time.Duration {
	f.Lock()
	defer f.Unlock()
	last, ok := f.known[key]
	if !ok {
		return 0
	}
	return max(0, last.at.Add(last.pause).Sub(now))
}

// note remembers that a failed pod is being replaced.
func (f *failures) note(key failureKey, now time.Time) {
	f.Lock()
	defer f.Unlock()
	for k, last := range f.known {
		if now.Sub(last.at) > forget {
			delete(f.known, k)
		}
	}
	pause := firstPause
	if last, ok := f.known[key]; ok {
		pause = min(longest, 2*last.pause)
	}
	f.known[key] = failure{now, pause}
}
