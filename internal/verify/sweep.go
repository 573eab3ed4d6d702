package verify

import (
	"context"
	"errors"
	"iter"
	"math"
	"math/rand/v2"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/coef"
)

// Patterns is how many bit patterns a float32 has.
const Patterns = 1 << 32

// A Sweep32 goes through the bit patterns From, From+Step, … below To, each as the logit of a negative, and with the
// other sign as that of a positive.
type Sweep32 struct {
	From, To, Step uint64 // To: 0 is Patterns, Step: 0 is 1
	Params         focal.Params
	Target         *float64 // of each element; of that with the other sign it is 1 less this one. Nil: labels
}

// Float32 compares all paths with the reference, and the reference with the exact values, over float32 logits.
//
// With Step 1 these are all that there are: some forty minutes of one core for each exponent, or ten with Options.Sparse. A
// step that is odd lets the low bits vary. If ctx ends, the report is of the part that was done, and the error that of ctx.
func Float32(ctx context.Context, s Sweep32, o Options) (*Report, error) {
	step, to := max(s.Step, 1), s.To
	if to == 0 {
		to = Patterns
	}
	if s.From > to || to > Patterns {
		return nil, errors.New("verify: a sweep of patterns that are none")
	}
	total := (to - s.From + step - 1) / step
	return run(ctx, o, s.Params, s.Target != nil, (total+chunkLen-1)/chunkLen, total, func(i uint64, u, t []float32) ([]float32, []float32) {
		for k := i * chunkLen; k < min((i+1)*chunkLen, total); k++ {
			u = append(u, math.Float32frombits(uint32(s.From+k*step)))
		}
		return u, repeated(t, s.Target, len(u))
	})
}

// repeated returns a target for each of n logits, or none.
func repeated[T focal.Float](t []T, target *float64, n int) []T {
	for target != nil && len(t) < n {
		t = append(t, T(*target))
	}
	return t
}

// A Sweep64 draws float64 logits at random: log-uniform ones in both tails, and others near all the places where a
// kernel takes another turn.
type Sweep64 struct {
	Points uint64
	Seed   uint64
	Params focal.Params
	Target *float64 // as of Sweep32
}

// Float64 does for float64 logits what Float32 does for float32, where nobody can go through all: ten million take a
// minute or so.
func Float64(ctx context.Context, s Sweep64, o Options) (*Report, error) {
	breaks := breakpoints(s.Params.Gamma)
	return run(ctx, o, s.Params, s.Target != nil, (s.Points+chunkLen-1)/chunkLen, s.Points, func(i uint64, u, t []float64) ([]float64, []float64) {
		u = s.chunk(i, breaks, u)
		return u, repeated(t, s.Target, len(u))
	})
}

// chunk appends the logits of chunk i.
func (s *Sweep64) chunk(i uint64, breaks, u []float64) []float64 {
	rng := rand.New(rand.NewPCG(s.Seed, i))
	for range min(chunkLen, s.Points-i*chunkLen) {
		u = append(u, draw(rng, breaks, s.Params.Gamma))
	}
	return u
}

// Points evaluates all paths at some logits as u, and with soft targets unless target is nil.
func Points[T focal.Float](ctx context.Context, u, target []T, p focal.Params, o Options) (*Report, error) {
	if target != nil && len(target) != len(u) {
		return nil, errors.New("verify: another number of targets than of logits")
	}
	n := uint64(len(u))
	return run(ctx, o, p, target != nil, (n+chunkLen-1)/chunkLen, n, func(i uint64, us, ts []T) ([]T, []T) {
		from, to := i*chunkLen, min((i+1)*chunkLen, n)
		us = append(us, u[from:to]...)
		if target != nil {
			ts = append(ts, target[from:to]...)
		}
		return us, ts
	})
}

// Logits returns the logits that Float64 evaluates.
func (s *Sweep64) Logits() iter.Seq[float64] {
	return func(yield func(float64) bool) {
		breaks := breakpoints(s.Params.Gamma)
		for i := uint64(0); i*chunkLen < s.Points; i++ {
			for _, u := range s.chunk(i, breaks, nil) {
				if !yield(u) {
					return
				}
			}
		}
	}
}

// draw returns a finite logit.
func draw(rng *rand.Rand, breaks []float64, gamma float64) float64 {
	sign := float64(1 - 2*rng.IntN(2))
	switch rng.IntN(8) {
	case 0: // any magnitude
		return sign * math.Ldexp(1+rng.Float64(), rng.IntN(2046)-1022)
	case 1, 2: // log-uniform where the arithmetic happens
		return sign * math.Exp2(-60+70*rng.Float64())
	case 3, 4: // around a breakpoint, from the next float on
		b := breaks[rng.IntN(len(breaks))]
		bits := int64(math.Float64bits(b)) + int64(sign*math.Exp2(44*rng.Float64()))
		return float64(1-2*rng.IntN(2)) * math.Float64frombits(uint64(bits))
	case 5: // where results become subnormal, and 0
		return -(700 + 60*rng.Float64()) / (1 + gamma)
	}
	return sign * 40 * rng.Float64()
}

// breakpoints returns the magnitudes where the kernels take another entry of a table, and where ranges end.
func breakpoints(gamma float64) (b []float64) {
	layout := coef.Layout64
	nodes := float64(int(1) << layout.NodeBits)
	for k := 1; k < 120; k++ { // between two nodes
		b = append(b, float64(k)*math.Ln2/(2*nodes))
	}
	for k := 120; float64(k)*math.Ln2/(2*nodes) < layout.FarLogit; k += 7 {
		b = append(b, float64(k)*math.Ln2/(2*nodes))
	}
	for i := range coef.RecipScale {
		b = append(b, -math.Log((float64(i)+0.5)/coef.RecipScale))
	}
	least := float64(layout.Bias()+layout.Shift) * math.Ln2 // below exp(-least), s^γ is 0
	for _, limit := range []float64{layout.NearLogit, layout.FarLogit, layout.MaxSoftplus, least} {
		b = append(b, limit, limit/(1+gamma))
		if gamma > 0 {
			b = append(b, limit/gamma)
		}
	}
	for e := -60; e <= 10; e++ {
		b = append(b, math.Ldexp(1, e))
	}
	return b
}
