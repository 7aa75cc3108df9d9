package report

import (
	"flag"
	"fmt"
	"strings"
)

// BindIdentity declares the flags -implementation-organization, -implementation-project, -implementation-url,
// -implementation-version and -implementation-contact (comma-separated) and returns the value that they set. What no flag sets
// comes from the environment, through env: IMPLEMENTATION_ORGANIZATION and so on.
func BindIdentity(flags *flag.FlagSet, env func(string) string) *Implementation {
	i := &Implementation{
		Organization: env("IMPLEMENTATION_ORGANIZATION"),
		Project:      env("IMPLEMENTATION_PROJECT"),
		URL:          env("IMPLEMENTATION_URL"),
		Version:      env("IMPLEMENTATION_VERSION"),
		Contact:      splitList(env("IMPLEMENTATION_CONTACT")),
	}
	flags.StringVar(&i.Organization, "implementation-organization", i.Organization, "who maintains the implementation that is judged")
	flags.StringVar(&i.Project, "implementation-project", i.Project, "the implementation's name")
	flags.StringVar(&i.URL, "implementation-url", i.URL, "where to read more about the implementation")
	flags.StringVar(&i.Version, "implementation-version", i.Version, "the implementation's version")
	flags.Func("implementation-contact", "who answers questions about the report, separated by commas", func(text string) error {
		i.Contact = splitList(text)
		return nil
	})
	return i
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
