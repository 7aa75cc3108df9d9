package kind

import (
	"fmt"
	"io"
	"strings"

	kindlog "sigs.k8s.io/kind/pkg/log"
)

// logger passes what kind says to its user on to a writer, a line each, and drops its debug messages.
type logger struct{ w io.Writer }

var _ kindlog.Logger = logger{}

func (l logger) Warn(message string)               { l.line(message) }
func (l logger) Warnf(format string, args ...any)  { l.line(fmt.Sprintf(format, args...)) }
func (l logger) Error(message string)              { l.line(message) }
func (l logger) Errorf(format string, args ...any) { l.line(fmt.Sprintf(format, args...)) }

func (l logger) V(level kindlog.Level) kindlog.InfoLogger {
	if level > 0 {
		return kindlog.NoopInfoLogger{}
	}
	return info{l}
}

// info is the logger of V(0). A type of its own, because kind asks for an Info that Logger does not have.
type info struct{ logger }

func (i info) Info(message string)              { i.line(message) }
func (i info) Infof(format string, args ...any) { i.line(fmt.Sprintf(format, args...)) }
func (i info) Enabled() bool                    { return true }

func (l logger) line(message string) { fmt.Fprintf(l.w, "kind: %s\n", strings.TrimSpace(message)) }
