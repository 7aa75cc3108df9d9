// Package rollout proves area C of the catalog: RollingUpdate with maxUnavailable.
package rollout
