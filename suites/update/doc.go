// Package update proves area F of the catalog: every path by which a user updates a DaemonSet, and what kubectl prints.
package update
