package oracle

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

var softTargets = []float64{0, 1, 0.5, 0.1, 1e-6, 1 - 1e-6, 0x1p-40, 0x1p-149, 0.4999, 0.75}

func softCases(f func(x, t, gamma float64)) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, gamma := range []float64{0, 0.5, 1, 1.5, 2, 2.3, 5} {
		for _, t := range softTargets {
			for range 60 {
				f(10*rng.NormFloat64(), t, gamma)
			}
		}
	}
}

// Both have other formulas, and the labels' at t = 0 and 1 others again.
func TestSoftOracles(t *testing.T) {
	softCases(func(x, target, gamma float64) {
		const wPos, wNeg = 0.25, 0.75
		a := Soft32At(x, target, gamma, wPos, wNeg)
		b := Soft64At(x, target, gamma, realOf(wPos), realOf(wNeg))
		near := func(want, got, mag float64) {
			assert.LessOrEqual(t, math.Abs(got-want), 1e-13*math.Abs(mag), "x=%v t=%v gamma=%v: %v, %v", x, target, gamma, want, got)
		}
		near(a.Loss, b.Loss.Float64(), a.Loss)
		near(a.Grad, b.Grad.Float64(), a.GMag)
		near(a.GMag, b.GMag.Float64(), a.GMag)
		near(a.Hess, b.Hess.Float64(), a.HMag)
		near(a.HMag, b.HMag.Float64(), a.HMag)
		if target == 0 || target == 1 {
			u, w := x, Real{DD{wNeg, 0}, 0}
			if target == 1 {
				u, w = -x, Real{DD{wPos, 0}, 0}
			}
			hard := At64(u, gamma)
			same := func(want, got, mag Real) {
				diff := want.mul(w).add(got.negate()).Float64()
				assert.LessOrEqual(t, math.Abs(diff), 0x1p-88*math.Abs(mag.Float64()), "x=%v t=%v gamma=%v", x, target, gamma)
			}
			same(hard.Loss, b.Loss, b.Loss)
			if target == 1 {
				hard.Grad = hard.Grad.negate()
			}
			same(hard.Grad, b.Grad, b.GMag)
			same(hard.Hess, b.Hess, b.HMag)
		}
	})
}

// The derivatives are those of the loss, and of the gradient.
func TestSoftDerivatives(t *testing.T) {
	const h = 0x1p-24
	softCases(func(x, target, gamma float64) {
		x = float64(float32(x)) // x±h are exact
		at := func(x float64) Soft64 { return Soft64At(x, target, gamma, realOf(0.25), realOf(0.75)) }
		low, mid, high := at(x-h), at(x), at(x+h)
		slope := func(a, b Real) float64 { return b.add(a.negate()).Float64() / (2 * h) }
		// The next term of the difference is h²/6 times the third derivative.
		assert.InDelta(t, mid.Grad.Float64(), slope(low.Loss, high.Loss), 1e-11*(1+mid.GMag.Float64()), "x=%v t=%v gamma=%v", x, target, gamma)
		assert.InDelta(t, mid.Hess.Float64(), slope(low.Grad, high.Grad), 1e-11*(1+mid.HMag.Float64()), "x=%v t=%v gamma=%v", x, target, gamma)
	})
}
