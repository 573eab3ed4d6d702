package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"unsafe"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/coef"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/oracle"
)

// A Climb is a directed search for errors above their bounds, over logits, targets, gamma, alpha and norm together: from
// the worst that are known, and then from many random starts, it moves to what is worse nearby.
type Climb struct {
	Soft     bool       // targets in (0, 1) instead of labels
	Gamma    [2]float64 // least and most
	Seed     uint64
	Attempts int // batches of points to evaluate; 0: until the context's deadline
}

// Climbs are the regions with kernels and bounds of their own.
var Climbs = []Climb{
	{Gamma: [2]float64{0, 5}}, {Gamma: [2]float64{2, 2}}, {Gamma: [2]float64{5, 150}},
	{Gamma: [2]float64{0, 5}, Soft: true}, {Gamma: [2]float64{2, 2}, Soft: true}, {Gamma: [2]float64{5, 150}, Soft: true},
}

// includes reports whether a climb may come to a summit.
func (c *Climb) includes(k known) bool {
	return k.soft() == c.Soft && k.gamma >= c.Gamma[0] && k.gamma <= c.Gamma[1]
}

// A Summit is the largest error of a quantity that was found, relative to its bound.
type Summit struct {
	Err, Bound float64
	X, Target  float64 // a target of 0 or 1 is that of a label
	Params     focal.Params
}

func (s Summit) String() string {
	return fmt.Sprintf("%.3f ULP of %.3f at x = %v (%x), t = %v (%x), γ = %v, α = %v, n = %v", s.Err, s.Bound, s.X, s.X, s.Target, s.Target,
		s.Params.Gamma, s.Params.Alpha, s.Params.Norm)
}

const (
	climbBatch    = 32  // points with the same parameters
	climbStarts   = 40  // batches anywhere, of which the worst point is where a climb begins
	climbPatience = 150 // batches without anything worse, after which it ends
)

// Summits climbs on the reference, and returns the worst of each quantity. What is not measured has a bound of 0.
func Summits[T focal.Float](ctx context.Context, c Climb) (worst [oracle.Quantities]Summit, err error) {
	defer control.SetPath(Reference)()
	s := climber[T]{Climb: c, rng: rand.New(rand.NewPCG(c.Seed, 16)), worst: &worst, got: newResults[T](climbBatch)}
	s.x, s.t, s.label = make([]T, climbBatch), make([]T, climbBatch), make([]int32, climbBatch)
	var measured []oracle.Quantity
	for _, call := range calls[T]() {
		if call.first && !(c.Soft && call.unlabelled) {
			s.calls = append(s.calls, call)
			measured = append(measured, call.of...)
		}
	}
	for _, k := range knownOf[T]() {
		if !c.includes(k) {
			continue
		}
		for i := range s.x {
			s.x[i], s.t[i] = T(k.x), T(k.t)
			if i > 0 {
				s.x[i], s.t[i] = s.nearPoint(s.x[i], s.t[i])
			}
		}
		if _, err := s.eval(k.params(), k.of); err != nil {
			return worst, err
		}
	}
	starts := worst
	for attempts, climbs := 0, 0; ; climbs++ {
		of, i := measured[s.rng.IntN(len(measured))], 0
		var at Summit
		if climbs < len(measured) && starts[measured[climbs]].Bound > 0 {
			of, i = measured[climbs], climbStarts
			at = starts[of]
		}
		for fruitless := 0; fruitless < climbPatience; i++ {
			if e := ctx.Err(); e != nil {
				if errors.Is(e, context.DeadlineExceeded) && c.Attempts == 0 {
					return worst, nil
				}
				return worst, e
			}
			if attempts++; c.Attempts > 0 && attempts > c.Attempts {
				return worst, nil
			}
			p := s.params()
			if i >= climbStarts {
				p = s.nearParams(at.Params)
			}
			for k := range s.x {
				s.x[k], s.t[k] = s.point()
				if i >= climbStarts {
					s.x[k], s.t[k] = s.nearPoint(T(at.X), T(at.Target))
				}
			}
			found, err := s.eval(p, of)
			if err != nil {
				return worst, err
			}
			switch {
			case i < climbStarts:
			case found.Err*at.Bound > at.Err*found.Bound:
				fruitless = 0
			default:
				fruitless++
			}
			if found.Err*at.Bound >= at.Err*found.Bound {
				at = found
			}
		}
	}
}

// climber is the state of Summits.
type climber[T focal.Float] struct {
	Climb
	rng   *rand.Rand
	x, t  []T
	label []int32
	calls []call[T]
	got   results[T]
	worst *[oracle.Quantities]Summit
}

