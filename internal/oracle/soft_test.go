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
		for q := Loss; q <= Frozen; q++ {
			near(a.Value[q], b.Value[q].Float64(), a.Mag[q])
			near(a.Mag[q], b.Mag[q].Float64(), a.Mag[q])
		}
		if target == 0 || target == 1 {
			u, w, sign := x, realOf(wNeg), realOf(1)
			if target == 1 {
				u, w, sign = -x, realOf(wPos), realOf(-1)
			}
			hard := At64(u, gamma)
			for q := Loss; q <= Frozen; q++ {
				want := hard.Value[q].mul(w)
				if q == Grad || q == Frozen {
					want = want.mul(sign)
				}
				diff := want.add(b.Value[q].negate()).Float64()
				assert.LessOrEqual(t, math.Abs(diff), 0x1p-88*b.Mag[q].Float64(), "%v: x=%v t=%v gamma=%v", q, x, target, gamma)
			}
		}
	})
}

// The derivatives are those of the loss, and of the gradient.
func TestSoftDerivatives(t *testing.T) {
	const h = 0x1p-24
	softCases(func(x, target, gamma float64) {
		x = float64(float32(x)) // x±h are exact
		at := func(x float64) Values64 { return Soft64At(x, target, gamma, realOf(0.25), realOf(0.75)) }
		low, mid, high := at(x-h), at(x), at(x+h)
		slope := func(a, b Real) float64 { return b.add(a.negate()).Float64() / (2 * h) }
		// The next term of the difference is h²/6 times the third derivative.
		for q := Loss; q < Hess; q++ {
			assert.InDelta(t, mid.Value[q+1].Float64(), slope(low.Value[q], high.Value[q]), 1e-11*(1+mid.Mag[q+1].Float64()),
				"%v: x=%v t=%v gamma=%v", q+1, x, target, gamma)
		}
		// With the modulating factor divided out, the frozen derivatives are those of cross-entropy.
		plain := Soft64At(x, target, 0, realOf(0.25), realOf(0.75))
		for q := Curv; q <= Frozen; q++ {
			factor := mid.Value[Loss].mul(plain.Value[Loss].inverse())
			diff := plain.Value[q].mul(factor).add(mid.Value[q].negate()).Float64()
			assert.LessOrEqual(t, math.Abs(diff), 0x1p-85*mid.Mag[q].Float64(), "%v: x=%v t=%v gamma=%v", q, x, target, gamma)
			want := plain.Value[[...]Quantity{Curv: Hess, Frozen: Grad}[q]]
			assert.LessOrEqual(t, math.Abs(plain.Value[q].add(want.negate()).Float64()), 0x1p-90*plain.Mag[q].Float64())
		}
	})
}
