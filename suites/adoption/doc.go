// Package adoption proves area J of the catalog: adoption, orphans, deletion.
package adoption
