package report

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestSchemaIsDocumented finds every field of a report in README.md.
func TestSchemaIsDocumented(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range fieldsOf(reflect.TypeFor[ConformanceReport]()) {
		if !strings.Contains(string(text), "`"+field+"`") {
			t.Errorf("README.md does not say what %s is", field)
		}
	}
}

// fieldsOf returns the names of a type's fields as YAML has them, and of those below.
func fieldsOf(typ reflect.Type) []string {
	for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Map {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() {
		return nil
	}
	var names []string
	for field := range typ.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
		names = append(names, fieldsOf(field.Type)...)
	}
	return names
}
