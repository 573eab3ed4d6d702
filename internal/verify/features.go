package verify

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/oracle"
)

// A Feature is something that a loss can say of its elements.
type Feature string

// Features are all that have exact values of their own. Params.Frozen and Out.Curv are in every report.
var Features = []Feature{"weights", "weights, soft targets", "two gammas", "varifocal", "aligned", "quality focal"}

var qualities = map[Feature]focal.Quality{"varifocal": focal.Varifocal, "aligned": focal.Aligned, "quality focal": focal.QualityFocal}

// WithFeature compares all paths with the reference, and the reference with the exact values, for elements of which something is
// said, at several exponents up to 5. n is how many elements for each. Of each quantity the report has the error that is
// nearest to its bound, as the bounds of elements differ.
func WithFeature[T focal.Float](ctx context.Context, feature Feature, n int, seed uint64, o Options) (*Report, error) {
	paths, err := o.paths()
	if err != nil {
		return nil, err
	}
	r := &Report{Paths: paths}
	gammas := []float64{0, 0.5, 1, 2, 2.3, 5}
	for i, gamma := range gammas {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		b := newBatch[T](feature, gamma, n, rand.New(rand.NewPCG(seed, uint64(i))))
		if err := b.evaluate(r); err != nil {
			return r, err
		}
		if o.Progress != nil {
			o.Progress(uint64(i+1), uint64(len(gammas)))
		}
	}
	return r, nil
}

// An element is what the exact values of a batch's element are.
type element[T focal.Float] struct {
	exact    oracle.Exact[T]
	sign     T // of its derivatives, in exact
	num, den float64
	factors  []T
	bounds   oracle.Bounds
}

// A batch is some logits of which something is said.
type batch[T focal.Float] struct {
	feature Feature
	x       []T
	y       focal.Target
	p       focal.Params
	at      func(i int) (e element[T], ok bool) // not ok: nothing is promised
}

// newBatch draws a batch.
func newBatch[T focal.Float](feature Feature, gamma float64, n int, rng *rand.Rand) *batch[T] {
	const c = 3
	rows := (n + c - 1) / c
	b := &batch[T]{feature: feature, p: focal.Params{Gamma: gamma, Alpha: 0.3, Norm: 1.7}}
	draw := climber[T]{Climb: Climb{Soft: true}, rng: rng}
	target, label := make([]T, rows*c), make([]int32, rows)
	for i := range target {
		var x T
		x, target[i] = draw.point()
		b.x = append(b.x, x)
	}
	for i := range label {
		label[i] = rng.Int32N(c + 1)
	}
	positive := func(i int) bool { return int(label[i/c]) == i%c+1 }
	b.y = focal.Labels(label)

	// What a label is, with the exponent of its side.
	labelled := func(i int, gamma float64) element[T] {
		e := element[T]{oracle.At(b.x[i], gamma), 1, weight(b.p, 0), b.p.Norm, nil, oracle.Promised(gamma)}
		if positive(i) {
			e.exact, e.sign, e.num = oracle.At(-b.x[i], gamma), -1, weight(b.p, 1)
		}
		return e
	}
	if quality, ok := qualities[feature]; ok {
		score := make([]T, rows)
		for i := range score {
			score[i] = target[i*c]
			if x := float64(b.x[i*c+max(int(label[i]), 1)-1]); i%4 == 0 { // near the minimum
				near := T(1/(1+math.Exp(-x)) + 1e-3*(rng.Float64()-0.5))
				score[i] = min(max(near, 0x1p-60), 1-0x1p-24)
			}
		}
		b.y = focal.Scored(b.y, score, quality)
		b.at = func(i int) (e element[T], ok bool) {
			t := score[i/c]
			switch {
			case !positive(i):
				e = labelled(i, gamma)
				if quality == focal.QualityFocal {
					e.num = 1
				}
			case quality == focal.QualityFocal:
				exact, parts := oracle.QualityAt(b.x[i], t, gamma, 1, b.p.Norm)
				return element[T]{exact, 1, 1, 1, nil, oracle.PromisedQuality()}, parts < 0x1p40
			default:
				e = element[T]{oracle.SoftAt(b.x[i], t, 0, 1, 1, b.p.Norm), 1, 1, 1, nil, oracle.PromisedSoft(0)}
				if quality == focal.Varifocal {
					e.num = float64(t)
				}
			}
			return e, true
		}
		return b
	}
	if feature == "two gammas" {
		other := 5 - gamma
		b.p.NegGamma = &other
		b.at = func(i int) (element[T], bool) {
			if positive(i) {
				return labelled(i, gamma), true
			}
			return labelled(i, other), true
		}
		return b
	}

	weights := func(n int) (w []T) {
		for range n {
			w = append(w, T(0.1+3*rng.Float64()))
		}
		return w
	}
	row, neg, pos, each := weights(rows), weights(c), weights(c), weights(rows*c)
	if soft := feature == "weights, soft targets"; soft {
		b.y = focal.Dense(target)
		b.at = func(i int) (element[T], bool) {
			wNeg, wPos := weight(b.p, 0)*float64(neg[i%c]), weight(b.p, 1)*float64(pos[i%c])
			exact := oracle.SoftAt(b.x[i], target[i], gamma, wPos, wNeg, b.p.Norm)
			return element[T]{exact, 1, 1, 1, []T{row[i/c], each[i]}, oracle.PromisedSoft(gamma).Weighted(3)}, true
		}
	} else {
		b.at = func(i int) (element[T], bool) {
			e := labelled(i, gamma)
			class := neg[i%c]
			if positive(i) {
				class = pos[i%c]
			}
			e.factors, e.bounds = []T{row[i/c], each[i], class}, e.bounds.Weighted(3)
			return e, true
		}
	}
	b.y = focal.WeighElements(focal.WeighClasses(focal.WeighRows(b.y, row), neg, pos), each)
	return b
}

// evaluate adds what is found to the report.
func (b *batch[T]) evaluate(r *Report) error {
	n := len(b.x)
	want, got := newResults[T](n), newResults[T](n)
	r.Logits += uint64(n)
	each := func(path string, to *results[T], firstOnly bool) error {
		defer control.SetPath(path)()
		for _, call := range calls[T]() {
			if call.unlabelled || firstOnly && !call.first {
				continue
			}
			if err := call.run(to, b.x, b.y, b.p); err != nil {
				return err
			}
			for _, q := range call.of {
				compareBits(r, path, func(int) string { return call.name + ", " + string(b.feature) }, q, b.x, to[q], want[q])
			}
		}
		return nil
	}
	if err := each(Reference, &want, true); err != nil {
		return err
	}
	b.measure(r, &want)
	for _, path := range append([]string{Reference}, r.Paths...) {
		if err := each(path, &got, false); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch[T]) measure(r *Report, results *results[T]) {
	for i, x := range b.x {
		e, ok := b.at(i)
		if !ok {
			continue
		}
		for q := oracle.Loss; q <= oracle.Frozen; q++ {
			got := results[q][i]
			if q == oracle.Grad || q == oracle.Frozen {
				got *= e.sign
			}
			err, want := e.exact.Err(q, got, e.num, e.den, e.factors...)
			one := oracle.Errors{}
			one.Add(err, float64(x), float64(got), want)
			r.mergeNearest(q, one, e.bounds[q])
		}
	}
}
