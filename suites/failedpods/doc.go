// Package failedpods proves area L of the catalog: failed, evicted and completed pods.
package failedpods
