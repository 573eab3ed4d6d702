package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofocal/focal/internal/shards"
)

const (
	scoreSynopsis = "SHARD.npy ... [flags]"
	scoreText     = `
Scores shards of a data set: of each, the logits, NAME.npy, an array [N, C] of float32 or float64, with the labels beside
it in NAME.label.npy, an array [N] or [N, 1] of int32 or int64, or with targets of the logits' shape and type in
NAME.targets.npy. Of the files given, those that belong to logits are taken as such: shard*.npy is what to give.

Writes a part: the exact sum of the losses, the numbers of rows, the figures of each shard and the hardest rows. Parts are
put together by focal merge. So a data set can be divided among machines in any way, and the result has the same
bits. Prints a summary; its loss is the sum divided by the number of foreground rows (fg_num), of the shards given. If an
output is "-", it goes to the standard output, and the summary to the standard error.

Of targets the elements are counted and not the rows, and each whose target is above 0 as foreground, so that fg_num is a
number of elements; in the figures of shards, rows are elements. (The divisor of focal eval is the sum of the targets:
the same only if they are hard.) The hardest rows are rows of the array nevertheless.

Shards are read in parts of some megabytes, whatever their size; C is at most 16 Mi.
`
	mergeSynopsis = "PART ... [flags]"
	mergeText     = `
Puts parts together that focal score has written, or focal merge, or the pipeline beamfocal, in any order, and prints the
summary of all their shards: the loss is the exact sum, divided by the number of foreground rows and rounded once.

-o may be one of the parts, which is replaced by all of them: focal merge all new -o all. The tables cannot. If an output
is "-", it goes to the standard output, and the summary to the standard error.
`
)

func runScore(e *env, args []string) (err error) {
	fs := e.flags(scoreText)
	gamma := fs.Float64("gamma", 2, "focusing exponent, ≥ 0")
	alpha := fs.String("alpha", "0.25", "`weight` of positives, in [0, 1], or none: every weight is 1")
	zeroBased := fs.Bool("zero-based", false, "labels are 0..C-1 for the class and C for background, as in mmdetection")
	ignore := fs.Int64("ignore", -1, "`label` of the rows that are ignored")
	hardest := fs.Int("hardest", 100, "how many of the rows with the largest losses are kept; the same for all parts")
	workers := fs.String("workers", "max", "goroutines that compute: a `number`, or max")
	skipBad := fs.Bool("skip-bad", false, "skip and report shards that are broken, instead of failing")
	var out partOutput
	out.flags(fs.StringVar)
	names, err := parse(fs, args)
	if err != nil {
		return err
	}

	o := shards.Options{Gamma: *gamma, Labels: shards.Convention{ZeroBased: *zeroBased}, Hardest: *hardest}
	if err := cmp.Or(shards.CheckGamma(*gamma), shards.CheckHardest(*hardest)); err != nil {
		return usageError{err}
	}
	if o.Labels.Ignore, err = shards.ParseIgnore(*ignore); err != nil {
		return usageError{err}
	}
	if o.Alpha, err = shards.ParseAlpha(*alpha); err != nil {
		return usageError{err}
	}
	if o.Workers, err = parseWorkers(*workers); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		return usageError{err}
	}
	if len(names) == 0 {
		return usagef("no shards")
	}
	if names, err = shards.Logits(names); err != nil {
		return err
	}
	inputs := slices.Clone(names)
	for _, name := range names {
		inputs = append(inputs, shards.Beside(name)...)
	}
	if err := checkNames(out.names(), inputs...); err != nil {
		return err
	}
	if err := checkOnce(names); err != nil {
		return err
	}

	all := shards.NewPart(o)
	bar := e.progress(len(names), "score")
	for _, name := range names {
		part, err := shards.Score(e.ctx, shards.OpenFile, name, o)
		switch {
		case err != nil && *skipBad && e.ctx.Err() == nil:
			fmt.Fprintf(e.stderr, "focal score: skipped: %v\n", err)
			all.Skip(name, err)
		case err != nil:
			return err
		default:
			if err := all.Merge(part); err != nil {
				return err
			}
		}
		bar.Add(1)
	}
	bar.Finish()
	return out.write(e, all)
}

// checkOnce returns an error if two names are those of one shard.
func checkOnce(names []string) error {
	seen := map[string]string{}
	for _, name := range names {
		file, err := filepath.EvalSymlinks(name)
		if err != nil {
			file = name // that there is no such file is said when it is opened
		}
		if file, err = filepath.Abs(file); err != nil {
			return err
		}
		if other, twice := seen[file]; twice {
			return usagef("%s and %s are one file, which would count twice", other, name)
		}
		seen[file] = name
	}
	return nil
}

func runMerge(e *env, args []string) error {
	fs := e.flags(mergeText)
	var out partOutput
	out.flags(fs.StringVar)
	names, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return usagef("no parts")
	}
	if err := checkNames(out.names()); err != nil {
		return err
	}
	// All parts are read before anything is written: the result may take the place of one.
	if err := checkNames([]string{out.shards, out.hardest}, names...); err != nil {
		return err
	}
	var parts []*shards.Part
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		part := new(shards.Part)
		if err := part.UnmarshalBinary(b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		parts = append(parts, part)
	}
	all := parts[0]
	for i, part := range parts[1:] {
		if err := all.Merge(part); err != nil {
			return fmt.Errorf("%s: does not go with those before: %w", names[i+1], err)
		}
	}
	return out.write(e, all)
}

// partOutput is where a part and the tables of it go.
type partOutput struct{ part, shards, hardest string }

func (o *partOutput) flags(add func(p *string, name, value, usage string)) {
	add(&o.part, "o", "", "write the part to this `file`")
	add(&o.shards, "shards", "", "write the figures of each shard to this `file`, as CSV")
	add(&o.hardest, "rows", "", "write the hardest rows to this `file`, as CSV, those first")
}

func (o *partOutput) names() []string { return []string{o.part, o.shards, o.hardest} }

func (o *partOutput) write(e *env, part *shards.Part) error {
	for _, out := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{o.shards, part.WriteShards},
		{o.hardest, part.WriteHardest},
		{o.part, func(w io.Writer) error {
			b, err := part.MarshalBinary()
			if err == nil {
				_, err = w.Write(b)
			}
			return err
		}},
	} {
		if out.name == "" {
			continue
		}
		if err := e.output(out.name, out.write); err != nil {
			return err
		}
	}
	if slices.Contains(o.names(), "-") {
		return part.WriteSummary(e.stderr)
	}
	return part.WriteSummary(e.stdout)
}
