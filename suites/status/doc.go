// Package status proves area G of the catalog: the status and kubectl rollout status.
package status
