// Package coef holds the constants of the kernels: the only place where they are written. The pure-Go reference reads
// them, and so does the generator of the assembly.
//
// The numbers are derived by gen (Sollya); see gen/coef.sollya for how, and kernel_generic.go for what each is for.
package coef

import "math"

// Table is the set of constants for one element type.
type Table[T float32 | float64] struct {
	Scale, ScaleLo T // 8/ln2 = Scale + ScaleLo

	Exp     [8]T // ≈ 2^(j/8), few bits
	ExpRest [8]T // 2^(j/8) = Exp[j]·2^(ExpRest[j]/8)
	Exp2m1  []T  // 2^(g/8) - 1 = g·(Exp2m1[0] + g·(Exp2m1[1] + …))

	Recip  [8]T // c[i] ≈ 1/(1+e), few bits
	Log    [8]T // -ln c
	Log8Hi [8]T // -8·log2 c = Log8Hi + Log8Lo, so short that k - Log8Hi is exact
	Log8Lo [8]T
	Log1p  []T // log1p(z)  = z + z²·(Log1p[0] + z·(Log1p[1] + …))
}

// ShortPolynomial is up to how many coefficients a polynomial is evaluated by Horner's rule. Longer ones are evaluated by
// even and odd powers apart, so that fewer operations wait for each other.
const ShortPolynomial = 4

// IndexScale times the short e picks the entry of Recip.
const IndexScale = 7

// Layout is what follows from the format of a floating-point number rather than from approximation theory.
type Layout struct {
	MantissaBits int

	// Clamp bounds |x| where exp(-|x|) may stop at the end of the normal range. Where it must fade into the subnormal
	// numbers and beyond, so far that a large multiple of it is still 0, it is kept scaled up by 2^TinyShift, and |x|
	// is bounded by ClampTiny.
	Clamp, ClampTiny float64
	TinyShift        int

	PowMin      float64 // least exponent of s^gamma, in eighths of an octave
	MaxGamma    float64 // a larger gamma counts as this one: gamma² times the largest factors is finite
	MaxWeight   float64 // with it, s^gamma scaled up and times factors of a derivative is finite
	MaxSoftplus float64 // bounds L where it is multiplied by q: beyond it, q is 0
}

var (
	Layout32 = Layout{MantissaBits: 23, Clamp: 87, ClampTiny: 131, TinyShift: 64, PowMin: -1512, MaxSoftplus: 128,
		MaxGamma: 0x1p32, MaxWeight: 0x1p48}
	Layout64 = Layout{MantissaBits: 52, Clamp: 708, ClampTiny: 796, TinyShift: 128, PowMin: -9192, MaxSoftplus: 1024,
		MaxGamma: 0x1p113, MaxWeight: 0x1p512}
)

// Magic returns the number that, added to a small one, rounds it to an integer, which then stands in the last bits of the sum.
// With MagicTiny what is scaled by these bits is scaled up by 2^TinyShift.
func (l *Layout) Magic() float64     { return math.Ldexp(1.5, l.MantissaBits) }
func (l *Layout) MagicTiny() float64 { return l.Magic() + float64(8*l.TinyShift) }

// Tiny and Huge return 2^-TinyShift and 2^TinyShift, Small and Large their square roots.
func (l *Layout) Tiny() float64  { return math.Ldexp(1, -l.TinyShift) }
func (l *Layout) Huge() float64  { return math.Ldexp(1, l.TinyShift) }
func (l *Layout) Small() float64 { return math.Ldexp(1, -l.TinyShift/2) }
func (l *Layout) Large() float64 { return math.Ldexp(1, l.TinyShift/2) }

// Fallen returns a number just above exp(-ClampTiny)·2^TinyShift.
func (l *Layout) Fallen() float64 {
	return math.Ldexp(1, int(math.Ceil(-l.ClampTiny/math.Ln2))+l.TinyShift)
}
