package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

const (
	evalSynopsis = "-x LOGITS.npy (-label LABELS.npy | -targets TARGETS.npy) [flags]"
	evalText     = `
Computes the sigmoid focal loss of logits, an array [N, C] of float32 or float64, with labels, an array [N] or [N, 1]
of int32 or int64: 1..C is the class, 0 background, -1 ignored; or with targets, one for each logit and of its type, hard
(0 or 1) or soft (between). Prints the sum, and writes what it is told to.

Files are read and written in parts of some megabytes, whatever their size; C is at most 16 Mi. The logits may come from a
pipe. An output gets its name only when everything has succeeded, so that it is never half-written; it cannot be an input.

The sum has the same bits on every machine. It is that of focal.Sum up to 4 Mi logits, and the sum of the sums of such
parts above.
`
)

// evalChunk is how many elements are computed at a time, if rows are not longer. It is part of the definition of the sum.
const evalChunk = 4 << 20

// evaluation is one run of focal eval.
type evaluation struct {
	e        *env
	x        *npyfile.Reader
	label    *npyfile.Reader // either this
	targets  *npyfile.Reader // or this
	outputs  [3]*atomicFile  // loss, gradient, Hessian; nil: not wanted
	labels   shards.Convention
	normAuto bool
	params   focal.Params
	bar      *progressbar.ProgressBar

	rows, classes       int
	foreground, ignored int   // rows, of labels
	positives           kahan // sum of the targets
	sum                 kahan
	operator            time.Duration // without reading and writing
}

