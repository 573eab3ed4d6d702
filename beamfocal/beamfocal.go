// Package beamfocal scores data sets that do not fit one machine by the sigmoid focal loss: a transform for Apache Beam,
// by package focal.
//
// A data set is divided into shards: NumPy files of logits, NAME.npy, an array [N, C] of float32 or float64, each with its
// labels beside it in NAME.label.npy, [N] of int32 or int64, or its targets in NAME.targets.npy, of the logits' shape and
// type. [Score] makes of a pattern that matches them the total loss, the number of foreground rows, the figures of each shard,
// and the rows with the largest losses of the whole set, for hard-example mining.
//
//	p, s := beam.NewPipelineWithRoot()
//	beamfocal.Write(s, "gs://bucket/out/", beamfocal.Score(s, "gs://bucket/shard-*.npy", beamfocal.Default()))
//	err := beamx.Run(ctx, p)
//
// The data is read once: the divisor, which is known at the end only, is no part of what is summed. The sum is exact, so
// that the result has the same bits whatever the shards are, and whichever worker has which. A worker reads its shard block
// by block: its memory does not depend on the shard's size.
//
// A shard's outcome leaves its worker when the shard has been read to its end, in one piece. So a bundle that fails in the
// middle and is done again by the runner counts once; and should a shard come twice nevertheless, it is an error.
//
// # Runners
//
// The pipeline names no runner: the command beamfocal/cmd/score takes Beam's flags for Flink, Spark or Dataflow. It has been
// run on Prism, the runner that comes with Beam's Go SDK, on one machine. It has not been run on a cluster of Flink or
// Spark, nor on Dataflow.
package beamfocal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"

	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/gcs"   // gs://
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/local" // files of the workers

	"github.com/gofocal/focal/internal/shards"
)

// Options say what is computed. Start from [Default].
type Options struct {
	Gamma, Alpha float64 // as in focal.Params
	ZeroBased    bool    // labels are those of focal.ZeroBased, not of focal.Labels
	Ignore       int32   // the label of rows that are ignored
	Hardest      int     // how many of the hardest rows are wanted

	// SkipBad: a shard that is broken, truncated or does not fit its labels is skipped and reported. Otherwise it fails the
	// pipeline, with its name.
	SkipBad bool
}

// Default returns the options of the paper: gamma 2, alpha 0.25, labels as [focal.Labels] has them, the 100 hardest rows.
func Default() Options {
	return Options{Gamma: 2, Alpha: 0.25, Ignore: -1, Hardest: 100}
}

func (o Options) shards() shards.Options {
	labels := shards.Convention{ZeroBased: o.ZeroBased, Ignore: o.Ignore}
	return shards.Options{Gamma: o.Gamma, Alpha: o.Alpha, Labels: labels, Hardest: o.Hardest, Workers: 1}
}

// Check returns an error if the options make no sense.
func (o Options) Check() error { return o.shards().Check() }

func init() {
	beam.RegisterDoFn(&matchFn{})
	beam.RegisterDoFn(&scoreFn{})
	beam.RegisterDoFn(&gatherFn{})
	beam.RegisterDoFn(&writeFn{})
	beam.RegisterFunction(mergeRows)
}

// Score scores the shards that match a pattern, such as gs://bucket/shard-*.npy; no match is an error. The result is a
// collection of one []byte, the part of all shards as the command "focal score" writes it, for "focal merge" and for
// [Write]. It panics if the options make no sense, as Beam's transforms do: see [Options.Check].
func Score(s beam.Scope, pattern string, o Options) beam.PCollection {
	if err := o.Check(); err != nil {
		panic(err)
	}
	s = s.Scope("beamfocal.Score")
	names := beam.Reshuffle(s, beam.ParDo(s, &matchFn{}, beam.Create(s, pattern)))
	outcomes, rows := beam.ParDo2(s, &scoreFn{o}, names)
	// The rows are many and few of them remain: workers merge theirs before they send them on. The outcomes are one
	// small record for each shard.
	hardest := beam.Combine(s, mergeRows, rows)
	return beam.ParDo(s, &gatherFn{o}, beam.GroupByKey(s, beam.AddFixedKey(s, outcomes)), beam.SideInput{Input: hardest})
}

// Write writes what [Score] returns to four files whose names begin with prefix: summary.txt, shards.csv, hardest.csv, and
// part, for "focal merge", which is the last one to be written.
func Write(s beam.Scope, prefix string, part beam.PCollection) {
	s = s.Scope("beamfocal.Write")
	filesystem.ValidateScheme(prefix)
	beam.ParDo0(s, &writeFn{prefix}, part)
}

