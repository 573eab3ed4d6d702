package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/bits"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/schollz/progressbar/v3"

	"github.com/gofocal/focal/cmd/focal/internal/bench"
	"github.com/gofocal/focal/cmd/focal/internal/compare"
	"github.com/gofocal/focal/cmd/focal/internal/machine"
	"github.com/gofocal/focal/cmd/focal/internal/results"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/shards"
)

const (
	benchSynopsis = "[-o FILE] [flags]"
	benchText     = `
Measures this machine and writes the results in the format of Go's benchmarks: for "focal report", "focal compare" and
benchstat. It takes a minute or two, with -quick some seconds. The machine should have nothing else to do.

Four groups are measured. All cases take turns, -count times over, so a disturbance of the machine meets all of them:

    operations   -ops × -types × -paths × -gammas, one worker, at -shapes; soft- has a soft target for each element
    sizes        the loss at sizes from the first cache to the memory
    workers      -workers goroutines on logits that no cache holds
    streaming    the bandwidth of reading, writing and copying at such sizes

Sizes and workers are measured with the first of -types and the first of -gammas.
If -shapes is given, these are measured with each of -workers, and no other sizes.

Times are the thread's own on a CPU, where the operating system tells them, so other programs disturb less. Numbers of
workers are compared by the wall clock (clock=wall). Besides ns/op there are ns/elem, cycles/elem (by a clock measured just
before), Gelem/s, and GB/s: the bytes that the operation has to read and to write.

Lines that begin with # record what differs between runs on one machine, and which bits the paths return. benchstat takes
them for comments, and so does not tell runs apart by them.
`
)

func runBench(e *env, args []string) error {
	var o bench.Options
	fs := e.flags(benchText)
	out := fs.String("o", "-", "write to this `file`; - is the standard output")
	quick := fs.Bool("quick", false, "fewer and shorter cases, 8 times each")
	count := fs.Int("count", 10, "how often each case is measured; a 95 % confidence interval needs 6")
	paths := fs.String("paths", "all", "`list` of paths, of "+strings.Join(control.Paths(), ","))
	types := fs.String("types", "f32,f64", "`list` of types")
	ops := fs.String("ops", "", "`list` of operations, of "+strings.Join(results.Ops, ",")+" (default all)")
	shapes := fs.String("shapes", "", "`list` of shapes such as 1024x80")
	gammas := fs.String("gammas", "2,2.3", "`list` of gammas")
	workers := fs.String("workers", "", "`list` of numbers of goroutines, max being GOMAXPROCS (default 1,2,4 … max)")
	against := fs.String("against", "", "compare with this `program`, an earlier focal, in pairs")
	limit := fs.String("fail-over", "", "with -against: fail if anything got slower by more than this `percentage`")
	step := fs.Bool("step", false, "take a sample for each line of the standard input, without hashes: what -against starts")
	fs.StringVar(&o.Name, "name", "", "`name` of this machine, for reports")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	o.Count, o.Quick, o.OnlyShapes = *count, *quick, given["shapes"]
	if o.Quick && !given["count"] {
		o.Count = 8
	}
	if *limit != "" && *against == "" {
		return usagef("-fail-over is for -against")
	}
	if *step {
		o.Step = os.Stdin
	}
	if *against != "" {
		o.OnlyShapes, o.Quick = true, true
		if !given["count"] {
			o.Count = 20
		}
		if !given["workers"] {
			*workers = "1"
		}
	}
	if o.Count < 1 {
		return usagef("-count %d, want at least 1", o.Count)
	}
	if *ops == "" {
		*ops = strings.Join(results.Ops, ",")
		if o.Quick {
			*ops = "loss,loss+grad"
		}
	}
	if o.Quick && !given["gammas"] {
		*gammas = "2"
	}
	if *shapes == "" {
		*shapes = "1024x80,32x10,8192x1"
		switch {
		case *against != "":
			*shapes = "256x80" // pure Go is slow
		case o.Quick:
			*shapes = "1024x80"
		}
	}
	var err error
	if o.Ops, err = parseList("-ops", *ops, results.Ops); err != nil {
		return err
	}
	if o.Types, err = parseList("-types", *types, []string{"f32", "f64"}); err != nil {
		return err
	}
	if o.Paths, err = parsePaths(*paths); err != nil {
		return err
	}
	if o.Shapes, err = parseShapes(*shapes); err != nil {
		return err
	}
	if o.Gammas, err = parseGammas(*gammas); err != nil {
		return err
	}
	if o.Workers, err = parseWorkerList(*workers); err != nil {
		return err
	}
	if emulated := machine.This().Emulated; emulated != "" {
		fmt.Fprintf(e.stderr, "focal bench: this CPU is emulated by %s: the times mean nothing, and are marked\n", emulated)
	}
	var bar *progressbar.ProgressBar
	if *against != "" {
		return e.benchAgainst(o, *against, *limit, *out)
	}
	file := *out
	if isStandard(file, 1) {
		file = "" // not buffered: each line is there when it has been measured
	}
	var summary string
	if err := e.output(file, func(w io.Writer) (err error) {
		summary, err = bench.Run(e.ctx, w, o, func(done, total int) {
			if bar == nil {
				bar = e.progress(total, "bench")
			}
			bar.Set(done)
		})
		return err
	}); err != nil {
		return err
	}
	if bar != nil {
		bar.Finish()
	}
	_, err = fmt.Fprintln(e.remarks(*out), "focal bench: "+summary)
	return err
}

