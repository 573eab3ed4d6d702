package verify

import (
	"cmp"
	"fmt"
	"math"
	"unsafe"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
)

// A corner is a logit whose results are exact, whatever the exponent, and what they are for weight w.
type corner[T focal.Float] struct {
	u                   T // x of a negative, -x of a positive
	loss, grad, hess, s func(w T) T
}

// corners are the limits: what the documentation lists in place of bounds.
func corners[T focal.Float]() []corner[T] {
	inf, nan, huge := T(math.Inf(1)), T(math.NaN()), largest[T]()
	is := func(v T) func(T) T { return func(T) T { return v } }
	weight := func(w T) T { return w }
	infinite := func(w T) T {
		if w == 0 {
			return 0 // a weight of 0 takes the element out
		}
		return inf
	}
	return []corner[T]{
		{inf, infinite, weight, is(0), is(1)},
		{-inf, is(0), is(0), is(0), is(0)},
		{huge, func(w T) T { return w * huge }, weight, is(0), is(1)},
		{-huge, is(0), is(0), is(0), is(0)},
		{nan, is(nan), is(nan), is(nan), is(nan)},
	}
}

func largest[T focal.Float]() T {
	v := math.MaxFloat64
	if unsafe.Sizeof(T(0)) == 4 {
		v = math.MaxFloat32
	}
	return T(v)
}

// Corners checks infinite, NaN and huge logits, ignored rows and weights of 0, on each path, the reference included.
func Corners(o Options) (*Report, error) {
	paths, err := o.paths()
	if err != nil {
		return nil, err
	}
	r := &Report{Paths: paths}
	for _, path := range append([]string{Reference}, paths...) {
		restore := control.SetPath(path)
		err := cmp.Or(checkCorners[float32](r, path, "float32"), checkCorners[float64](r, path, "float64"))
		restore()
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

func checkCorners[T focal.Float](r *Report, path, typ string) error {
	const rows = 37 // of one element: a corner stands at every place of a vector, in between harmless ones
	var weights = []focal.Params{
		{Alpha: focal.NoAlpha, Norm: 1}, {Alpha: 0.25, Norm: 2}, {Alpha: 0, Norm: 1}, {Alpha: 1, Norm: 1},
	}
	x, label := make([]T, rows), make([]int32, rows)
	loss, grad, hess, s := make([]T, rows), make([]T, rows), make([]T, rows), make([]T, rows)
	check := func(what string, at int, got, want T) {
		if got == want || got != got && want != want {
			return
		}
		r.differ(Difference{path, typ + ", " + what, float64(x[at]), float64(got), float64(want)})
	}
	for _, gamma := range []float64{0, 1e-3, 0.5, 1, 2, 2.3, 5, 1000} {
		for _, p := range weights {
			p.Gamma = gamma
			for _, c := range corners[T]() {
				for kind := int32(-1); kind <= 1; kind++ { // ignored, negative, positive
					for at := range rows {
						for i := range x {
							x[i], label[i] = 0, 0
						}
						label[at] = kind
						w, sign, u := T(1/p.Norm), T(1), c.u
						switch {
						case kind == 1:
							sign, u = -1, -u
							if p.Alpha != focal.NoAlpha {
								w = T(p.Alpha / p.Norm)
							}
						case p.Alpha != focal.NoAlpha:
							w = T((1 - p.Alpha) / p.Norm)
						}
						x[at] = u
						if _, err := focal.Fused(focal.Out[T]{Loss: loss, Grad: grad, Hess: hess}, x, focal.Labels(label), p); err != nil {
							return err
						}
						if err := focal.Sigmoid(s, x); err != nil {
							return err
						}
						wantLoss, wantGrad, wantHess, wantS := c.loss(w), sign*c.grad(w), c.hess(w), c.s(w)
						if kind == -1 {
							wantLoss, wantGrad, wantHess = 0, 0, 0
						}
						if kind == 1 {
							wantS = 1 - wantS
						}
						what := fmt.Sprintf("%+v, label %d at %d of %d, ", p, kind, at, rows)
						check(what+"loss", at, loss[at], wantLoss)
						check(what+"gradient", at, grad[at], wantGrad)
						check(what+"Hessian", at, hess[at], wantHess)
						check(what+"sigmoid", at, s[at], wantS)
						r.Logits++
						if other := (at + 1) % rows; s[other] != 0.5 || loss[other] != loss[other] {
							r.differ(Difference{path, typ + ", " + what + "the next element", float64(x[other]), float64(loss[other]), 0})
						}
					}
				}
			}
		}
	}
	return nil
}