// matchFn lists the shards that match.
type matchFn struct{}

func (*matchFn) ProcessElement(ctx context.Context, pattern string, emit func(string)) error {
	files, err := filesystem.New(ctx, pattern)
	if err != nil {
		return err
	}
	defer files.Close()
	names, err := files.List(ctx, pattern)
	if err != nil {
		return fmt.Errorf("%s: %w", pattern, err)
	}
	logits, err := shards.Logits(names)
	if err != nil {
		return err
	}
	if len(logits) == 0 {
		return fmt.Errorf("%s: no shard matches", pattern)
	}
	for _, name := range logits {
		emit(name)
	}
	return nil
}

// scoreFn scores a shard and emits its outcome, without the rows, and the rows.
type scoreFn struct{ Options Options }

func (fn *scoreFn) ProcessElement(ctx context.Context, name string, emitOutcome, emitRows func([]byte)) error {
	part, err := shards.Score(ctx, open, name, fn.Options.shards())
	if err != nil {
		if !fn.Options.SkipBad || ctx.Err() != nil {
			return err
		}
		part = shards.NewPart(fn.Options.shards())
		part.Skip(name, err)
	}
	rows := shards.NewPart(fn.Options.shards())
	rows.Rows, part.Rows = part.Rows, nil
	outcome, err := part.MarshalBinary()
	if err != nil {
		return err
	}
	encodedRows, err := rows.MarshalBinary()
	if err != nil {
		return err
	}
	emitOutcome(outcome)
	emitRows(encodedRows)
	return nil
}

func mergeRows(a, b []byte) ([]byte, error) {
	var x, y shards.Part
	if err := errors.Join(x.UnmarshalBinary(a), y.UnmarshalBinary(b)); err != nil {
		return nil, err
	}
	if err := x.Merge(&y); err != nil {
		return nil, err
	}
	return x.MarshalBinary()
}

// gatherFn makes one part of all outcomes and of the hardest rows.
type gatherFn struct{ Options Options }

func (fn *gatherFn) ProcessElement(_ int, outcomes func(*[]byte) bool, rows []byte, emit func([]byte)) error {
	parts := []*shards.Part{new(shards.Part)}
	if err := parts[0].UnmarshalBinary(rows); err != nil {
		return err
	}
	var b []byte
	for outcomes(&b) {
		p := new(shards.Part)
		if err := p.UnmarshalBinary(b); err != nil {
			return err
		}
		parts = append(parts, p)
	}
	all := shards.NewPart(fn.Options.shards())
	if err := all.Merge(parts...); err != nil {
		return err
	}
	encoded, err := all.MarshalBinary()
	if err != nil {
		return err
	}
	emit(encoded)
	return nil
}

// writeFn writes the files. Done again it writes the same ones.
type writeFn struct{ Prefix string }

func (fn *writeFn) ProcessElement(ctx context.Context, b []byte) error {
	var part shards.Part
	if err := part.UnmarshalBinary(b); err != nil {
		return err
	}
	files, err := filesystem.New(ctx, fn.Prefix)
	if err != nil {
		return err
	}
	defer files.Close()
	for _, out := range []struct {
		name  string
		write func(w io.Writer) error
	}{
		{"summary.txt", part.WriteSummary},
		{"shards.csv", part.WriteShards},
		{"hardest.csv", part.WriteHardest},
		{"part", func(w io.Writer) error { _, err := w.Write(b); return err }},
	} {
		w, err := files.OpenWrite(ctx, fn.Prefix+out.name)
		if err == nil {
			err = errors.Join(out.write(w), w.Close())
		}
		if err != nil {
			return fmt.Errorf("%s%s: %w", fn.Prefix, out.name, err)
		}
	}
	return nil
}

// open is the shards.Opener of Beam's file systems, which do not tell in one way that a file does not exist.
func open(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	files, err := filesystem.New(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	file, err := files.OpenRead(ctx, name)
	if err != nil {
		if names, e := files.List(ctx, name); e == nil && !slices.Contains(names, name) {
			err = fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		return nil, 0, errors.Join(err, files.Close())
	}
	size, err := files.Size(ctx, name)
	if err != nil {
		size = -1
	}
	return &closer{file, files}, size, nil
}

// closer is a file that closes its file system too.
type closer struct {
	io.ReadCloser
	files io.Closer
}

func (c *closer) Close() error { return errors.Join(c.ReadCloser.Close(), c.files.Close()) }
