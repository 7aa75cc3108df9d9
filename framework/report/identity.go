package report

import (
	"fmt"
	"strings"
)

// IdentityFrom is what the environment says about the implementation that is judged, through env: IMPLEMENTATION_ORGANIZATION,
// IMPLEMENTATION_PROJECT, IMPLEMENTATION_URL, IMPLEMENTATION_VERSION, and IMPLEMENTATION_CONTACT with commas in between.
func IdentityFrom(env func(string) string) Implementation {
	return Implementation{
		Organization: env("IMPLEMENTATION_ORGANIZATION"),
		Project:      env("IMPLEMENTATION_PROJECT"),
		URL:          env("IMPLEMENTATION_URL"),
		Version:      env("IMPLEMENTATION_VERSION"),
		Contact:      splitList(env("IMPLEMENTATION_CONTACT")),
	}
}

func splitList(text string) []string {
	items := []string{}
	for _, item := range strings.Split(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// RequireIdentity returns nil if every field is set, as a report that is to be published needs it. Otherwise the error names,
// in one line, each missing field by the variable that sets it.
func (i Implementation) RequireIdentity() error {
	var missing []string
	for _, field := range []struct{ variable, value string }{
		{"IMPLEMENTATION_ORGANIZATION", i.Organization},
		{"IMPLEMENTATION_PROJECT", i.Project},
		{"IMPLEMENTATION_URL", i.URL},
		{"IMPLEMENTATION_VERSION", i.Version},
		{"IMPLEMENTATION_CONTACT", strings.Join(i.Contact, "")},
	} {
		if strings.TrimSpace(field.value) == "" {
			missing = append(missing, field.variable)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("a report to be published names its implementation: set %s", strings.Join(missing, ", "))
}
