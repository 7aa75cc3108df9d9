package scale

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"rollcall.dev/framework/rollout"
)

// consumption is what has been used so far, in CPU seconds: by this process, and by the API server where it says so.
type consumption struct{ suite, server float64 }

func (c consumption) since(before consumption) consumption {
	return consumption{c.suite - before.suite, c.server - before.server}
}

var serverCPU = regexp.MustCompile(`(?m)^process_cpu_seconds_total (\S+)$`)

// consumed leaves the API server's share at 0 where its metrics may not be read.
func consumed(ctx context.Context, r *rollout.R) (c consumption) {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) == nil {
		c.suite = time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
	}
	page, err := r.Client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return c
	}
	if found := serverCPU.FindSubmatch(page); found != nil {
		c.server, _ = strconv.ParseFloat(string(found[1]), 64)
	}
	return c
}

func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }
