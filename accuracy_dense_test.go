package focal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gofocal/focal/internal/oracle"
	"github.com/stretchr/testify/require"
)

// The results of soft targets against the exact values.

// accuracyTargets are targets that are the same for every logit; below 0, a mixture.
var accuracyTargets = []float64{-1, 0.5, 0.1, 1e-6, 1 - 1e-6, 9e-8, 0x1p-14, 0.5 - 0x1p-25, 0.4999, 0.75}

// softSample evaluates every output for soft targets.
type softSample[T Float] struct {
	target []T
	out    Out[T]
}

func (s *softSample[T]) eval(t *testing.T, rng *rand.Rand, x []T, target float64, p Params) {
	s.target = mixedTargets[T](rng, len(x))
	if target >= 0 {
		for i := range s.target {
			s.target[i] = T(target)
		}
	}
	s.out = Out[T]{make([]T, len(x)), make([]T, len(x)), make([]T, len(x))}
	_, err := Fused(s.out, x, Dense(s.target), p)
	require.NoError(t, err)
}

func forSoft(t *testing.T, f func(t *testing.T, target float64, p Params, rng *rand.Rand)) {
	for _, gamma := range append([]float64{0.1, 10, 100}, accuracyGammas...) {
		for _, p := range append(accuracyParams(gamma)[:2], Params{Gamma: gamma, Alpha: 0.25, Norm: 1}) {
			t.Run(fmt.Sprintf("gamma=%v/alpha=%v/norm=%v", p.Gamma, p.Alpha, p.Norm), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(17, 18))
				for _, target := range accuracyTargets {
					t.Run(fmt.Sprintf("t=%v", target), func(t *testing.T) { f(t, target, p, rng) })
				}
			})
		}
	}
}

func TestAccuracySoftFloat32(t *testing.T) {
	forSoft(t, func(t *testing.T, target float64, p Params, rng *rand.Rand) {
		var e errors3
		var got softSample[float32]
		w := weights(p)
		sweep32(65537, func(x []float32) {
			got.eval(t, rng, x, target, p)
			for i, v := range x {
				if v-v != 0 {
					continue
				}
				exact := oracle.Soft32At(float64(v), float64(got.target[i]), p.Gamma, w[1]/p.Norm, w[0]/p.Norm)
				if math.Abs(float64(v)) <= oracle.MaxSoftLogit {
					e.loss.Add(oracle.Err32(got.out.Loss[i], exact.Loss, exact.Loss), float64(v), float64(got.out.Loss[i]), exact.Loss)
				}
				e.grad.Add(oracle.Err32(got.out.Grad[i], exact.Grad, exact.GMag), float64(v), float64(got.out.Grad[i]), exact.Grad)
				e.hess.Add(oracle.Err32(got.out.Hess[i], exact.Hess, exact.HMag), float64(v), float64(got.out.Hess[i]), exact.Hess)
			}
		})
		e.checkBounds(t, oracle.PromisedSoft(p.Gamma, p.Norm != 1))
	})
}

func TestAccuracySoftFloat64(t *testing.T) {
	n := 4000
	if testing.Short() {
		n /= 8
	}
	forSoft(t, func(t *testing.T, target float64, p Params, rng *rand.Rand) {
		x := make([]float64, n)
		for i := range x {
			switch rng.IntN(4) {
			case 0:
				x[i] = math.Copysign(math.Exp2(-60+70*rng.Float64()), rng.Float64()-0.5)
			case 1:
				x[i] = 700 * rng.NormFloat64()
			default:
				x[i] = 8 * rng.NormFloat64()
			}
		}
		var e errors3
		var got softSample[float64]
		got.eval(t, rng, x, target, p)
		w := weights(p)
		wPos, wNeg := oracle.RealOf(w[1], p.Norm), oracle.RealOf(w[0], p.Norm)
		for i, v := range x {
			exact := oracle.Soft64At(v, got.target[i], p.Gamma, wPos, wNeg)
			e.loss.Add(oracle.Err64(got.out.Loss[i], exact.Loss, exact.Loss), v, got.out.Loss[i], exact.Loss.Float64())
			e.grad.Add(oracle.Err64(got.out.Grad[i], exact.Grad, exact.GMag), v, got.out.Grad[i], exact.Grad.Float64())
			e.hess.Add(oracle.Err64(got.out.Hess[i], exact.Hess, exact.HMag), v, got.out.Hess[i], exact.Hess.Float64())
		}
		e.checkBounds(t, oracle.PromisedSoft(p.Gamma, p.Norm != 1))
	})
}

// Where γ is large, it is the error of log m alone that counts. These are the worst that a search has found.
func TestLargeGammaSoft(t *testing.T) {
	for _, c := range []struct {
		gamma     float64
		x, target float32
		weight    float32
	}{
		{40, 2.6922052, 0.114614725, 0.7902345}, {45, 2.7498586, 0.11426575, 0.5153552}, {60, 2.6922052, 0.114629015, 0.5488653},
		{150, 2.6922052, 0.114629015, 0.63602185}, {300, 2.6922052, 0.114629015, 0.9911409}, {300, 2.6922052, 0.114629015, 0.8486096},
		{500, 2.6922052, 0.114629015, 0.9100713},
	} {
		pl := newPlan[float32](Params{Gamma: c.gamma, Alpha: NoAlpha})
		pl.WPos, pl.WNeg = c.weight, c.weight
		var loss, grad, hess float32
		softBlock(&block[float32]{X: &c.x, Target: &c.target, N: 1, Loss: &loss, Grad: &grad, Hess: &hess, Plan: pl})
		var e errors3
		exact := oracle.Soft32At(float64(c.x), float64(c.target), c.gamma, float64(c.weight), float64(c.weight))
		e.loss.Add(oracle.Err32(loss, exact.Loss, exact.Loss), float64(c.x), float64(loss), exact.Loss)
		e.grad.Add(oracle.Err32(grad, exact.Grad, exact.GMag), float64(c.x), float64(grad), exact.Grad)
		e.hess.Add(oracle.Err32(hess, exact.Hess, exact.HMag), float64(c.x), float64(hess), exact.Hess)
		e.checkBounds(t, oracle.PromisedSoft(c.gamma, false))
		require.Greater(t, max(e.loss.Worst, e.grad.Worst, e.hess.Worst), 0.5*c.gamma) // so much it is
	}
}
