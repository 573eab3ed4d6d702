package main

import (
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofocal/focal/cmd/focal/internal/report"
	"github.com/gofocal/focal/cmd/focal/internal/results"
)

const (
	reportSynopsis = "A.txt [B.txt …] [-o page.html|.md|.svg|.png]"
	reportText     = `
Makes a report of the results that "focal bench" wrote, on one machine or on many. Files of the same program on the same
machine are taken together.

By the ending of its name it is a page (.html), with tables and charts, that needs no other file and no network; the tables
alone (.md); or the charts alone (.svg, .png). Intervals are those of 95 % confidence around the median. Times of emulated
CPUs are marked, and in no chart.
`
)

func runReport(e *env, args []string) error {
	fs := e.flags(reportText)
	out := fs.String("o", "-", "write to this `file`; - is the tables to the standard output")
	files, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return usagef("%w", errors.New("no file of results; \"focal bench -o FILE\" writes one"))
	}
	format := strings.TrimPrefix(filepath.Ext(*out), ".")
	switch {
	case *out == "-":
		format = "md"
	case !slices.Contains([]string{"html", "md", "svg", "png"}, format):
		return usagef("-o %s, want a name that ends in .html, .md, .svg or .png", *out)
	}
	if err := checkNames([]string{strings.TrimPrefix(*out, "-")}, files...); err != nil {
		return err
	}
	runs, err := results.Read(files)
	if err != nil {
		return err
	}
	r := report.New(runs)
	return e.output(*out, func(w io.Writer) error {
		switch format {
		case "html":
			return r.WriteHTML(w)
		case "md":
			return r.WriteMarkdown(w)
		}
		return r.Draw(format, w)
	})
}
