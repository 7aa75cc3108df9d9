// Package api proves area A of the catalog: defaults and validation.
package api