// benchAgainst measures in pairs, and prints what compare prints. The results go to the named file, if there is one.
func (e *env) benchAgainst(o bench.Options, old, limit, out string) error {
	failOver, err := parsePercent(limit)
	if err != nil {
		return err
	}
	var pairs bytes.Buffer
	var bar *progressbar.ProgressBar
	if err := bench.Against(e.ctx, &pairs, old, o, func(done, total int) {
		if bar == nil {
			bar = e.progress(total, "bench")
		}
		bar.Set(done)
	}); err != nil {
		return err
	}
	if bar != nil {
		bar.Finish()
	}
	if !isStandard(out, 1) {
		if err := e.output(out, func(w io.Writer) error { _, err := w.Write(pairs.Bytes()); return err }); err != nil {
			return err
		}
	}
	set, err := results.Parse(e.ctx, "pairs", pairs.Bytes())
	if err != nil {
		return err
	}
	c, err := compare.Pairs(set, "sec/op", failOver)
	if err != nil {
		return err
	}
	return e.compared(c, &outputFormat{file: "-", format: "text"})
}

// parseList splits a list and returns an error if a part is none of the known ones.
func parseList(name, list string, known []string) ([]string, error) {
	parts := strings.Split(list, ",")
	for _, p := range parts {
		if !slices.Contains(known, p) {
			return nil, usagef("%s %q, want some of %s", name, p, strings.Join(known, ","))
		}
	}
	return parts, nil
}

// parsePaths returns the paths of a list, or all that this machine has.
func parsePaths(list string) ([]string, error) {
	if list == "all" {
		return control.Paths(), nil
	}
	return parseList("-paths", list, control.Paths())
}

func parseShapes(list string) (shapes [][2]int, err error) {
	for _, s := range strings.Split(list, ",") {
		n, c, _ := strings.Cut(s, "x")
		rows, err1 := strconv.Atoi(n)
		classes, err2 := strconv.Atoi(c)
		if err1 != nil || err2 != nil || rows < 1 || classes < 1 || rows > bench.MaxElements/classes {
			return nil, usagef("-shapes %q, want rows and classes such as 1024x80, at most 2^%d elements", s, bits.Len(bench.MaxElements)-1)
		}
		shapes = append(shapes, [2]int{rows, classes})
	}
	return shapes, nil
}

func parseGammas(list string) (gammas []float64, err error) {
	for _, s := range strings.Split(list, ",") {
		gamma, err := strconv.ParseFloat(s, 64)
		if err != nil || shards.CheckGamma(gamma) != nil {
			return nil, usagef("-gammas %q, want numbers, finite and ≥ 0", s)
		}
		gammas = append(gammas, gamma)
	}
	return gammas, nil
}

// parseWorkerList returns the numbers of a list; of an empty one the powers of two below GOMAXPROCS, and that.
func parseWorkerList(list string) (workers []int, err error) {
	most := runtime.GOMAXPROCS(0)
	if list == "" {
		for n := 1; n < most; n *= 2 {
			workers = append(workers, n)
		}
		return append(workers, most), nil
	}
	for _, s := range strings.Split(list, ",") {
		n, err := parseWorkers(s)
		if err != nil {
			return nil, err
		}
		if n < 0 {
			n = most
		}
		if !slices.Contains(workers, n) {
			workers = append(workers, n)
		}
	}
	return workers, nil
}
