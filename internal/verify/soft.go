package verify

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"unsafe"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/oracle"
)

// A SoftWorst is the largest error of a quantity that SearchSoft has found, in the unit of oracle.PromisedSoft.
type SoftWorst struct {
	Err       float64
	X, Target float64
}

func (w SoftWorst) String() string {
	return fmt.Sprintf("worst %.3f ULP at x = %v (%x), t = %v (%x)", w.Err, w.X, w.X, w.Target, w.Target)
}

// softRounds is for how many rounds SearchSoft draws anywhere, and then for how many around the worst as well.
const softRounds = 64

// SearchSoft looks for the logits and soft targets with the largest errors of loss, gradient and Hessian, for parameters
// whose weights count as rounded to T: it draws points of each round, in the end half of them around the worst ones.
func SearchSoft[T focal.Float](ctx context.Context, p focal.Params, points int, seed uint64) (worst [3]SoftWorst, err error) {
	defer control.SetPath(Reference)()
	norm := p.Norm
	if norm == 0 {
		norm = 1
	}
	wPos, wNeg := float64(T(weight(p, 1)/norm)), float64(T(weight(p, 0)/norm))
	rng := rand.New(rand.NewPCG(seed, 7))
	x, target := make([]T, points), make([]T, points)
	out := focal.Out[T]{Loss: make([]T, points), Grad: make([]T, points), Hess: make([]T, points)}
	for round := range 2 * softRounds {
		if err := ctx.Err(); err != nil {
			return worst, err
		}
		for i := range x {
			w := worst[i%len(worst)]
			if round < softRounds || rng.IntN(2) == 0 || w.Err == 0 {
				x[i], target[i] = drawSoft[T](rng)
				continue
			}
			x[i], target[i] = near(rng, T(w.X)), near(rng, T(w.Target))
			if !(target[i] > 0 && target[i] < 1) || x[i]-x[i] != 0 {
				x[i], target[i] = T(w.X), T(w.Target)
			}
		}
		if _, err := focal.Fused(out, x, focal.Dense(target), p); err != nil {
			return worst, err
		}
		for i := range x {
			errs, _ := oracle.SoftErrors(out.Loss[i], out.Grad[i], out.Hess[i], float64(x[i]), float64(target[i]), p.Gamma, wPos, wNeg, 1)
			for q, e := range errs {
				if !(e <= worst[q].Err) {
					worst[q] = SoftWorst{e, float64(x[i]), float64(target[i])}
				}
			}
		}
	}
	return worst, nil
}

// drawSoft returns a logit where the arithmetic happens, and a target between 0 and 1, often near them.
func drawSoft[T focal.Float](rng *rand.Rand) (x, t T) {
	x = T(5 * rng.NormFloat64())
	if rng.IntN(4) == 0 {
		x /= 8
	}
	bits := 24.0
	if unsafe.Sizeof(t) == 8 {
		bits = 53
	}
	switch rng.IntN(5) {
	case 0:
		t = T(math.Exp2(-2 * bits * rng.Float64()))
	case 1:
		t = 1 - T(math.Exp2(-bits*rng.Float64()))
	default:
		t = T(rng.Float64())
	}
	if !(t > 0 && t < 1) {
		t = 0.5
	}
	return x, t
}

// near returns a float of about as many bits as v, some or many floats away from it.
func near[T focal.Float](rng *rand.Rand, v T) T {
	bits := 20.0
	if unsafe.Sizeof(v) == 8 {
		bits = 49
	}
	return neighbour(v, int(rng.NormFloat64()*math.Exp2(bits*rng.Float64())))
}
