package main

import (
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"github.com/gofocal/focal/internal/shards"
)

const (
	scoreSynopsis = "SHARD.npy ... [flags]"
	scoreText     = `
A shard of a data set is two NumPy files: the logits, NAME.npy, an array [N, C] or [N], and beside it either the labels,
NAME.label.npy, [N] or [N, 1], or the targets, NAME.targets.npy, of the logits' shape. With -weights, -row-weights or -scores
each shard has a file more, NAME.weights.npy, NAME.row-weights.npy or NAME.scores.npy. Give the logits; a pattern such as
shard*.npy does not take the other files for logits. "focal help eval" explains types, roundings, weights, scores and the
summary's words.

The command adds up the losses exactly, and writes a part: the sum, the counts, the figures of each shard, and the hardest
rows, those with the largest losses. "focal merge" combines parts. The result has the same bits however the data set is
divided among machines.

Memory does not grow with the size of the shards. C is at most 16 Mi. A shard that is changed or replaced while it is read
is an error.
`
	mergeSynopsis = "PART ... [flags]"
	mergeText     = `
Combines parts, in any order, and prints the summary of all their shards; "focal help eval" explains its words. Parts are
written by focal score, by focal merge and by the pipeline beamfocal.

-o may name one of the parts, which is then replaced: focal merge all new -o all. -rows and -shards may not.
`
)

func runScore(e *env, args []string) (err error) {
	fs := e.flags(scoreText)
	loss := lossFlags(fs)
	hardest := fs.Int("hardest", 100, "how many of the hardest rows are kept; the same in all parts")
	fs.BoolVar(&loss.o.Weights, "weights", false, shards.WeightsUsage)
	fs.BoolVar(&loss.o.RowWeights, "row-weights", false, shards.RowWeightsUsage)
	fs.BoolVar(&loss.o.Scores, "scores", false, shards.ScoresUsage)
	workers := fs.String("workers", "max", "goroutines that compute: a `number`, or max")
	skipBad := fs.Bool("skip-bad", false, "skip and report broken shards, instead of failing")
	var out partOutput
	out.flags(fs)
	names, err := parse(fs, args)
	if err != nil {
		return err
	}

	o, err := loss.options(e)
	if err != nil {
		return err
	}
	o.Hardest = *hardest
	if err := shards.CheckHardest(o.Hardest); err != nil {
		return usageError{err}
	}
	if o.Workers, err = parseWorkers(*workers); err != nil {
		return err
	}
	if len(names) == 0 {
		return usagef("no shards")
	}
	if names, err = shards.Logits(names); err != nil {
		return err
	}
	inputs := append([]string{*loss.classes}, names...)
	for _, name := range names {
		inputs = append(inputs, shards.Beside(name)...)
	}
	if err := checkNames(out.names(), inputs...); err != nil {
		return err
	}
	if err := checkOnce(names); err != nil {
		return err
	}

	var all shards.Merger
	if err := all.Add(shards.NewPart(o)); err != nil {
		return err
	}
	bar := e.progress(len(names), "score")
	for _, name := range names {
		part, err := shards.Score(e.ctx, e.open, name, o)
		if err != nil && *skipBad && e.ctx.Err() == nil {
			fmt.Fprintf(e.stderr, "focal score: skipped: %v\n", err)
			part = shards.NewPart(o)
			part.Skip(name, err)
		} else if err != nil {
			return err
		}
		if err := all.Add(part); err != nil {
			return err
		}
		bar.Add(1)
	}
	bar.Finish()
	return out.write(e, all.Part())
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
	out.flags(fs)
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
	var all shards.Merger
	for _, name := range names {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		b, err := e.readFile(name)
		if err != nil {
			return err
		}
		part := new(shards.Part)
		if err := part.UnmarshalBinary(b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := all.Add(part); err != nil {
			return fmt.Errorf("%s: does not go with those before: %w", name, err)
		}
	}
	return out.write(e, all.Part())
}

// partOutput is where a part and the tables of it go, and what the summary divides by.
type partOutput struct {
	part, shards, hardest string
	norm                  *float64
}

func (o *partOutput) flags(fs *flag.FlagSet) {
	o.norm = normFlag(fs)
	add := fs.StringVar
	add(&o.part, "o", "", "write the part to this `file`")
	add(&o.shards, "shards", "", "write the figures of each shard to this `file`, as CSV")
	add(&o.hardest, "rows", "", "write the hardest rows to this `file`, as CSV, the hardest first")
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
	return part.WriteSummary(e.remarks(o.names()...), *o.norm)
}
