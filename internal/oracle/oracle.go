// Package oracle knows the exact values that the results of package focal are compared with, how far a result may be
// from them, and how the distance is counted. It shares no code with the kernels: values for float32 results are
// computed in float64 by package math, those for float64 results in pairs of float64 (type DD), and MPFR made the ones
// that TestOracles compares both with.
//
// All values are those of a negative of unit weight at a logit u; a positive at x has those of a negative at u = -x,
// with the gradient's sign changed. With s = σ(u), q = σ(-u), L = log(1+exp(u)):
//
//	loss = s^γ·L
//	grad = s^γ·(s + γ·q·L)
//	hess = s^γ·q·(s·(1+2γ) + γ·L·(γ·q - s))
//	hmag = s^γ·q·(s·(1+2γ) + γ·L·(γ·q + s))      the sum of the magnitudes of the Hessian's terms
package oracle

import "math"

// Values32 are the values for float32 results.
type Values32 struct{ Loss, Grad, Hess, HMag, Sigmoid, Softplus float64 }

// At32 returns the values at u. Where a value is in float32's range its relative error is about 1e-14 (of Hess: relative
// to HMag), which is 1e-7 float32 ULP. ±Inf and γ = 0 give the limits.
func At32(u, gamma float64) (v Values32) {
	e, l := expLog1p(math.Abs(u))
	s, q := 1/(1+e), e/(1+e)
	if u < 0 {
		s, q = q, s
	}
	softplus := math.Max(u, 0) + l
	pow := 1.0 // also at u = -Inf, where γ·log s would be 0·Inf
	if gamma != 0 || math.IsNaN(u) {
		pow = math.Exp(gamma * (math.Min(u, 0) - l))
	}
	var qL float64 // the limit, where it would be 0·Inf
	if q != 0 {
		qL = q * softplus
	}
	a, b, c := q*s*(1+2*gamma), gamma*qL*gamma*q, gamma*qL*s
	return Values32{
		Loss: pow * softplus, Grad: pow * (s + gamma*qL), Hess: pow * (a + b - c), HMag: pow * (a + b + c), Sigmoid: s, Softplus: softplus,
	}
}

// expLog1p returns e = exp(-a) and log1p(e). Half of all float32 are so large that e is 0 in float64 as well: that need not
// be found out each time.
func expLog1p(a float64) (e, l float64) {
	if a > 746 {
		return 0, 0
	}
	e = math.Exp(-a)
	return e, math.Log1p(e)
}

// Values64 are the values for float64 results.
type Values64 struct{ Loss, Grad, Hess, HMag, Sigmoid, Softplus Real }

// At64 returns the values at u, which is finite. For γ ≤ 5 their relative error is below 2^-90 (of Hess: relative to
// HMag), wherever they are above 2^-2000; it grows like γ.
func At64(u, gamma float64) (v Values64) {
	a := math.Abs(u)
	var e Real // exp(-|u|); 0 where no value differs from that by anything that a float64 could show
	if a < 1<<20 {
		e = expDD(DD{-a, 0})
	}
	small := e.dd() // the same, or 0 where it is below 2^-900
	r := one.add(small).inverse()
	l := e // log1p(e) = e - e²/2 + …
	if e.Exp > -200 {
		l = Real{log1pDD(small), 0}
	}
	s, q, softplus := Real{r, 0}, e.mul(Real{r, 0}), l
	logS := l.dd().negate()
	if u < 0 {
		s, q = q, s
		logS = DD{u, 0}.add(logS)
	} else {
		softplus = realOf(u).add(l)
	}

	pow := Real{one, 0}
	if gamma != 0 {
		pow = Real{}
		if x := logS.mulFloat(gamma); x.Hi > -1<<20 {
			pow = expDD(x)
		}
	}
	g := realOf(gamma)
	gL := g.mul(softplus)
	sOne := s.mul(Real{twoSum(1, 2*gamma), 0})
	powQ := pow.mul(q)
	gq := g.mul(q)
	return Values64{
		Loss:     pow.mul(softplus),
		Grad:     pow.mul(s.add(gL.mul(q))),
		Hess:     powQ.mul(sOne.add(gL.mul(gq.add(s.negate())))),
		HMag:     powQ.mul(sOne.add(gL.mul(gq.add(s)))),
		Sigmoid:  s,
		Softplus: softplus,
	}
}

// Errors returns the errors of a loss, a gradient and a Hessian that have the weight num/den, in the units of Promised. What
// PerSoftplus says is taken off that of the loss.
func (v *Values32) Errors(loss, grad, hess float32, num, den float64) (errs, want [3]float64) {
	w := num / den
	want = [3]float64{w * v.Loss, w * v.Grad, w * v.Hess}
	errs = [3]float64{Err32(loss, want[0], want[0]), Err32(grad, want[1], want[1]), Err32(hess, want[2], w*v.HMag)}
	if want[0] < v.Softplus*0x1p-126 {
		errs[0] = max(0, errs[0]-PerSoftplus*v.Softplus)
	}
	return errs, want
}

// Errors is that of Values32.
func (v *Values64) Errors(loss, grad, hess float64, num, den float64) (errs, want [3]float64) {
	of := func(r Real) Real {
		if num == den {
			return r
		}
		return r.Scale(num, den)
	}
	l, g, h := of(v.Loss), of(v.Grad), of(v.Hess)
	errs = [3]float64{Err64(loss, l, l), Err64(grad, g, g), Err64(hess, h, of(v.HMag))}
	if l.exponent()-v.Softplus.exponent() <= -1022 {
		errs[0] = max(0, errs[0]-PerSoftplus*v.Softplus.Float64())
	}
	return errs, [3]float64{l.Float64(), g.Float64(), h.Float64()}
}
