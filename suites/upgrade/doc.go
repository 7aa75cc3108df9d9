// Package upgrade proves what area I of the catalog says of a control plane that is replaced by another version's, on a cluster that
// make upgrade takes through several.
package upgrade
