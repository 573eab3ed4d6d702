package verify

import (
	"cmp"
	"fmt"
	"math"
	"unsafe"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/oracle"
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

// Corners checks infinite, NaN and huge logits, ignored rows, weights of 0, and soft targets at infinite logits, on each path,
// the reference included.
func Corners(o Options) (*Report, error) {
	paths, err := o.paths()
	if err != nil {
		return nil, err
	}
	r := &Report{Paths: paths}
	for _, path := range append([]string{Reference}, paths...) {
		restore := control.SetPath(path)
		err := cmp.Or(checkCorners[float32](r, path, "float32"), checkCorners[float64](r, path, "float64"),
			checkSoftCorners[float32](r, path, "float32"), checkSoftCorners[float64](r, path, "float64"))
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
	loss, grad, hess, curv, s := make([]T, rows), make([]T, rows), make([]T, rows), make([]T, rows), make([]T, rows)
	for _, gamma := range []float64{0, 1e-3, 0.5, 1, 2, 2.3, 5, 1000, 1e20, 1e34} {
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
				if _, err := focal.Fused(focal.Out[T]{Loss: loss, Grad: grad, Hess: hess, Curv: curv}, x, focal.Labels(label), p); err != nil {
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
					check("curvature", curv[at], wantHess)
					check("sigmoid", s[at], wantS)
					r.Logits++
				}
			}
		}
	}
	return nil
}

// checkSoftCorners checks soft targets at infinite logits: the loss is infinite, the gradient that of any large logit, and the
// rest 0. A target of 0 or 1 beside them is that of a label.
func checkSoftCorners[T focal.Float](r *Report, path, typ string) error {
	inf := T(math.Inf(1))
	x := []T{inf, -inf, inf, -inf, inf, -inf, inf, -inf}
	target := []T{0.25, 0.25, 1 - 0x1p-20, 1 - 0x1p-20, 0, 0, 1, 1}
	const soft = 4 // the first of them
	n := len(x)
	loss, grad, hess, curv := make([]T, n), make([]T, n), make([]T, n), make([]T, n)
	for _, gamma := range []float64{0, 1e-3, 0.5, 2, 2.3, 5, 1000} {
		for _, p := range []focal.Params{{Gamma: gamma, Alpha: focal.NoAlpha, Norm: 1}, {Gamma: gamma, Alpha: 0.25, Norm: 2}} {
			if _, err := focal.Fused(focal.Out[T]{Loss: loss, Grad: grad, Hess: hess, Curv: curv}, x, focal.Dense(target), p); err != nil {
				return err
			}
			for i, v := range x {
				what := fmt.Sprintf("%s, %+v, t = %v, ", typ, p, target[i])
				wantLoss, wantGrad, err := inf, T(0), 0.0
				if i < soft {
					far := oracle.SoftAt(T(math.Copysign(1e5, float64(v))), target[i], gamma, weight(p, 1), weight(p, 0), p.Norm)
					var want float64
					err, want = far.Err(oracle.Grad, grad[i], 1, 1)
					wantGrad = T(want)
				} else if (target[i] == 1) == (v > 0) {
					wantLoss = 0
				} else if wantGrad = T(weight(p, int(target[i])) / p.Norm); v < 0 {
					wantGrad = -wantGrad
				}
				if i >= soft && grad[i] != wantGrad || !(err <= oracle.PromisedSoft(gamma)[oracle.Grad]) {
					r.differ(Difference{path, what + "gradient", float64(v), float64(grad[i]), float64(wantGrad)})
				}
				if loss[i] != wantLoss {
					r.differ(Difference{path, what + "loss", float64(v), float64(loss[i]), float64(wantLoss)})
				}
				if hess[i] != 0 || curv[i] != 0 {
					r.differ(Difference{path, what + "Hessian or curvature", float64(v), float64(hess[i]), 0})
				}
				r.Logits++
			}
		}
	}
	return nil
}
