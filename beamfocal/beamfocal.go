// Package beamfocal scores data sets that do not fit one machine by the sigmoid focal loss: a transform for Apache Beam,
// by package focal.
//
// A data set is divided into shards: NumPy files of logits, NAME.npy, an array [N, C] of floats, each with its labels beside
// it in NAME.label.npy, an array [N] of integers, or its targets in NAME.targets.npy, of the logits' shape. Files of weights and
// scores can stand beside them: see [Options]. From a pattern that matches the logits [Score] computes the total loss, the number
// of foreground rows, the figures of each shard, and the rows of the whole set with the largest losses, for hard-example mining.
//
//	p, s := beam.NewPipelineWithRoot()
//	beamfocal.Write(s, "gs://bucket/out/", beamfocal.Score(s, "gs://bucket/shard-*.npy", beamfocal.Default()))
//	err := beamx.Run(ctx, p)
//
// The data is read once. The divisor is known only at the end, and applied there. The sum is exact, so the
// result has the same bits whatever the shards are, and whichever worker has which. A worker reads its shard block by block:
// its memory does not depend on the shard's size.
//
// A shard's outcome leaves its worker when the shard has been read to its end, in one piece. A bundle that fails in the
// middle and is done again by the runner counts once; and should a shard come twice nevertheless, it is an error. One that is
// changed or replaced while it is read is an error too, where the file system tells when a file was written.
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
	"strings"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"

	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/gcs"   // gs://
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/local" // files of the workers

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards"
)

// Options say what is computed. Start from [Default].
type Options struct {
	Gamma, Alpha float64  // as in focal.Params
	NegGamma     *float64 // as in focal.Params
	ZeroBased    bool     // labels are those of focal.ZeroBased, not of focal.Labels

	Ignore        int32 // the label of rows that are ignored
	IgnoreTargets bool  // targets that are Ignore are ignored too
	IgnoreNaN     bool  // and those that are NaN

	// Each shard has a file more: the weights of elements, NAME.weights.npy, those of rows, NAME.row-weights.npy, or the scores
	// of the rows' classes, NAME.scores.npy, for which Quality names the loss. Weights are as in focal.WeighElements and
	// focal.WeighRows, scores as in focal.Scored.
	Weights, RowWeights, Scores bool
	Quality                     focal.Quality

	// Weights of the negatives and positives of each class, as in focal.WeighClasses; both or neither. ClassWeights reads them.
	NegWeights, PosWeights []float64

	Hardest int // how many of the hardest rows are wanted

	// SkipBad: a shard that is broken, truncated or does not fit its labels is skipped and reported. Otherwise it fails the
	// pipeline, with its name.
	SkipBad bool
}

// Default returns the options of the paper: gamma 2, alpha 0.25, labels as [focal.Labels] has them, the 100 hardest rows.
func Default() Options {
	return Options{Gamma: 2, Alpha: 0.25, Ignore: -1, Hardest: 100}
}

func (o Options) shards() shards.Options {
	s := shards.Options{
		Gamma: o.Gamma, NegGamma: o.NegGamma, Alpha: o.Alpha, Hardest: o.Hardest, Workers: 1,
		Labels:  shards.Convention{ZeroBased: o.ZeroBased, Ignore: o.Ignore, IgnoreTargets: o.IgnoreTargets, IgnoreNaN: o.IgnoreNaN},
		Weights: o.Weights, RowWeights: o.RowWeights, Scores: o.Scores, Quality: o.Quality,
	}
	if o.NegWeights != nil || o.PosWeights != nil {
		s.Classes = &shards.ClassWeights{Name: "class weights", Neg: o.NegWeights, Pos: o.PosWeights}
	}
	return s
}

// ClassWeights reads the weights of classes for [Options] from a file: an array [C], the weights of all elements of each class,
// or [2, C], those of the negatives and those of the positives.
func ClassWeights(ctx context.Context, name string) (neg, pos []float64, err error) {
	w, err := shards.LoadClassWeights(ctx, open, name)
	if err != nil {
		return nil, nil, err
	}
	return w.Neg, w.Pos, nil
}

