// Package stuck proves area H of the catalog: rollouts that cannot go on, and what helps.
package stuck
