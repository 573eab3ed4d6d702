package oracle

import "math"

// Quick32 is At32 for one exponent. Of all float32 logits the tiny and the huge ones are three quarters: at those it takes next
// to no time.
type Quick32 struct {
	gamma      float64
	near       float64  // up to here Taylor's formula is used
	at0, slope Values32 // the values at 0, and their derivatives
}

const farLogit = 256

// NewQuick32 returns it for an exponent ≥ 0.
//
// Near 0 the values are f(0) + f'(0)·u. The remainder is below 2^-49 of the unit, the sum of the terms' magnitudes at 0, if
// |u| ≤ near = 2^-27/(1+γ). To prove it let z be any complex number with |z| ≤ ρ = 1/(1+γ) ≤ 1. The real parts of 1 + exp(z) and of
// 1 + exp(-z) are above 1, so |s| < 1 and |q| < 1 at z. Since (log s)' = q and L' = s,
//
//	|s^γ| ≤ 2^-γ·exp(γ·ρ) < e·2^-γ     |L| ≤ ln2 + 1 < 1.7
//
// An f is s^γ times a sum of products of s, q, L and powers of γ. So |f(z)| ≤ M, and M is, as a multiple of the unit, at most
//
//	loss        e·1.7/ln2                                        < 7
//	gradient    e·(1 + 1.7·γ)/(1/2 + γ·ln2/2)                    < 14
//	Hessian     4e·(1 + 2γ + 1.7·γ·(γ+1))/(1 + 2γ + ln2·γ·(γ+1)) < 27
//	curvature   e·1/(1/4)                                        < 11
//	frozen      e·1/(1/2)                                        < 6
//
// and less for sigmoid and softplus. By Cauchy's estimate the coefficient of u^n is at most M/ρ^n, so the remainder is at most
// M·x²/(1-x), x = |u|/ρ ≤ 2^-27: less than 28·2^-54.
//
// Beyond ±256 the values are the limits. What they leave out is below (1+γ)²·(1+|u|)·exp(-|u|), which for γ ≤ 2^32 is below
// 2^-295: with weights up to 2^30 less than 2^-100 of the smallest float32, or of a value that is 1 or more.
func NewQuick32(gamma float64) *Quick32 {
	c := &Quick32{gamma: gamma, near: 0x1p-27 / (1 + gamma)}
	exact := At64(0, gamma)
	v, d := &c.at0, &c.slope
	for q := range v.Value {
		v.Value[q], v.Mag[q] = exact.Value[q].Float64(), exact.Mag[q].Float64()
	}
	// (s^γ)' = s^γ·γ·q, s' = s·q, q' = -s·q, L' = s; here s = q = 1/2.
	half := gamma / 2
	power := 4 * v.Value[Curv] // s^γ
	// (s^γ·q·B)', B = s·(1+2γ) + γ·L·(γ·q ± s)
	product := func(B, slope float64) float64 { return power * (half*B/2 - B/4 + slope/2) }
	minus := product(0.5+gamma+half*math.Ln2*(gamma-1), 0.25+half+gamma*((gamma-1)/4-math.Ln2*(gamma+1)/4))
	plus := product(0.5+gamma+half*math.Ln2*(gamma+1), 0.25+half+gamma*((gamma+1)/4-math.Ln2*(gamma-1)/4))
	d.Value = [Quantities]float64{
		Loss: v.Value[Grad], Grad: v.Value[Hess], Hess: minus,
		Curv: half * v.Value[Curv], Frozen: half*v.Value[Frozen] + v.Value[Curv], Sigmoid: 0.25, Softplus: 0.5,
	}
	d.Mag = d.Value
	d.Mag[Hess] = plus
	return c
}

// At sets v to the values at u, as At32 does.
func (c *Quick32) At(v *Values32, u float64) {
	switch a := math.Abs(u); {
	case a <= c.near:
		for q, at0 := range c.at0.Value {
			v.Value[q] = at0 + float64(c.slope.Value[q]*u)
			v.Mag[q] = c.at0.Mag[q] + float64(c.slope.Mag[q]*u)
		}
		v.setSlack(v.Value[Softplus])
	case a > farLogit && c.gamma <= 0x1p32:
		*v = Values32{}
		if u > 0 {
			v.Value = [Quantities]float64{Loss: u, Grad: 1, Frozen: 1, Sigmoid: 1, Softplus: u}
			v.Mag = v.Value
			v.setSlack(u)
		}
	default:
		*v = At32(u, c.gamma)
	}
}

// Linear reports whether the values at u between two logits, neither of which is 0, are what they are at the two, linearly.
func (c *Quick32) Linear(u, v float64) bool {
	a, b := min(math.Abs(u), math.Abs(v)), max(math.Abs(u), math.Abs(v))
	return u*v > 0 && (b <= c.near || a > farLogit && b < math.Inf(1) && c.gamma <= 0x1p32)
}
