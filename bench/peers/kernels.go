package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The kernels are held against the first edition of this library, a careless prototype and Highway, each on the same
// instruction set, and against themselves at other shapes.
var kernelPeers = []peer{
	{id: "focal", worker: "focal"},
	{id: "focal-avx2", worker: "focal"},
	{id: "focal-generic", worker: "focal"},
	{id: "focal+first", worker: "first"},
	{id: "focal-avx2+first", worker: "first"},
	{id: "careless-avx2", worker: "c"},
	{id: "highway-avx2", worker: "c"},
	{id: "go", worker: "focal"},
}

// kernelClasses are the numbers of classes that are compared with 80. With one, every element may be positive.
var kernelClasses = []int{1, 2, 3, 7, 10, 15, 20, 40, 91, 1203}

func kernelSections() []section {
	all := []string{"loss", "both", "soft", "hard"}
	for _, c := range kernelClasses {
		all = append(all, fmt.Sprintf("loss@%d", c))
	}
	long, short := []float64{2, 2.3, 0}, []float64{2}
	return []section{
		{usual, "f32", long, all, 0.55, time.Millisecond},
		{usual, "f64", long, []string{"loss", "both", "soft"}, 0.35, time.Millisecond},
		{shape{32, 10}, "f32", short, []string{"loss"}, 0.05, 300 * time.Microsecond},
		{shape{1, 1}, "f32", short, []string{"loss"}, 0.05, 300 * time.Microsecond},
	}
}

// runKernels measures the kernels, and writes the tables into docs/performance.md.
func runKernels() error {
	return runInto(tables, kernelPeers, kernelSections(), (*results).kernelTables)
}

// runInto measures sections of some peers, and writes what is made of them between marks of docs/performance.md.
func runInto(marks string, all []peer, sections []section, text func(*results) string) error {
	peers = all
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := startCrew(*build, *cpu)
	if err != nil {
		return err
	}
	begin := time.Now()
	r := &results{machine: machine()}
	run := &runner{crew: c, threads: 1, dir: dir, logf: func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}}
	for _, s := range sections {
		cells, err := run.measure(s, time.Duration(s.share*float64(*budget)), 11)
		if err != nil {
			return err
		}
		r.cells = append(r.cells, cells...)
	}
	if err := c.stop(); err != nil {
		return err
	}
	part := text(r)
	fmt.Print(part)
	name := filepath.Join(*root, "docs", "performance.md")
	document, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if document, err = replacePart(document, marks, part); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(name, document, 0o666)
}

// A ceiling is what a ratio of two cells may be at most, or at least if it is a speed-up.
type ceiling struct {
	what       string
	typ        string
	gamma      float64
	op, peer   string
	over       string // the peer that it is divided by
	overOp     string // the operation that it is divided by, if another
	aim        float64
	overTurned bool // over/peer: how many times as fast
}

