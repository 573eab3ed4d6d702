package main

import (
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofocal/focal/cmd/focal/internal/export"
)

// An outputFormat is where a command writes, and how: the flags -o and -format, the same for all that print tables.
type outputFormat struct {
	file, format string
	known        []string // the first is that of the standard output
}

// formatFlags defines the flags. To the given formats come those of package export.
func formatFlags(fs *flag.FlagSet, formats ...string) *outputFormat {
	o := &outputFormat{known: append(formats, "json", "csv")}
	fs.StringVar(&o.file, "o", "-", "write to this `file`; - is the standard output")
	fs.StringVar(&o.format, "format", "", fmt.Sprintf("output `format`: %s (default: the ending of the file's name, or %s)", strings.Join(o.known, ", "), o.known[0]))
	return o
}

// settle finds the format, after the flags have been parsed.
func (o *outputFormat) settle() error {
	ending := strings.TrimPrefix(filepath.Ext(o.file), ".")
	switch {
	case o.format != "":
		if !slices.Contains(o.known, o.format) {
			return usagef("-format %s, want one of %s", o.format, strings.Join(o.known, ", "))
		}
	case isStandard(o.file, 1) || ending == "txt" && o.known[0] == "text":
		o.format = o.known[0]
	case slices.Contains(o.known, ending):
		o.format = ending
	default:
		return usagef("-o %s, want a name that ends in .%s, or -format", o.file, strings.Join(o.known, ", ."))
	}
	return nil
}

// write writes records, or else what text writes.
func (e *env) write(o *outputFormat, records any, text func(w io.Writer) error) error {
	return e.output(o.file, func(w io.Writer) error {
		if o.format == "json" || o.format == "csv" {
			return export.Write(w, o.format, records)
		}
		return text(w)
	})
}