// Check returns an error if the options make no sense.
func (o Options) Check() error { return o.shards().Check() }

func init() {
	beam.RegisterDoFn(&matchFn{})
	beam.RegisterDoFn(&scoreFn{})
	beam.RegisterDoFn(&gatherFn{})
	beam.RegisterDoFn(&writeFn{})
	beam.RegisterDoFn(&hardestFn{})
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
	// The rows are many and few of them remain: workers combine theirs before they send them on. The outcomes are one
	// small record for each shard.
	hardest := beam.Combine(s, &hardestFn{o.Hardest}, rows)
	return beam.ParDo(s, &gatherFn{o}, beam.GroupByKey(s, beam.AddFixedKey(s, outcomes)), beam.SideInput{Input: hardest})
}

// The files that [Write] writes, after its prefix.
var files = []struct {
	name, what string
	write      func(p *shards.Part, w io.Writer) error
}{
	{"summary.txt", "the loss and what it was computed from", func(p *shards.Part, w io.Writer) error { return p.WriteSummary(w, 0) }},
	{"shards.csv", "the figures of each shard", (*shards.Part).WriteShards},
	{"hardest.csv", "the hardest rows", (*shards.Part).WriteHardest},
	{"part", "all of it, for focal merge", func(p *shards.Part, w io.Writer) error {
		b, err := p.MarshalBinary()
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}},
}

// Write writes what [Score] returns to four files whose names begin with prefix: summary.txt, shards.csv, hardest.csv, and
// part, for "focal merge", which is the last one to be written.
func Write(s beam.Scope, prefix string, part beam.PCollection) {
	s = s.Scope("beamfocal.Write")
	filesystem.ValidateScheme(prefix)
	beam.ParDo0(s, &writeFn{prefix}, part)
}

// Report writes the summary that [Write] has written, and names its files.
func Report(ctx context.Context, w io.Writer, prefix string) error {
	fsys, err := filesystem.New(ctx, prefix)
	if err != nil {
		return err
	}
	defer fsys.Close()
	summary, err := fsys.OpenRead(ctx, prefix+files[0].name)
	if err != nil {
		return fmt.Errorf("%s%s: %w", prefix, files[0].name, err)
	}
	defer summary.Close()
	if _, err := io.Copy(w, summary); err != nil {
		return err
	}
	for _, f := range files {
		if _, err := fmt.Fprintf(w, "%-11s %s%s, %s\n", "written", prefix, f.name, f.what); err != nil {
			return err
		}
	}
	return nil
}

