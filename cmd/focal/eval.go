package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/cmd/focal/internal/eval"
	"github.com/gofocal/focal/cmd/focal/internal/output"
	"github.com/gofocal/focal/internal/shards"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

const (
	evalSynopsis = "-x LOGITS.npy (-label LABELS.npy | -targets TARGETS.npy) [flags]"
	evalText     = `
Computes the sigmoid focal loss of logits, an array [N, C] or [N], with labels or targets. A label is 1..C for a class, 0 for
background, -1 for an ignored row. Targets have the shape of the logits; they are hard (0 or 1) or soft (between).

It prints

  loss        the sum divided by the norm
  sum         the sum of the losses
  mean        the sum divided by the number of elements
  norm        the number of rows with a class, or of targets above 0; at least 1
  infinite    the number of infinite losses; first_inf is where the first one is
  nan         the number of losses that are NaN; first_nan is where the first one is

The sum is exact, and rounded once. It has the same bits on every machine, and in "focal score". The arrays of -loss, -grad,
-hess and -curv are divided by the norm.

A weight multiplies loss and derivatives. It is finite and ≥ 0. Those of elements, rows and classes multiply each other.
With -scores the target of a row's class is its score, and -quality says what loss that is: varifocal loss, the same with the
weight 1 for positives (IA-BCE, MAL), or quality focal loss.

float16 and bfloat16 logits are computed in float32. float64 targets, weights and scores are rounded to float32, unless the
logits are float64.

Memory does not grow with the size of the files. C is at most 16 Mi. Inputs may be pipes, but -norm auto reads the labels
or targets twice. An output cannot be an input.
`
)

func runEval(e *env, args []string) (err error) {
	fs := e.flags(evalText)
	x := fs.String("x", "", "logits: `file`, float16, bfloat16, float32 or float64 [N, C] or [N]")
	label := fs.String("label", "", "labels: `file`, integers or bool [N] or [N, 1]")
	targets := fs.String("targets", "", "targets: `file`, floats, integers or bool, of the shape of the logits")
	weights := fs.String("weights", "", "weights of elements: `file`, numbers of the shape of the logits")
	rowWeights := fs.String("row-weights", "", "weights of rows: `file`, numbers [N] or [N, 1]")
	scores := fs.String("scores", "", "scores of the rows' classes: `file`, numbers in [0, 1], [N] or [N, 1]; with -label")
	norm := normFlag(fs)
	loss := lossFlags(fs)
	frozen := fs.Bool("frozen", false, "derivatives take the modulating factor for a constant")
	workers := fs.String("workers", "max", "goroutines that compute: a `number`, or max")
	var names [4]string
	fs.StringVar(&names[0], "loss", "", "write the losses to this `file`")
	fs.StringVar(&names[1], "grad", "", "write the gradient to this `file`")
	fs.StringVar(&names[2], "hess", "", "write the second derivative to this `file`")
	fs.StringVar(&names[3], "curv", "", "write the Gauss-Newton part of the second derivative, which is ≥ 0, to this `file`")
	if err := parseNone(fs, args); err != nil {
		return err
	}
	dense := *targets != ""
	switch {
	case *x == "":
		return usagef("-x is missing")
	case *label == "" && !dense:
		return usagef("-label is missing, or -targets")
	case *label != "" && dense:
		return usagef("-label and -targets exclude each other")
	case dense && loss.o.Labels.ZeroBased:
		return usagef("-zero-based is about labels, not targets")
	case dense && *scores != "":
		return usagef("-scores is about labels, not targets")
	case !dense && loss.o.Labels.IgnoreNaN:
		return usagef("-ignore nan is about targets, not labels")
	}
	inputs := []string{*x, *label, *targets, *weights, *rowWeights, *scores, *loss.classes}
	if err := checkNames(names[:], inputs...); err != nil {
		return err
	}
	loss.o.Weights, loss.o.RowWeights, loss.o.Scores = *weights != "", *rowWeights != "", *scores != ""
	o, err := loss.options(e)
	if err != nil {
		return err
	}
	o.Frozen = *frozen
	if o.Workers, err = parseWorkers(*workers); err != nil {
		return err
	}

	in := shards.Inputs{Dense: dense}
	for _, array := range []struct {
		to    **npyfile.Reader
		name  string
		types []string
	}{
		{&in.X, *x, npyfile.Floats}, {&in.Y, *label, npyfile.Integers}, {&in.Y, *targets, npyfile.Numbers},
		{&in.Weights, *weights, npyfile.Numbers}, {&in.RowWeights, *rowWeights, npyfile.Numbers}, {&in.Scores, *scores, npyfile.Numbers},
	} {
		if array.name == "" {
			continue
		}
		if *array.to, err = e.openArray(array.name, array.types); err != nil {
			return err
		}
		defer (*array.to).Close()
	}
	d, err := shards.NewData(in, o)
	if err != nil {
		return err
	}
	var files []*output.File
	var out eval.Outputs
	for i, w := range []*io.Writer{&out.Loss, &out.Grad, &out.Hess, &out.Curv} {
		if names[i] == "" {
			continue
		}
		file, err := e.create(names[i])
		if err != nil {
			return err
		}
		defer file.Discard()
		files, *w = append(files, file), file
	}
	begin := time.Now()
	bar := e.progress(d.Rows, "eval")
	r, err := eval.Run(e.ctx, d, o, *norm, out, func(rows int) { bar.Add(rows) })
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := file.Finish(); err != nil {
			return err
		}
	}
	for _, file := range files {
		if err := file.Publish(); err != nil {
			return err
		}
	}
	bar.Finish()
	return printEval(e.remarks(names[:]...), d, r, files, time.Since(begin))
}

func (e *env) openArray(name string, types []string) (*npyfile.Reader, error) {
	file, size, err := e.open(e.ctx, name)
	if err != nil {
		return nil, err
	}
	return npyfile.New(e.ctx, name, file, size, types...)
}

func printEval(out io.Writer, d *shards.Data, r *eval.Result, files []*output.File, total time.Duration) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	array := func(name string, r *npyfile.Reader) {
		if r == nil {
			return
		}
		remark := ""
		switch {
		case r == d.X && r.Dtype != d.ComputedIn():
			remark = ", computed in " + npyfile.TypeName(d.ComputedIn())
		case d.Rounded(r):
			remark = ", rounded to " + npyfile.TypeName(d.ComputedIn())
		}
		row(name, "%s, %s %s%s", r.Name, npyfile.TypeName(r.Dtype), npyfile.ShapeString(r.Shape), remark)
	}
	array("logits", d.X)
	if d.Dense {
		array("targets", d.Y)
	} else {
		array("labels", d.Y)
	}
	array("weights", d.Weights)
	array("row_weights", d.RowWeights)
	array("scores", d.Scores)
	for _, f := range r.Figures(r.Norm) {
		row(f.Name, "%v", f.Value)
	}
	for _, first := range []struct {
		name string
		at   *eval.Position
	}{{"first_nan", r.NaN}, {"first_inf", r.Inf}} {
		if first.at != nil {
			row(first.name, "[%d, %d]", first.at.Row, first.at.Col)
		}
	}
	row("path", "%s", focal.Path())
	row("time", "%s, %s of it in the operator", roundTime(total), roundTime(r.Operator))
	for _, file := range files {
		row("written", "%s", file.Name)
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
