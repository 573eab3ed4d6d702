// Package coef holds the constants of the kernels: the only place where they are written. The pure-Go reference reads
// them, and so does the generator of the assembly.
//
// The numbers are derived by gen (Sollya); see gen/coef.sollya for how, and kernel_generic.go for what each is for.
package coef

import "math"

// Table is the set of constants for one element type.
type Table[T float32 | float64] struct {
	Log2E, Log2ELo T // log2(e) = Log2E + Log2ELo
	Ln2            T

	Node []T // j/N - log2(1 + j/N), for the N nodes 1 + j/N of an octave
	Exp  []T // 2^x - 1 = x·(Exp[0] + x·(Exp[1] + …)), for what is left of a multiple of 1/N
	Log  []T // log2(1+e) = e + (e - e²)·(Log[0] + e·(Log[1] + …)), for e in [0, 1]
	Pow  []T // 2^x - 1 = x·(Pow[0] + x·(Pow[1] + …)), for |x| ≤ 1/2

	Recip    [8]T // c[i] ≈ 1/(1+e), few bits, where i is the nearest integer to RecipScale·A
	LogRecip [8]T // -ln c
	Log1p    []T  // log1p(z) = z + z²·(Log1p[0] + z·(Log1p[1] + …))
}

// RecipScale times A, the short part of e, picks the entry of Recip.
const RecipScale = 7

// Layout is what follows from the format of a floating-point number rather than from approximation theory.
type Layout struct {
	MantissaBits int
	NodeBits     int // an octave has 2^NodeBits nodes

	// Where exp(-|u|) may be tiny it is kept scaled up by 2^Shift, and |u| is bounded by FarLogit: there w·exp(-|u|) is 0
	// for every weight. s^γ is scaled up by the same. Elsewhere |u| is bounded by NearLogit, the end of the normal range.
	Shift               int
	NearLogit, FarLogit float64

	MaxSoftplus float64 // bounds softplus where it is multiplied by σ(-u): above FarLogit
	MaxGamma    float64 // a larger gamma counts as this one: what it is multiplied with is finite
	MaxWeight   float64 // what it is multiplied with, soft targets' e/R·2^(Shift/2) above all, is exact enough where the product is not 0
}

var (
	Layout32 = Layout{MantissaBits: 23, NodeBits: 3, Shift: 76, NearLogit: 87, FarLogit: 140.05, MaxSoftplus: 256,
		MaxGamma: 0x1p32, MaxWeight: 0x1p30}
	Layout64 = Layout{MantissaBits: 52, NodeBits: 3, Shift: 550, NearLogit: 708, FarLogit: 1089.66, MaxSoftplus: 2048,
		MaxGamma: 0x1p113, MaxWeight: 0x1p260}
)

// Bias returns the exponent of 1 as it stands in the bits.
func (l *Layout) Bias() int {
	if l.MantissaBits == 23 {
		return 127
	}
	return 1023
}

// magic returns the number that, added to a small one, rounds it to a multiple of 2^-fraction, which then stands in the last
// bits of the sum, with so much added.
func (l *Layout) magic(fraction, more int) float64 {
	return math.Ldexp(1.5, l.MantissaBits-fraction) + float64(more)
}

// MagicExp rounds to nodes: its last bits, shifted to the exponent, are A. With MagicFar, A is scaled up by 2^Shift.
func (l *Layout) MagicExp() float64 { return l.magic(l.NodeBits, l.Bias()) }
func (l *Layout) MagicFar() float64 { return l.magic(l.NodeBits, l.Bias()+l.Shift) }

// MagicPow rounds to integers: its last bits, shifted to the exponent, are a power of two scaled up by 2^Shift. PowMin is
// MagicPow plus the exponent for which they are 0.
func (l *Layout) MagicPow() float64 { return l.magic(0, l.Bias()+l.Shift) }
func (l *Layout) PowMin() float64   { return l.magic(0, 0) }

// MagicIndex rounds RecipScale·A to an integer.
func (l *Layout) MagicIndex() float64 { return l.magic(0, 0) }

// MagicLog has the exponent for which the last bit is 1, and no other bits: an integer may be put there.
func (l *Layout) MagicLog() float64 { return math.Ldexp(1, l.MantissaBits) }

// Large bounds what is multiplied with s^γ in the Hessian: it is more than that only where s^γ is 0.
func (l *Layout) Large() float64 { return math.Ldexp(1, l.Bias()-1) }

// Up and Down return 2^Shift and 2^-Shift, HalfUp and HalfDown their square roots.
func (l *Layout) Up() float64   { return math.Ldexp(1, l.Shift) }
func (l *Layout) Down() float64 { return math.Ldexp(1, -l.Shift) }

func (l *Layout) HalfUp() float64   { return math.Ldexp(1, l.Shift/2) }
func (l *Layout) HalfDown() float64 { return math.Ldexp(1, -l.Shift/2) }
