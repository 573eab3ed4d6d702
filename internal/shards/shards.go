// Package shards scores data sets that are divided into files: what the commands and the pipeline that do so have in
// common. What they have in common with focal eval, which does not, is here too: logits with labels or targets, flags, and
// the summary.
//
// A shard is some NumPy files: the logits, NAME.npy, beside it the labels, NAME.label.npy, or the targets, NAME.targets.npy, and
// if they are asked for weights and scores: NAME.weights.npy, NAME.row-weights.npy and NAME.scores.npy.
package shards

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

const (
	suffix        = ".npy"
	labelSuffix   = ".label.npy"
	targetsSuffix = ".targets.npy"

	weightsSuffix    = ".weights.npy"
	rowWeightsSuffix = ".row-weights.npy"
	scoresSuffix     = ".scores.npy"
)

// besides are the suffixes of all that may be beside the logits.
var besides = []string{labelSuffix, targetsSuffix, weightsSuffix, rowWeightsSuffix, scoresSuffix}

// Options say what is computed. They are the same for all shards.
type Options struct {
	Gamma, Alpha float64
	NegGamma     *float64 // nil: Gamma
	Labels       Convention
	Frozen       bool          // as in focal.Params; losses are the same
	Classes      *ClassWeights // nil: all ones
	Hardest      int           // how many of the rows with the largest losses are kept
	Workers      int

	// There are files of weights and scores beside the logits.
	Weights, RowWeights, Scores bool
	Quality                     focal.Quality // of scores
}

// Check returns an error if the options make no sense.
func (o Options) Check() error {
	if o.Hardest < 0 {
		return fmt.Errorf("the number of hardest rows is %d, want it ≥ 0", o.Hardest)
	}
	y := focal.Labels[int32](nil)
	if o.Scores {
		y = focal.Scored[float64](y, nil, o.Quality)
	}
	if c := o.Classes; c != nil && len(c.Neg) != len(c.Pos) {
		return fmt.Errorf("there are class weights of %d negatives and %d positives", len(c.Neg), len(c.Pos))
	}
	_, err := focal.Score([]float64(nil), y, o.Params())
	return err
}

// Params returns the parameters, with a Norm of 1.
func (o Options) Params() focal.Params {
	return focal.Params{Gamma: o.Gamma, NegGamma: o.NegGamma, Alpha: o.Alpha, Norm: 1, Frozen: o.Frozen, Workers: o.Workers}
}

// Opener opens a file and tells its size, or a negative one if it is not known. The error of a file that does not exist
// is fs.ErrNotExist.
type Opener func(ctx context.Context, name string) (file io.ReadCloser, size int64, err error)

// Logits returns those of the names that are logits, in their order: a pattern such as shard*.npy fits the files beside
// them as well, which are left out. One of these without its logits is an error.
func Logits(names []string) ([]string, error) {
	have := map[string]bool{}
	for _, name := range names {
		have[name] = true
	}
	var logits []string
	for _, name := range names {
		of, beside := "", false
		for _, suffix := range besides {
			if of, beside = strings.CutSuffix(name, suffix); beside {
				break
			}
		}
		switch {
		case !beside:
			logits = append(logits, name)
		case !have[of+suffix]:
			return nil, fmt.Errorf("%s: belongs to %s, which is not among the shards", name, of+suffix)
		}
	}
	return logits, nil
}

// Beside returns the names of all files that may be beside the logits.
func Beside(name string) (names []string) {
	for _, s := range besides {
		names = append(names, strings.TrimSuffix(name, suffix)+s)
	}
	return names
}

// OpenFile is the [Opener] of the files of this machine.
func OpenFile(_ context.Context, name string) (io.ReadCloser, int64, error) {
	return npyfile.OpenFile(name)
}

// Score reads a shard, block by block, and returns its part. Every error names the file.
func Score(ctx context.Context, open Opener, name string, o Options) (*Part, error) {
	var in Inputs
	var err error
	if in.X, err = openArray(ctx, open, name, npyfile.Floats); err != nil {
		return nil, err
	}
	defer in.X.Close()
	base := strings.TrimSuffix(name, suffix)
	in.Y, err = openArray(ctx, open, base+labelSuffix, npyfile.Integers)
	if errors.Is(err, fs.ErrNotExist) {
		in.Dense = true
		in.Y, err = openArray(ctx, open, base+targetsSuffix, npyfile.Numbers)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is neither %s nor %s", name, base+labelSuffix, base+targetsSuffix)
	} else if err != nil {
		return nil, err
	}
	defer in.Y.Close()
	for _, extra := range []struct {
		given  bool
		suffix string
		to     **npyfile.Reader
	}{{o.Weights, weightsSuffix, &in.Weights}, {o.RowWeights, rowWeightsSuffix, &in.RowWeights}, {o.Scores, scoresSuffix, &in.Scores}} {
		if !extra.given {
			continue
		}
		if *extra.to, err = openArray(ctx, open, base+extra.suffix, npyfile.Numbers); err != nil {
			return nil, err
		}
		defer (*extra.to).Close()
	}
	d, err := NewData(in, o)
	if err != nil {
		return nil, err
	}
	if d.ComputedIn() == "f4" {
		return score[float32](ctx, d, o)
	}
	return score[float64](ctx, d, o)
}

func openArray(ctx context.Context, open Opener, name string, dtypes []string) (*npyfile.Reader, error) {
	file, size, err := open(ctx, name)
	if err != nil {
		if !strings.Contains(err.Error(), name) {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return nil, err
	}
	return npyfile.New(ctx, name, file, size, dtypes...)
}

func score[T focal.Float](ctx context.Context, d *Data, o Options) (*Part, error) {
	shard := Shard{Name: d.X.Name, Rows: int64(d.Rows), Classes: d.Cols, Targets: d.Dense}
	hardest := Ranking{Most: o.Hardest}
	var loss []T
	p := o.Params()
	err := Blocks(ctx, d, func(b Block[T]) error {
		part, err := focal.Score(b.X, b.Target, p)
		if err == nil {
			err = shard.Partial.Merge(part)
		}
		rows := len(b.X) / d.Cols
		if err == nil && o.Hardest > 0 {
			if loss == nil {
				loss = make([]T, rows)
			}
			err = focal.Rows(loss[:rows], b.X, b.Target, p)
		}
		if err != nil {
			return fmt.Errorf("%s: in the rows from %d on: %w", d.X.Name, b.Row, err)
		}
		for i := range loss[:min(rows, len(loss))] {
			r := Row{Shard: shard.Name, Row: int64(b.Row + i), Sum: float64(loss[i])}
			if b.Label != nil && b.Label[i] == o.Labels.Ignore || !hardest.wants(r) {
				continue
			}
			if b.Label != nil {
				label := b.Label[i]
				r.Label = &label
			}
			hardest.Add(r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	part := NewPart(o)
	part.Total, part.Shards, part.Rows = shard.Partial, []Shard{shard}, hardest.sorted()
	return part, nil
}
