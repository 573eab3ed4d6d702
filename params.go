package focal

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"github.com/gofocal/focal/internal/abi"
)

// Float is the type of an element. It is float32 or float64 itself, not a type derived from them.
type Float interface{ float32 | float64 }

// NoAlpha, as [Params].Alpha, leaves positives and negatives unweighted: both weights are 1.
const NoAlpha = -1

// Params are the parameters of the loss. Start from [Default] and change what differs:
//
//	p := focal.Default()
//	p.Norm = float64(y.Foreground())
//
// In Params{Gamma: 2} Alpha is 0, which gives positives no weight: such a loss trains nothing but negatives. The zero value is
// valid and is that loss at gamma 0.
type Params struct {
	// Gamma is the focusing exponent: how strongly elements that are classified well already are discounted.
	// It is finite and ≥ 0; 0 is the weighted cross-entropy. Above 2^32 (float64 logits: 2^113) it counts as that.
	Gamma float64

	// Alpha is the weight of the positives, in [0, 1]; 1-Alpha is that of the negatives. 0 gives positives no weight; NoAlpha
	// gives every element the weight 1. Elements whose weight is 0 have losses and derivatives of exactly 0, even if the logit
	// is ±Inf; NaN if it is NaN.
	Alpha float64

	// Norm is the divisor of all weights, Paddle's fg_num (see Target.Foreground): finite and ≥ 0. 0 counts as 1. Fractions
	// (a mean over replicas, a moving average) are taken as given. The weights are rounded to the type of the logits: one
	// above 2^30 in float32 or 2^260 in float64 is an error, and one too small for the type is 0.
	Norm float64

	// NegGamma, unless it is nil, is the exponent of the negatives, and Gamma that of the positives alone, as in the asymmetric
	// loss (Ridnik et al. 2021, arXiv:2009.14119). It has the range of Gamma. Targets that are soft or have scores are
	// ErrTarget then, unless the two are equal.
	NegGamma *float64

	// Frozen makes the derivatives take the modulating factor for a constant, as detectors of the DETR family do. With the
	// factor m^gamma and the weight a, the gradient is a·m^gamma·(p-t) and the second derivative a·m^gamma·p·(1-p) ≥ 0. The
	// losses are the same.
	Frozen bool

	// Workers is how many goroutines share the work: 0 or 1 is the caller's alone, which allocates nothing; n > 1 is up
	// to n, the caller's among them; and if it is negative, up to runtime.GOMAXPROCS. The result does not depend on it.
	Workers int
}

// Default returns the parameters of the paper and of Paddle: gamma 2, alpha 0.25; unnormalised, one worker.
func Default() Params {
	return Params{Gamma: 2, Alpha: 0.25, Norm: 1, Workers: 1}
}

// parameters are what a call's Params come to. They are worked out once.
type parameters[T Float] struct {
	side[T]           // of positives and negatives, or of negatives
	posSide   side[T] // of positives, if they have another gamma
	pos, neg  T       // weights
	one       T       // 1/norm, the weight of a positive with a score, if there are scores
	norm      float64 // not 0
	gamma     float64 // as in Params
	twoGammas bool    // posSide is the positives'
	frozen    bool    // the modulating factor counts as a constant
	workers   int     // as in Params
}

// side is what gamma comes to.
type side[T Float] struct {
	plan       plan[T]    // what the kernels are told
	family     abi.Family // of the kernels for labels and for targets of 0 and 1
	softFamily abi.Family // of those for other targets
}

// set works out what it is for a gamma.
func (s *side[T]) set(gamma float64) {
	if gamma == 2 { // the usual one, for which this is half the time of a small call's parameters
		s.plan = *planOfTwo[T]()
		s.family, s.softFamily = abi.Square, abi.SoftSquare
		return
	}
	setPlan(&s.plan, gamma)
	s.family, s.softFamily = abi.Power, abi.SoftPower
	if gamma == 0 {
		s.family = abi.Zero
	}
}

var planOfTwo32, planOfTwo64 = newPlan[float32](2), newPlan[float64](2)

func planOfTwo[T Float]() *plan[T] {
	if isFloat32[T]() {
		return (*plan[T])(unsafe.Pointer(&planOfTwo32))
	}
	return (*plan[T])(unsafe.Pointer(&planOfTwo64))
}

// positives returns the side of the positives.
func (c *parameters[T]) positives() *side[T] {
	if c.twoGammas {
		return &c.posSide
	}
	return &c.side
}

// set works them out for a target; it returns the first error in p.
func (c *parameters[T]) set(op string, p *Params, y *Target) error {
	if err := p.check(op); err != nil {
		return err
	}
	c.norm, c.gamma, c.frozen, c.workers = p.norm(), p.Gamma, p.Frozen, p.Workers
	c.pos, c.neg = classWeights[T](p.Alpha, c.norm)
	c.side.set(p.Gamma)
	if p.NegGamma != nil || y.score.given() {
		if err := c.setSides(op, p, y); err != nil {
			return err
		}
	}
	if limit := constantsOf[T]().MaxWeight; float64(c.pos) > limit || float64(c.neg) > limit || float64(c.one) > limit {
		return fmt.Errorf("focal: %s: Norm = %v makes a weight larger than 2^%d, want a larger Norm: %w", op, p.Norm, math.Ilogb(limit), ErrParam)
	}
	return nil
}

