package main

import (
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/gofocal/focal/internal/measure"
)

const (
	infoSynopsis = ""
	infoText     = `
Prints what this machine is, which paths (implementations of the kernels) this program has, which one it takes and why.
The clock is measured, by a chain of additions that take a cycle each.
`
)

func runInfo(e *env, args []string) error {
	if err := parseNone(e.flags(infoText), args); err != nil {
		return err
	}
	m := thisMachine()
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) }
	row("cpu", m.cpu)
	if m.details != "" {
		row("", m.details)
	}
	row("cores", fmt.Sprint(m.cores))
	if m.emulated != "" {
		row("emulated", "by "+m.emulated+": times mean nothing here")
	} else {
		row("clock", fmt.Sprintf("%.2f GHz, measured", 1/measure.NanosecondsPerCycle()))
	}
	row("caches", fmt.Sprintf("L1 data %s, L2 %s, L3 %s", sizeString(m.caches.L1), sizeString(m.caches.L2), sizeString(m.caches.L3)))
	row("features", strings.Join(m.features, " "))
	row("built", fmt.Sprintf("%s/%s, %s, commit %s", runtime.GOOS, runtime.GOARCH, runtime.Version(), m.commit))
	for i, p := range pathFeatures {
		row("path", p.path, m.pathStatus(i))
	}
	return w.Flush()
}