func (r *results) kernelTables() string {
	avx2, first := "focal-avx2", "focal-avx2+first"
	wide := r.of(1, usual, "f32", 2, "loss", avx2) != nil
	if !wide { // the path that the machine takes by itself
		avx2, first = "focal", "focal+first"
	}
	rows := []ceiling{
		{"f32 loss, γ = 2, against the careless prototype", "f32", 2, "loss", avx2, "careless-avx2", "", 1.10, false},
		{"f32 loss + gradient + sum, γ = 2", "f32", 2, "both", avx2, "careless-avx2", "", 1.25, false},
		{"f32 loss, γ = 2.3", "f32", 2.3, "loss", avx2, "careless-avx2", "", 1.05, false},
		{"f32 loss + gradient + sum, γ = 2.3", "f32", 2.3, "both", avx2, "careless-avx2", "", 1.12, false},
		{"f64 loss, γ = 2", "f64", 2, "loss", avx2, "careless-avx2", "", 1.05, false},
		{"f64 loss + gradient + sum, γ = 2", "f64", 2, "both", avx2, "careless-avx2", "", 1.20, false},
		{"f64 loss, γ = 2.3, against the first edition", "f64", 2.3, "loss", avx2, first, "", 0.70, false},
		{"f64 loss + gradient + sum, γ = 2.3, against the first edition", "f64", 2.3, "both", avx2, first, "", 0.70, false},
		{"f32 soft loss + gradient + sum, γ = 2, against the first edition", "f32", 2, "soft", avx2, first, "", 0.80, false},
		{"f32 loss, γ = 2, times as fast as Highway", "f32", 2, "loss", "highway-avx2", avx2, "", 2.4, true},
		{"f32 loss + gradient + sum, γ = 2, times as fast as Highway", "f32", 2, "both", "highway-avx2", avx2, "", 1.9, true},
		{"f32 loss, γ = 0, against γ = 2", "f32", 0, "loss", avx2, avx2, "", 0.90, false},
	}
	for _, c := range kernelClasses {
		aim := 1.12
		if c == 1 {
			aim = 1.25
		}
		rows = append(rows, ceiling{fmt.Sprintf("f32 loss, γ = 2, C = %d against C = 80", c), "f32", 2, fmt.Sprintf("loss@%d", c), avx2, avx2, "loss", aim, false})
	}
	var b strings.Builder
	b.WriteString(r.where())
	b.WriteString(r.ceilings("AVX2", rows).String() + "\n")

	if wide {
		rows = nil
		for _, typ := range types {
			for _, g := range []float64{2, 2.3} {
				for _, op := range [][2]string{{"loss", "loss"}, {"both", "loss + gradient + sum"}, {"soft", "soft loss + gradient + sum"}} {
					aim := 1.0
					if typ == "f32" && op[0] == "both" {
						aim = 0.85
					}
					rows = append(rows, ceiling{fmt.Sprintf("%s %s, γ = %v, against the first edition", typ, op[1], g), typ, g, op[0], "focal", "focal+first", "", aim, false})
				}
			}
		}
		b.WriteString(r.ceilings("AVX-512", rows).String() + "\n")
	}

	rows = nil
	for _, typ := range types {
		for _, g := range []float64{2, 2.3} {
			rows = append(rows, ceiling{fmt.Sprintf("%s loss, γ = %v, against the obvious loop", typ, g), typ, g, "loss", "focal-generic", "go", "", 1, false})
		}
	}
	b.WriteString(r.ceilings("pure Go", rows).String() + "\n")

	// How long a call takes depends on the machine: the first edition's time beside it tells what to make of it.
	t := table{{"one call, f32 loss, γ = 2", "aim", "nanoseconds", "first edition"}}
	for _, path := range []string{"focal", avx2} {
		above, whole := []string{"32×10, " + path + ", above its elements'", "≤ 60"}, []string{"1×1, " + path, "≤ 120"}
		for _, id := range []string{path, path + "+first"} {
			each, call, one := r.of(1, usual, "f32", 2, "loss", id), r.of(1, shape{32, 10}, "f32", 2, "loss", id), r.of(1, shape{1, 1}, "f32", 2, "loss", id)
			if each == nil || call == nil || one == nil {
				above, whole = append(above, "–"), append(whole, "–")
				continue
			}
			above = append(above, figure(320*(median(call.ns)-median(each.ns))))
			whole = append(whole, figure(median(one.ns)))
		}
		t = append(t, above, whole)
		if path == avx2 {
			break
		}
	}
	b.WriteString(t.String())
	return b.String()
}

// where says what this was measured on.
func (r *results) where() string {
	return fmt.Sprintf("Measured on %s (family %s, model %s), %s, one pinned core, in one interleaved run.\n\n",
		r.fact("CPU"), r.fact("CPU family"), r.fact("CPU model"), r.fact("date"))
}

// ceilings compares ratios with their aims: the median of the rounds' ratios, and the ratio of the fastest tenths.
func (r *results) ceilings(path string, rows []ceiling) table {
	t := table{{path, "aim", "median", "fastest tenth", ""}}
	for _, c := range rows {
		overOp, overGamma := c.op, c.gamma
		if c.overOp != "" {
			overOp = c.overOp
		}
		if c.gamma == 0 {
			overGamma = 2
		}
		have, over := r.of(1, usual, c.typ, c.gamma, c.op, c.peer), r.of(1, usual, c.typ, overGamma, overOp, c.over)
		if have == nil || over == nil {
			t = append(t, []string{c.what, "", "–", "–", "not measured"})
			continue
		}
		mid, fast := ratio(have.ns, over.ns), quantile(have.ns, 0.1)/quantile(over.ns, 0.1)
		relation, met := "≤", mid <= c.aim
		if c.overTurned {
			relation, met = "≥", mid >= c.aim
		}
		verdict := "met"
		if !met {
			verdict = "missed"
		}
		if math.IsNaN(mid) {
			verdict = "not measured"
		}
		aim := fmt.Sprintf("%s %.2f", relation, c.aim)
		if c.aim == 0 {
			aim, verdict = "", ""
		}
		t = append(t, []string{c.what, aim, fmt.Sprintf("%.2f", mid), fmt.Sprintf("%.2f", fast), verdict})
	}
	return t
}
