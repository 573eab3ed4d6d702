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
type Outputs struct{ Loss, Grad, Hess io.Writer }

func (o Outputs) all() []io.Writer { return []io.Writer{o.Loss, o.Grad, o.Hess} }

// Result is what there is to say.
type Result struct {
	*shards.Part         // of one shard, the logits
	Norm         float64 // that was divided by
	NaN, Inf     Found   // logits
	Operator     time.Duration
}

// Found is how many logits there are of a sort, and where the first one is.
type Found struct{ Count, Row, Col int }

// Run evaluates d. If p.Norm is 0 it is the number of foreground rows, or elements, and at least 1: the labels are read
// twice then. Outputs begin with their headers, and are of the type that the logits are computed in. It calls progress after
// some rows.
func Run(ctx context.Context, d *shards.Data, p focal.Params, out Outputs, progress func(rows int)) (*Result, error) {
	if d.ComputedIn() == "f4" {
		return run[float32](ctx, d, p, out, progress)
	}
	return run[float64](ctx, d, p, out, progress)
}

func run[T focal.Float](ctx context.Context, d *shards.Data, p focal.Params, out Outputs, progress func(rows int)) (*Result, error) {
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
	var o [3][]T
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
			_, err = focal.Fused(focal.Out[T]{Loss: o[0], Grad: o[1], Hess: o[2]}, b.X, b.Target, p)
		}
		r.Operator += time.Since(begin)
		if err != nil {
			return fmt.Errorf("%s: in the rows from %d on: %w", d.X.Name, b.Row, err)
		}
		look(r, b.X, b.Row, d.Cols)
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
	r.Part = shards.NewPart(shards.Options{Gamma: p.Gamma, Alpha: p.Alpha, Labels: d.Labels})
	r.Part.Total, r.Part.Shards = shard.Partial, []shards.Shard{shard}
	return r, nil
}

// look counts the logits of some rows that are not finite.
func look[T focal.Float](r *Result, x []T, row, cols int) {
	const step = 256
	for from := 0; from < len(x); from += step {
		part := x[from:min(from+step, len(x))]
		var a, b, c, d T // sums of zeros, or NaN; four of them do not wait for each other
		rest := part
		for ; len(rest) >= 4; rest = rest[4:] {
			a += rest[0] - rest[0]
			b += rest[1] - rest[1]
			c += rest[2] - rest[2]
			d += rest[3] - rest[3]
		}
		for _, v := range rest {
			a += v - v
		}
		if a+b+c+d == 0 {
			continue
		}
		for i, v := range part {
			found := &r.Inf
			switch {
			case v-v == 0:
				continue
			case v != v:
				found = &r.NaN
			}
			if found.Count == 0 {
				found.Row, found.Col = row+(from+i)/cols, (from+i)%cols
			}
			found.Count++
		}
	}
}