func runEval(e *env, args []string) (err error) {
	fs := e.flags(evalText)
	x := fs.String("x", "", "logits: `file`, float32 or float64 [N, C]")
	label := fs.String("label", "", "labels: `file`, int32 or int64 [N] or [N, 1]")
	targets := fs.String("targets", "", "targets: `file`, of the type and shape of the logits")
	gamma := fs.Float64("gamma", 2, "focusing exponent, ≥ 0")
	alpha := fs.String("alpha", "0.25", "`weight` of positives, in [0, 1], or none: every weight is 1")
	norm := fs.String("norm", "auto", "divisor: a `number`, 0 being 1, or auto: how many rows are foreground, or the sum of the targets; at least 1")
	zeroBased := fs.Bool("zero-based", false, "labels are 0..C-1 for the class and C for background, as in mmdetection")
	ignore := fs.Int64("ignore", -1, "`label` of the rows that are ignored")
	workers := fs.String("workers", "max", "goroutines that compute: a `number`, or max")
	var names [3]string
	fs.StringVar(&names[0], "loss", "", "write the losses to this `file`")
	fs.StringVar(&names[1], "grad", "", "write the gradient to this `file`")
	fs.StringVar(&names[2], "hess", "", "write the second derivative to this `file`")
	if err := parseNone(fs, args); err != nil {
		return err
	}

	ev := &evaluation{e: e, labels: shards.Convention{ZeroBased: *zeroBased}, params: focal.Params{Gamma: *gamma}}
	switch {
	case *x == "":
		return usagef("-x is missing")
	case *label == "" && *targets == "":
		return usagef("-label is missing, or -targets")
	case *label != "" && *targets != "":
		return usagef("-label and -targets exclude each other")
	case *targets != "" && (*zeroBased || *ignore != -1):
		return usagef("-zero-based and -ignore are about labels, not targets")
	}
	if err := shards.CheckGamma(*gamma); err != nil {
		return usageError{err}
	}
	if ev.labels.Ignore, err = shards.ParseIgnore(*ignore); err != nil {
		return usageError{err}
	}
	if ev.params.Alpha, err = shards.ParseAlpha(*alpha); err != nil {
		return usageError{err}
	}
	if ev.params.Workers, err = parseWorkers(*workers); err != nil {
		return err
	}
	if *norm == "auto" {
		ev.normAuto = true
	} else if ev.params.Norm, err = parseNorm(*norm); err != nil {
		return err
	}
	if err := checkNames(names[:], *x, *label, *targets); err != nil {
		return err
	}

	if ev.x, err = npyfile.Open(e.ctx, *x, "f4", "f8"); err != nil {
		return err
	}
	defer ev.x.Close()
	var y *npyfile.Reader
	if *label != "" {
		ev.label, err = npyfile.Open(e.ctx, *label, "i4", "i8")
		y = ev.label
	} else {
		ev.targets, err = npyfile.Open(e.ctx, *targets, ev.x.Dtype)
		y = ev.targets
	}
	if err != nil {
		return err
	}
	defer y.Close()
	if err := ev.checkNorm(); err != nil {
		return err
	}
	if ev.rows, ev.classes, err = shards.CheckShapes(ev.x, y); err != nil {
		return err
	}
	for i, name := range names {
		if name == "" {
			continue
		}
		if ev.outputs[i], err = createAtomic(name); err != nil {
			return err
		}
		defer ev.outputs[i].discard()
		if err := npyfile.WriteHeader(ev.outputs[i], ev.x.Dtype, []int{ev.rows, ev.classes}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return ev.run()
}

// checkNorm returns an error if the divisor is too small for the type of the logits.
func (ev *evaluation) checkNorm() (err error) {
	if ev.normAuto {
		return nil
	}
	if ev.x.Dtype == "f4" {
		_, err = focal.Sum([]float32(nil), focal.Labels(nil), ev.params)
	} else {
		_, err = focal.Sum([]float64(nil), focal.Labels(nil), ev.params)
	}
	if err != nil {
		return fmt.Errorf("-norm %v is too small for logits of %s", ev.params.Norm, npyfile.TypeNames[ev.x.Dtype])
	}
	return nil
}

// checkNames returns an error if an output would replace an input or another output.
func checkNames(outputs []string, inputs ...string) error {
	for i, out := range outputs {
		if out == "" {
			continue
		}
		for _, in := range inputs {
			if in != "" && sameFile(out, in) {
				return usagef("%s is both an input and an output", out)
			}
		}
		for _, other := range outputs[:i] {
			if other != "" && sameFile(out, other) {
				return usagef("%s is written twice", out)
			}
		}
	}
	return nil
}

// sameFile reports whether two names are those of one file, which need not exist.
func sameFile(a, b string) bool {
	if x, err := os.Stat(a); err == nil {
		y, err := os.Stat(b)
		return err == nil && os.SameFile(x, y)
	}
	x, err1 := os.Stat(filepath.Dir(a))
	y, err2 := os.Stat(filepath.Dir(b))
	return err1 == nil && err2 == nil && os.SameFile(x, y) && filepath.Base(a) == filepath.Base(b)
}

func (ev *evaluation) run() error {
	begin := time.Now()
	ev.bar = ev.e.progress(ev.rows, "eval")
	if ev.normAuto {
		norm, err := ev.countPositives()
		if err != nil {
			return err
		}
		ev.params.Norm = max(norm, 1)
	}
	var err error
	if ev.x.Dtype == "f4" {
		err = evalRows[float32](ev)
	} else {
		err = evalRows[float64](ev)
	}
	if err != nil {
		return err
	}
	if err := ev.x.AtEnd(); err != nil {
		return err
	}
	if ev.label != nil {
		err = ev.label.AtEnd()
	} else {
		err = ev.targets.AtEnd()
	}
	if err != nil {
		return err
	}
	for _, out := range ev.outputs {
		if out != nil {
			if err := out.finish(); err != nil {
				return err
			}
		}
	}
	for _, out := range ev.outputs {
		if out != nil {
			if err := out.publish(); err != nil {
				return err
			}
		}
	}
	ev.bar.Finish()
	return ev.print(time.Since(begin))
}

// rowsAtATime returns how many rows are computed at a time, at least one.
func (ev *evaluation) rowsAtATime() int {
	return max(1, min(ev.rows, evalChunk/max(ev.classes, 1)))
}

// countPositives reads all labels or targets, and goes back to the first. It returns how many rows are foreground, or the
// sum of the targets.
func (ev *evaluation) countPositives() (float64, error) {
	if ev.targets != nil {
		sum := sumTargets[float32]
		if ev.x.Dtype == "f8" {
			sum = sumTargets[float64]
		}
		if err := sum(ev); err != nil {
			return 0, err
		}
		return ev.positives.result(), ev.targets.Rewind()
	}
	label := make([]int32, min(ev.rows, evalChunk))
	for row := 0; row < ev.rows; row += len(label) {
		label = label[:min(len(label), ev.rows-row)]
		if err := ev.readLabels(label, row); err != nil {
			return 0, err
		}
	}
	return float64(ev.foreground), ev.label.Rewind()
}

func sumTargets[T focal.Float](ev *evaluation) error {
	rows := ev.rowsAtATime()
	t := make([]T, rows*ev.classes)
	for row := 0; row < ev.rows; row += rows {
		rows = min(rows, ev.rows-row)
		if err := readTargets(ev, t[:rows*ev.classes], row); err != nil {
			return err
		}
	}
	return nil
}

// readTargets reads the targets of the rows from row on, and adds them up anew if it is the first.
func readTargets[T focal.Float](ev *evaluation, t []T, row int) error {
	if err := ev.e.ctx.Err(); err != nil {
		return err
	}
	if err := npyfile.Read(ev.targets, t); err != nil {
		return err
	}
	if row == 0 {
		ev.positives = kahan{}
	}
	if err := shards.CheckTargets(ev.targets, t, row, ev.classes); err != nil {
		return err
	}
	for _, v := range t {
		ev.positives.add(float64(v))
	}
	return nil
}

// readLabels reads the labels of the rows from row on, and counts them anew if it is the first.
func (ev *evaluation) readLabels(label []int32, row int) error {
	if err := ev.e.ctx.Err(); err != nil {
		return err
	}
	foreground, ignored, err := ev.labels.Read(ev.label, label, row, ev.classes)
	if err != nil {
		return err
	}
	if row == 0 {
		ev.foreground, ev.ignored = 0, 0
	}
	ev.foreground += foreground
	ev.ignored += ignored
	return nil
}

func evalRows[T focal.Float](ev *evaluation) error {
	rows := ev.rowsAtATime()
	x := make([]T, rows*ev.classes)
	var label []int32
	var targets []T
	if ev.targets != nil {
		targets = make([]T, len(x))
	} else {
		label = make([]int32, rows)
	}
	var outputs [3][]T
	for i := range outputs {
		if ev.outputs[i] != nil {
			outputs[i] = make([]T, len(x))
		}
	}
	for row := 0; row < ev.rows; row += rows {
		rows = min(rows, ev.rows-row)
		n := rows * ev.classes
		if err := npyfile.Read(ev.x, x[:n]); err != nil {
			return err
		}
		var y focal.Target
		var err error
		if ev.targets != nil {
			y, err = focal.Dense(targets[:n]), readTargets(ev, targets[:n], row)
		} else {
			y, err = ev.labels.Target(label[:rows]), ev.readLabels(label[:rows], row)
		}
		if err != nil {
			return err
		}
		for i := range outputs {
			outputs[i] = outputs[i][:min(n, len(outputs[i]))]
		}
		begin := time.Now()
		out := focal.Out[T]{Loss: outputs[0], Grad: outputs[1], Hess: outputs[2]}
		sum, err := focal.Fused(out, x[:n], y, ev.params)
		ev.operator += time.Since(begin)
		if err != nil {
			return err
		}
		ev.sum.add(sum)
		for i, file := range ev.outputs {
			if file == nil {
				continue
			}
			if err := npyfile.Write(file, outputs[i]); err != nil {
				return fmt.Errorf("%s: %w", file.name, err)
			}
		}
		ev.bar.Add(rows)
	}
	return nil
}

func (ev *evaluation) print(total time.Duration) error {
	w := tabwriter.NewWriter(ev.e.stdout, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	elements := int64(ev.rows) * int64(ev.classes)
	row("logits", "%s, %s %s", ev.x.Name, npyfile.TypeNames[ev.x.Dtype], npyfile.ShapeString(ev.x.Shape))
	if ev.targets != nil {
		row("targets", "%s, %s %s", ev.targets.Name, npyfile.TypeNames[ev.targets.Dtype], npyfile.ShapeString(ev.targets.Shape))
	} else {
		row("labels", "%s, %s %s", ev.label.Name, npyfile.TypeNames[ev.label.Dtype], npyfile.ShapeString(ev.label.Shape))
	}
	row("rows", "%d", ev.rows)
	row("classes", "%d", ev.classes)
	if ev.targets != nil {
		row("foreground", "%v, the sum of the targets", ev.positives.result())
	} else {
		row("foreground", "%d rows", ev.foreground)
		row("ignored", "%d rows", ev.ignored)
	}
	row("gamma", "%v", ev.params.Gamma)
	if ev.params.Alpha == focal.NoAlpha {
		row("alpha", "none")
	} else {
		row("alpha", "%v", ev.params.Alpha)
	}
	row("norm", "%v", ev.params.Norm)
	row("sum", "%v", ev.sum.result())
	if elements > 0 {
		row("mean", "%v", ev.sum.result()/float64(elements))
	}
	row("path", "%s", focal.Path())
	if elements > 0 {
		row("speed", "%.3g Gelem/s (%s in the operator, %s in all)",
			float64(elements)/float64(max(ev.operator.Nanoseconds(), 1)), roundTime(ev.operator), roundTime(total))
	}
	for i, name := range []string{"loss", "grad", "hess"} {
		if ev.outputs[i] != nil {
			row(name, "%s", ev.outputs[i].name)
		}
	}
	return w.Flush()
}

func roundTime(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// kahan is a sum with its rounding errors, by Neumaier.
type kahan struct{ sum, low float64 }

func (k *kahan) add(v float64) {
	sum := k.sum + v
	if math.Abs(k.sum) >= math.Abs(v) {
		k.low += (k.sum - sum) + v
	} else {
		k.low += (v - sum) + k.sum
	}
	k.sum = sum
}

func (k *kahan) result() float64 {
	if math.IsInf(k.sum, 0) || math.IsNaN(k.sum) {
		return k.sum
	}
	return k.sum + k.low
}

// parseNorm returns the Norm of focal.Params, of which 0 is 1.
func parseNorm(s string) (float64, error) {
	norm, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || !(norm >= 0) || math.IsInf(norm, 0):
		return 0, usagef("-norm %q, want a number, finite and ≥ 0, or auto", s)
	case norm == 0:
		return 1, nil
	}
	return norm, nil
}

var errWorkers = errors.New("want numbers ≥ 1, or max")

// parseWorkers returns the Workers of focal.Params.
func parseWorkers(s string) (int, error) {
	if s == "max" {
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, usagef("-workers %q, %w", s, errWorkers)
	}
	return n, nil
}
