package main

import (
	"errors"
	"io"
	"strings"

	"github.com/gofocal/focal/cmd/focal/internal/report"
)

const (
	reportSynopsis = "A.txt [B.txt …] [-o page.html|.md|.svg|.png]"
	reportText     = `
Makes a report of the results that "focal bench" wrote, on one machine or on many. Files of the same program on the same
machine are merged, unless they have different names: Zen5=a.txt, or the name that "focal bench -name" wrote. Machines are
told apart by all that the files say of them, and by clocks that differ by a fifth.

The file's ending chooses the format: a page with tables and charts that needs no other file and no network (.html), the
tables alone (.md), the charts alone (.svg, .png), or the medians of all units (.json, .csv). Intervals are 95 % confidence
intervals of the median. Times of emulated CPUs are marked, and are in no chart.
`
)

func runReport(e *env, args []string) error {
	fs := e.flags(reportText)
	charts := fs.String("charts", "", "the `charts` of an svg or png, a list of "+strings.Join(report.Kinds, ",")+" (default all)")
	out := formatFlags(fs, "md", "html", "svg", "png")
	files, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return usagef("%w", errors.New("no file of results; \"focal bench -o FILE\" writes one"))
	}
	if err := out.settle(); err != nil {
		return err
	}
	var kinds []string
	if *charts != "" {
		if out.format != "svg" && out.format != "png" {
			return usagef("-charts chooses what an svg or png shows; the format is %s", out.format)
		}
		if kinds, err = parseList("-charts", *charts, report.Kinds); err != nil {
			return err
		}
	}
	if err := checkInputs(out.file, files); err != nil {
		return err
	}
	set, err := e.readResults(files...)
	if err != nil {
		return err
	}
	r, err := report.New(e.ctx, set.Runs)
	if err != nil {
		return err
	}
	return e.write(out, r.Records, func(w io.Writer) error {
		switch out.format {
		case "html":
			return r.WriteHTML(w)
		case "md":
			return r.WriteMarkdown(w)
		}
		return r.Draw(kinds, out.format, w)
	})
}
