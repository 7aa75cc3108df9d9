// Package nodes proves area K of the catalog: nodes that join, leave, are tainted, cordoned or stop.
package nodes
