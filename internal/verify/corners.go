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
	const rows = 37 // of one element
	var weights = []focal.Params{
		{Alpha: focal.NoAlpha, Norm: 1}, {Alpha: 0.25, Norm: 2}, {Alpha: 0, Norm: 1}, {Alpha: 1, Norm: 1},
	}
	all := corners[T]()
	cases := 3 * len(all) // each corner ignored, as a negative and as a positive
	x, label := make([]T, rows), make([]int32, rows)
	loss, grad, hess, s := make([]T, rows), make([]T, rows), make([]T, rows), make([]T, rows)
	for _, gamma := range []float64{0, 1e-3, 0.5, 1, 2, 2.3, 5, 1000} {
		for _, p := range weights {
			p.Gamma = gamma
			// Each case stands at every place of a vector in turn, between harmless elements.
			for turn := range 2 * cases {
				caseAt := func(at int) int { return (at/2 + turn/2) % cases }
				for i := range x {
					x[i], label[i] = 0, 0
					if i%2 == turn%2 {
						n := caseAt(i)
						x[i], label[i] = all[n/3].u, int32(n%3-1)
						if label[i] == 1 {
							x[i] = -x[i]
						}
					}
				}
				if _, err := focal.Fused(focal.Out[T]{Loss: loss, Grad: grad, Hess: hess}, x, focal.Labels(label), p); err != nil {
					return err
				}
				if err := focal.Sigmoid(s, x); err != nil {
					return err
				}
				for at := range x {
					check := func(what string, got, want T) {
						if got != want && (got == got || want == want) {
							what = fmt.Sprintf("%s, %+v, label %d at %d of %d, %s", typ, p, label[at], at, rows, what)
							r.differ(Difference{path, what, float64(x[at]), float64(got), float64(want)})
						}
					}
					if at%2 != turn%2 {
						check("sigmoid of 0", s[at], 0.5)
						check("loss of 0 less itself", loss[at]-loss[at], 0)
						continue
					}
					c, w, sign := all[caseAt(at)/3], T(1/p.Norm), T(1)
					switch {
					case label[at] == 1:
						sign = -1
						if p.Alpha != focal.NoAlpha {
							w = T(p.Alpha / p.Norm)
						}
					case p.Alpha != focal.NoAlpha:
						w = T((1 - p.Alpha) / p.Norm)
					}
					wantLoss, wantGrad, wantHess, wantS := c.loss(w), sign*c.grad(w), c.hess(w), c.s(w)
					switch label[at] {
					case -1:
						wantLoss, wantGrad, wantHess = 0, 0, 0
					case 1:
						wantS = 1 - wantS
					}
					check("loss", loss[at], wantLoss)
					check("gradient", grad[at], wantGrad)
					check("Hessian", hess[at], wantHess)
					check("sigmoid", s[at], wantS)
					r.Logits++
				}
			}
		}
	}
	return nil
}
