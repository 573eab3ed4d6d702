package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/gofocal/focal/cmd/focal/internal/export"
	"github.com/gofocal/focal/cmd/focal/internal/machine"
	"github.com/gofocal/focal/internal/measure"
)

const (
	infoSynopsis = "[-o FILE.json|.csv]"
	infoText     = `
Prints what this machine is, which paths (implementations of the kernels) this program has, and which one it uses and why.
The clock is measured, by a chain of additions that take a cycle each.
`
)

// infoRecord is what focal info tells other programs.
type infoRecord struct {
	CPU      string   `json:"cpu"`
	ID       string   `json:"id"` // vendor, family, model, stepping
	Cores    int      `json:"cores"`
	Emulated string   `json:"emulated"` // by what
	GHz      *float64 `json:"ghz"`
	L1       int      `json:"l1_bytes"`
	L2       int      `json:"l2_bytes"`
	L3       int      `json:"l3_bytes"`
	Features string   `json:"features"`
	GOOS     string   `json:"goos"`
	GOARCH   string   `json:"goarch"`
	Go       string   `json:"go"`
	Commit   string   `json:"commit"`
	Paths    string   `json:"paths"` // those that can be used, the one in use first
}

func runInfo(e *env, args []string) error {
	fs := e.flags(infoText)
	out := formatFlags(fs, "text")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	if err := out.settle(); err != nil {
		return err
	}
	m := machine.This()
	r := infoRecord{CPU: m.CPU, ID: m.ID, Cores: m.Cores, Emulated: m.Emulated, L1: m.Caches.L1, L2: m.Caches.L2, L3: m.Caches.L3,
		Features: strings.Join(m.Features, " "), GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Go: runtime.Version(), Commit: m.Commit,
		Paths: strings.Join(m.Paths, " ")}
	if m.Emulated == "" {
		r.GHz = export.Number(1 / measure.NanosecondsPerCycle())
	}
	return e.write(out, []infoRecord{r}, func(w io.Writer) error { return r.writeText(w, m) })
}

func (r *infoRecord) writeText(out io.Writer, m machine.Machine) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) }
	row("cpu", r.CPU)
	if r.ID != "" {
		row("", r.ID)
	}
	row("cores", fmt.Sprint(r.Cores))
	switch {
	case r.Emulated != "":
		row("emulated", "by "+r.Emulated+": times mean nothing here")
	case r.GHz != nil:
		row("clock", fmt.Sprintf("%.2f GHz, measured", *r.GHz))
	}
	row("caches", fmt.Sprintf("L1 data %s, L2 %s, L3 %s", machine.SizeString(r.L1), machine.SizeString(r.L2), machine.SizeString(r.L3)))
	row("features", r.Features)
	row("built", fmt.Sprintf("%s/%s, %s, commit %s", r.GOOS, r.GOARCH, r.Go, r.Commit))
	for i, p := range machine.PathFeatures {
		row("path", p.Path, m.PathStatus(i))
	}
	return w.Flush()
}
