// Package ondelete proves area E of the catalog: OnDelete.
package ondelete