// setSides works out what another gamma or scores change.
func (c *parameters[T]) setSides(op string, p *Params, y *Target) error {
	c.twoGammas = p.NegGamma != nil && *p.NegGamma != p.Gamma
	switch {
	case c.twoGammas && y.score.given():
		return fmt.Errorf("focal: %s: Scored: NegGamma differs from Gamma, want it nil: %w", op, ErrTarget)
	case c.twoGammas:
		c.posSide = c.side
		c.side.set(*p.NegGamma)
	case y.score.given():
		c.one = T(1 / c.norm)
		if y.quality == QualityFocal {
			c.pos, c.neg = c.one, c.one
			break
		}
		c.posSide.set(0)
		c.twoGammas = true // positives have no modulating factor
	}
	return nil
}

// A plan is what the kernels are told of gamma.
type plan[T Float] = abi.Plan[T]

const ln2Lo = 0x1.abc9e3b39803fp-56 // ln2 - math.Ln2

// newPlan returns the plan for a gamma.
func newPlan[T Float](gamma float64) (pl plan[T]) {
	setPlan(&pl, gamma)
	return pl
}

// setPlan sets what depends on gamma alone.
func setPlan[T Float](pl *plan[T], gamma float64) {
	c := constantsOf[T]()
	g := min(math.Abs(gamma), c.MaxGamma) // gamma may be -0
	pl.Gamma = T(g)
	pl.GammaLn2 = T(g * math.Ln2)
	pl.GammaLn2Lo = T(math.FMA(g, math.Ln2, -float64(pl.GammaLn2)) + float64(g*ln2Lo))
	pl.GammaMinus1 = T(g - 1)
	pl.GammaSquareLn2 = T(g * g * math.Ln2)
	pl.HessOne = fma(2, pl.Gamma, 1)
	// As the exponent of s, γ needs more bits than its type has. PowHi has so few that its product with a multiple of 1/N is exact.
	pl.PowHi = fromBits[T](toBits(pl.Gamma) &^ (1<<((c.MantissaBits+1)/2) - 1))
	pl.PowLo = T(g - float64(pl.PowHi))
	pl.PowHiDown = T(pl.PowHi * c.down)
	// A large γ makes the bracket large where s^γ is below the normal range, a small one the bracket small where s^γ is not.
	pl.HessPow, pl.HessBracket = c.down, 1
	if g > 4 {
		pl.HessPow, pl.HessBracket = c.halfDown, c.halfDown
	}
}

// check returns an error unless all parameters are in their ranges. NaN is in none.
func (p *Params) check(op string) error {
	switch {
	case !(p.Gamma >= 0 && p.Gamma <= math.MaxFloat64):
		return fmt.Errorf("focal: %s: Gamma = %v, want it finite and ≥ 0: %w", op, p.Gamma, ErrParam)
	case p.NegGamma != nil && !(*p.NegGamma >= 0 && *p.NegGamma <= math.MaxFloat64):
		return fmt.Errorf("focal: %s: NegGamma = %v, want it finite and ≥ 0, or nil: %w", op, *p.NegGamma, ErrParam)
	case !(p.Alpha >= 0 && p.Alpha <= 1) && p.Alpha != NoAlpha:
		return fmt.Errorf("focal: %s: Alpha = %v, want it in [0, 1], or NoAlpha: %w", op, p.Alpha, ErrParam)
	case p.Norm == -1:
		return fmt.Errorf("focal: %s: Norm = -1, want it finite and ≥ 0 (-1 is what Foreground returns without Classes): %w", op, ErrParam)
	case !(p.Norm >= 0 && p.Norm <= math.MaxFloat64):
		return fmt.Errorf("focal: %s: Norm = %v, want it finite and ≥ 0: %w", op, p.Norm, ErrParam)
	}
	return nil
}

// norm returns the divisor.
func (p *Params) norm() float64 {
	if p.Norm == 0 {
		return 1
	}
	return p.Norm
}

// classWeights returns the weights of positives and of negatives, rounded to T. They may be +Inf if norm is tiny.
func classWeights[T Float](alpha, norm float64) (pos, neg T) {
	if alpha == NoAlpha {
		w := T(1 / norm)
		return w, w
	}
	rest := 1 - alpha
	low := (1 - rest) - alpha
	if norm == 1 { // divisions take long beside a small call
		return T(alpha), T(rest + low)
	}
	return T(alpha / norm), T(quotient(rest, low, norm))
}

// quotient returns (a + low)/n for a low beside which a is large, rounded about once.
func quotient(a, low, n float64) float64 {
	q := a / n
	if !(q > 0x1p-900 && q < 0x1p900 && n > 0x1p-900 && n < 0x1p900) {
		return q // the remainder might underflow or overflow
	}
	return q + (math.FMA(-q, n, a)+low)/n
}

// goroutines returns how many goroutines share the given number of units of work, at least one.
func goroutines(workers, units int) int {
	if workers < 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	return max(1, min(workers, units))
}
