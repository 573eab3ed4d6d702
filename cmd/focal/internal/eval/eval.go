// Package eval evaluates the loss of one array of logits, and writes what is wanted of it.
package eval

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

// Outputs are where arrays go; nil: not wanted.
type Outputs struct{ Loss, Grad, Hess, Curv io.Writer }

func (o Outputs) all() []io.Writer { return []io.Writer{o.Loss, o.Grad, o.Hess, o.Curv} }

// Result is what there is to say.
type Result struct {
	*shards.Part           // of one shard, the logits
	Norm         float64   // that was divided by
	NaN, Inf     *Position // of the first loss that is; nil: none is
	Operator     time.Duration
}

// Position is where an element is in the array.
type Position struct{ Row, Col int }

// Run evaluates d. If norm is 0 it is the number of foreground rows, or elements, and at least 1: the labels are read
// twice then. Outputs begin with their headers, and are of the type that the logits are computed in. It calls progress after
// some rows.
func Run(ctx context.Context, d *shards.Data, o shards.Options, norm float64, out Outputs, progress func(rows int)) (*Result, error) {
	if d.ComputedIn() == "f4" {
		return run[float32](ctx, d, o, norm, out, progress)
	}
	return run[float64](ctx, d, o, norm, out, progress)
}

func run[T focal.Float](ctx context.Context, d *shards.Data, options shards.Options, norm float64, out Outputs, progress func(rows int)) (*Result, error) {
	p := options.Params()
	p.Norm = norm
	r := &Result{}
	if p.Norm == 0 {
		if !d.Y.CanRewind() {
			return nil, fmt.Errorf("%s: cannot be read twice, as it must be for the divisor: give it one, such as -norm 3", d.Y.Name)
		}
		foreground, err := shards.Foreground[T](ctx, d)
		if err != nil {
			return nil, err
		}
		p.Norm = math.Max(1, float64(foreground))
	}
	wanted := false
	for _, w := range out.all() {
		if w != nil {
			wanted = true
			if err := npyfile.WriteHeader(w, d.ComputedIn(), d.X.Shape); err != nil {
				return nil, err
			}
		}
	}
	if wanted { // otherwise nothing is divided in this type
		if _, err := focal.Sum([]T(nil), focal.Dense([]T(nil)), p); err != nil {
			return nil, fmt.Errorf("-norm %v is too small for logits of %s", p.Norm, npyfile.TypeName(d.X.Dtype))
		}
	}
	r.Norm = p.Norm
	shard := shards.Shard{Name: d.X.Name, Rows: int64(d.Rows), Classes: d.Cols, Targets: d.Dense}
	var o [4][]T
	err := shards.Blocks(ctx, d, func(b shards.Block[T]) error {
		begin := time.Now()
		part, err := focal.Score(b.X, b.Target, p)
		if err == nil {
			err = shard.Partial.Merge(part)
		}
		if err == nil && wanted {
			for i, w := range out.all() {
				switch {
				case w == nil:
				case o[i] == nil:
					o[i] = make([]T, len(b.X))
				default:
					o[i] = o[i][:len(b.X)]
				}
			}
			_, err = focal.Fused(focal.Out[T]{Loss: o[0], Grad: o[1], Hess: o[2], Curv: o[3]}, b.X, b.Target, p)
		}
		r.Operator += time.Since(begin)
		if err != nil {
			return fmt.Errorf("%s: in the rows from %d on: %w", d.X.Name, b.Row, err)
		}
		if inf, nan := part.NotFinite(); nan > 0 && r.NaN == nil || inf > 0 && r.Inf == nil {
			if err := find(r, b, d.Cols, p); err != nil {
				return err
			}
		}
		for i, w := range out.all() {
			if w != nil {
				if err := npyfile.Write(w, o[i]); err != nil {
					return err
				}
			}
		}
		progress(len(b.X) / d.Cols)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.Part = shards.NewPart(options)
	r.Part.Total, r.Part.Shards = shard.Partial, []shards.Shard{shard}
	return r, nil
}

// find finds the first losses that are not finite, of those that b has. Only then they are computed.
func find[T focal.Float](r *Result, b shards.Block[T], cols int, p focal.Params) error {
	p.Norm = 1
	loss := make([]T, len(b.X))
	if _, err := focal.Fused(focal.Out[T]{Loss: loss}, b.X, b.Target, p); err != nil {
		return err
	}
	for i, v := range loss {
		at := &Position{b.Row + i/cols, i % cols}
		switch {
		case v != v && r.NaN == nil:
			r.NaN = at
		case math.IsInf(float64(v), 0) && r.Inf == nil:
			r.Inf = at
		}
	}
	return nil
}
