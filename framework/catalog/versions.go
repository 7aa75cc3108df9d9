package catalog

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

// inRange says whether a version satisfies every comparison of a range such as ">=1.33 <1.37". A missing patch is 0, and what follows the
// patch (-alpha.1, +vendor) is ignored, so a pre-release counts as its release.
func inRange(constraint, v string) (bool, error) {
	have, err := version.ParseGeneric(v)
	if err != nil {
		return false, fmt.Errorf("read version %q: %w", v, err)
	}
	comparisons := strings.Fields(constraint)
	if len(comparisons) == 0 {
		return false, fmt.Errorf("read version range %q: it is empty", constraint)
	}
	all := true
	for _, c := range comparisons {
		bound := strings.TrimLeft(c, "<>=")
		want, err := version.ParseGeneric(bound)
		if err != nil {
			return false, fmt.Errorf("read version range %q: %w", constraint, err)
		}
		order := 0 // of have relative to want
		switch {
		case have.LessThan(want):
			order = -1
		case want.LessThan(have):
			order = 1
		}
		switch op := strings.TrimSuffix(c, bound); op {
		case ">=":
			all = all && order >= 0
		case ">":
			all = all && order > 0
		case "<=":
			all = all && order <= 0
		case "<":
			all = all && order < 0
		case "=":
			all = all && order == 0
		default:
			return false, fmt.Errorf("read version range %q: %q is not one of >=, >, <=, <, =", constraint, op)
		}
	}
	return all, nil
}