// Match returns the shards that match a pattern, in order, or an error if there is none: what [Score] will find, on a machine
// that sees the same files.
func Match(ctx context.Context, pattern string) ([]string, error) {
	fsys, err := filesystem.New(ctx, pattern)
	if err != nil {
		return nil, err
	}
	defer fsys.Close()
	names, err := fsys.List(ctx, pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	logits, err := shards.Logits(names)
	if err != nil {
		return nil, err
	}
	if len(logits) == 0 {
		return nil, fmt.Errorf("%s: no shard matches", pattern)
	}
	slices.Sort(logits)
	return logits, nil
}

// matchFn lists the shards that match.
type matchFn struct{}

func (*matchFn) ProcessElement(ctx context.Context, pattern string, emit func(string)) error {
	names, err := Match(ctx, pattern)
	if err != nil {
		return err
	}
	for _, name := range names {
		emit(name)
	}
	return nil
}

// scoreFn scores a shard and emits its outcome, without the rows, and the rows.
type scoreFn struct{ Options Options }

func (fn *scoreFn) ProcessElement(ctx context.Context, name string, emitOutcome func([]byte), emitRows func(shards.Ranking)) error {
	part, err := shards.Score(ctx, open, name, fn.Options.shards())
	if err != nil {
		if !fn.Options.SkipBad || ctx.Err() != nil {
			return err
		}
		part = shards.NewPart(fn.Options.shards())
		part.Skip(name, err)
	}
	part, rows := part.Split()
	outcome, err := part.MarshalBinary()
	if err != nil {
		return err
	}
	emitOutcome(outcome)
	emitRows(rows)
	return nil
}

// hardestFn keeps the hardest rows.
type hardestFn struct{ Hardest int }

func (fn *hardestFn) CreateAccumulator() shards.Ranking { return shards.Ranking{Most: fn.Hardest} }

func (fn *hardestFn) AddInput(all, rows shards.Ranking) shards.Ranking {
	return fn.MergeAccumulators(all, rows)
}

func (*hardestFn) MergeAccumulators(all, rows shards.Ranking) shards.Ranking {
	for _, r := range rows.Rows {
		all.Add(r)
	}
	return all
}

// gatherFn makes one part of all outcomes and of the hardest rows.
type gatherFn struct{ Options Options }

func (fn *gatherFn) ProcessElement(_ int, outcomes func(*[]byte) bool, rows shards.Ranking, emit func([]byte)) error {
	o := fn.Options.shards()
	o.Hardest = 0
	var all shards.Merger
	if err := all.Add(shards.NewPart(o)); err != nil {
		return err
	}
	var b []byte
	for outcomes(&b) {
		p := new(shards.Part)
		if err := p.UnmarshalBinary(b); err != nil {
			return err
		}
		if err := all.Add(p); err != nil {
			return err
		}
	}
	encoded, err := all.Part().With(rows).MarshalBinary()
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
	fsys, err := filesystem.New(ctx, fn.Prefix)
	if err != nil {
		return err
	}
	defer fsys.Close()
	for _, f := range files {
		w, err := fsys.OpenWrite(ctx, fn.Prefix+f.name)
		if err == nil {
			err = errors.Join(f.write(&part, w), w.Close())
		}
		if err != nil {
			return fmt.Errorf("%s%s: %w", fn.Prefix, f.name, err)
		}
	}
	return nil
}

// open is the shards.Opener of Beam's file systems, which do not tell in one way that a file does not exist.
func open(ctx context.Context, name string) (io.ReadCloser, int64, error) {
	if !strings.Contains(name, "://") {
		return shards.OpenFile(ctx, name)
	}
	fsys, err := filesystem.New(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	f := &file{fsys: fsys, name: name}
	f.written, _ = f.lastModified(ctx) // before it is opened: what changes between the two is noticed
	if f.ReadCloser, err = fsys.OpenRead(ctx, name); err != nil {
		if names, e := fsys.List(ctx, name); e == nil && !slices.Contains(names, name) {
			err = fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		return nil, 0, errors.Join(err, fsys.Close())
	}
	if f.size, err = fsys.Size(ctx, name); err != nil {
		f.size = -1
	}
	return f, f.size, nil
}

// file is a file that closes its file system too, and knows when it was written.
type file struct {
	io.ReadCloser
	fsys    filesystem.Interface
	name    string
	size    int64
	written time.Time // zero: the file system does not tell
}

func (f *file) lastModified(ctx context.Context) (time.Time, error) {
	if fsys, ok := f.fsys.(filesystem.LastModifiedGetter); ok {
		return fsys.LastModified(ctx, f.name)
	}
	return time.Time{}, nil
}

// Changed implements npyfile.Changer.
func (f *file) Changed() bool {
	ctx := context.Background()
	written, err := f.lastModified(ctx)
	if err != nil || !written.Equal(f.written) {
		return true
	}
	size, err := f.fsys.Size(ctx, f.name)
	return f.size >= 0 && (err != nil || size != f.size)
}

func (f *file) Close() error { return errors.Join(f.ReadCloser.Close(), f.fsys.Close()) }