// eval evaluates the batch and returns the worst point of a quantity.
func (s *climber[T]) eval(p focal.Params, of oracle.Quantity) (found Summit, err error) {
	y := focal.Dense(s.t)
	if !s.Soft {
		for i, t := range s.t {
			s.label[i] = int32(t)
		}
		y = focal.Labels(s.label)
	}
	for _, call := range s.calls {
		if err := call.run(&s.got, s.x, y, p); err != nil {
			return found, err
		}
	}
	bounds := bounds(p, s.Soft)
	found.Bound = 1
	var exact, plain oracle.Exact[T]
	for i, x := range s.x {
		u, label, num, den := x, int(s.label[i]), 1.0, 1.0
		if s.Soft {
			exact = oracle.SoftAt(x, s.t[i], p.Gamma, weight(p, 1), weight(p, 0), p.Norm)
		} else {
			if label == 1 {
				u = -x
			}
			exact, num, den = oracle.At(u, p.Gamma), weight(p, label), p.Norm
		}
		for _, call := range s.calls {
			at := &exact
			if call.unlabelled {
				if at = &plain; u == x {
					plain = exact
				} else {
					plain = oracle.At(x, 0)
				}
			}
			for _, q := range call.of {
				got := s.got[q][i]
				if !s.Soft && !call.unlabelled {
					got = signed(q, label, got)
				}
				err, _ := at.Err(q, got, num, den)
				summit := Summit{err, bounds[q], float64(x), float64(s.t[i]), p}
				if q == of && !(err*found.Bound <= found.Err*summit.Bound) {
					found = summit
				}
				if w := &s.worst[q]; w.Bound == 0 || !(err*w.Bound <= w.Err*summit.Bound) {
					*w = summit
				}
			}
		}
	}
	return found, nil
}

func (s *climber[T]) single() bool { return unsafe.Sizeof(T(0)) == 4 }

// params draws parameters. The weights are mostly around 1, and at most the largest ones.
func (s *climber[T]) params() focal.Params {
	p := focal.Params{Gamma: s.Gamma[0] + (s.Gamma[1]-s.Gamma[0])*s.rng.Float64(), Alpha: focal.NoAlpha, Norm: 1 + s.rng.Float64()}
	switch s.rng.IntN(4) {
	case 0, 1:
		p.Alpha = s.rng.Float64()
	case 2: // one weight is much larger than the other
		p.Alpha = math.Exp2(-40 * s.rng.Float64())
		if s.rng.IntN(2) == 0 {
			p.Alpha = 1 - p.Alpha
		}
	}
	if s.rng.IntN(4) == 0 {
		p.Norm = s.leastNorm() * math.Exp2(100*s.rng.Float64())
	}
	return p
}

// leastNorm returns the smallest norm for which every weight is allowed.
func (s *climber[T]) leastNorm() float64 {
	if s.single() {
		return 1 / coef.Layout32.MaxWeight
	}
	return 1 / coef.Layout64.MaxWeight
}

func (s *climber[T]) nearParams(p focal.Params) focal.Params {
	near := func(v float64) float64 { return v * (1 + s.rng.NormFloat64()*math.Exp2(-50*s.rng.Float64())) }
	switch s.rng.IntN(4) {
	case 0:
		p.Gamma = min(max(near(p.Gamma), s.Gamma[0]), s.Gamma[1])
	case 1:
		if norm := near(p.Norm); norm >= s.leastNorm() {
			p.Norm = norm
		}
	case 2:
		if alpha := near(p.Alpha); alpha > 0 && alpha < 1 {
			p.Alpha = alpha
		}
	}
	return p
}

// point draws a logit where the arithmetic happens, mostly, and a target.
func (s *climber[T]) point() (x, t T) {
	switch s.rng.IntN(8) {
	case 0:
		x = T(math.Exp2(-30 + 37*s.rng.Float64()))
	case 1:
		x = T(100 * s.rng.Float64())
		if !s.single() {
			x *= 7
		}
	default:
		x = T(20 * s.rng.Float64())
	}
	if s.rng.IntN(2) == 0 {
		x = -x
	}
	if !s.Soft {
		return x, T(s.rng.IntN(2))
	}
	bits := 24.0
	if !s.single() {
		bits = 53
	}
	switch s.rng.IntN(5) {
	case 0:
		t = T(math.Exp2(-2 * bits * s.rng.Float64()))
	case 1:
		t = 1 - T(math.Exp2(-bits*s.rng.Float64()))
	case 2:
		t = 0.5 + T(s.rng.NormFloat64()*math.Exp2(-bits*s.rng.Float64()))
	default:
		t = T(s.rng.Float64())
	}
	if !(t > 0 && t < 1) {
		t = 0.5
	}
	return x, t
}

// nearPoint moves one of them, or both, by some or many floats.
func (s *climber[T]) nearPoint(x, t T) (T, T) {
	move := func(v T) T {
		bits := 22.0
		if !s.single() {
			bits = 50
		}
		return neighbour(v, int(s.rng.NormFloat64()*math.Exp2(bits*s.rng.Float64())))
	}
	if !s.Soft || s.rng.IntN(3) > 0 {
		if v := move(x); v-v == 0 {
			x = v
		}
	}
	if s.Soft && s.rng.IntN(3) > 0 {
		if v := move(t); v > 0 && v < 1 {
			t = v
		}
	}
	return x, t
}
