// Package revision proves area I of the catalog: revisions, history, rollback.
package revision
