package main

import (
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/gofocal/focal/cmd/focal/internal/machine"
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
	m := machine.This()
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) }
	row("cpu", m.CPU)
	if m.ID != "" {
		row("", m.ID)
	}
	row("cores", fmt.Sprint(m.Cores))
	if m.Emulated != "" {
		row("emulated", "by "+m.Emulated+": times mean nothing here")
	} else {
		row("clock", fmt.Sprintf("%.2f GHz, measured", 1/measure.NanosecondsPerCycle()))
	}
	row("caches", fmt.Sprintf("L1 data %s, L2 %s, L3 %s", machine.SizeString(m.Caches.L1), machine.SizeString(m.Caches.L2), machine.SizeString(m.Caches.L3)))
	row("features", strings.Join(m.Features, " "))
	row("built", fmt.Sprintf("%s/%s, %s, commit %s", runtime.GOOS, runtime.GOARCH, runtime.Version(), m.Commit))
	for i, p := range machine.PathFeatures {
		row("path", p.Path, m.PathStatus(i))
	}
	return w.Flush()
}
