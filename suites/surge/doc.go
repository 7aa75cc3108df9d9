// Package surge proves area D of the catalog: RollingUpdate with maxSurge.
package surge
