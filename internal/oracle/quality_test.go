package oracle

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The derivatives are those of the loss, and the loss is what its definition says.
func TestQualityDerivatives(t *testing.T) {
	const h = 0x1p-24
	rng := rand.New(rand.NewPCG(1, 2))
	for _, beta := range []float64{0, 0.5, 1, 1.5, 2, 2.3, 5} {
		for range 200 {
			x, target := float64(float32(6*rng.NormFloat64())), rng.Float64() // x±h are exact
			p := 1 / (1 + math.Exp(-x))
			if math.Abs(p-target) < 0.01 {
				continue // the difference quotients see a kink
			}
			at := func(x float64) Values64 { return qualityAt(x, target, beta, realOf(0.75)) }
			low, mid, high := at(x-h), at(x), at(x+h)
			for q := Loss; q < Hess; q++ {
				slope := high.Value[q].add(low.Value[q].negate()).Float64() / (2 * h)
				assert.InDelta(t, slope, mid.Value[q+1].Float64(), 1e-9*(1+mid.Mag[q+1].Float64()), "%v: x=%v t=%v β=%v", q+1, x, target, beta)
			}
			E := target*math.Log1p(math.Exp(-x)) + (1-target)*math.Log1p(math.Exp(x))
			factor := 0.75 * math.Pow(math.Abs(p-target), beta)
			assert.InEpsilon(t, factor*E, mid.Value[Loss].Float64(), 1e-11)
			assert.InEpsilon(t, factor*p/(1+math.Exp(x)), mid.Value[Curv].Float64(), 1e-9)
			assert.InEpsilon(t, factor*(p-target), mid.Value[Frozen].Float64(), 1e-11)
		}
	}
}

// Where p and t are as near as they can be, d is still right.
func TestQualityCancellation(t *testing.T) {
	for _, x := range []float64{-3.5, 0.25, 2, 20} {
		exact := sigmoidBig(x)
		target, _ := exact.Float64()
		d := new(big.Float).Sub(exact, new(big.Float).SetFloat64(target))
		want, _ := d.Float64()
		assert.InEpsilon(t, want, qualityAt(x, target, 2, realOf(1)).Value[Frozen].Float64()/(want*want), 1e-9, "x=%v", x)
	}
}

// sigmoidBig is 1/(1+exp(-x)) to 300 bits, by the series of exp(-x/2^40) squared 40 times.
func sigmoidBig(x float64) *big.Float {
	const prec, halvings = 400, 40
	number := func(v float64) *big.Float { return new(big.Float).SetPrec(prec).SetFloat64(v) }
	y := number(-math.Ldexp(x, -halvings))
	exp, term := number(1), number(1)
	for n := 1.0; n < 30; n++ {
		term.Quo(term.Mul(term, y), number(n))
		exp.Add(exp, term)
	}
	for range halvings {
		exp.Mul(exp, exp)
	}
	return exp.Quo(number(1), exp.Add(exp, number(1)))
}
