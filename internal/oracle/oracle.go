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
//	curv = s^γ·q·s
//	frozen = s^γ·s
package oracle

import (
	"math"
	"math/big"
)

// Values32 are the values for float32 results, and the units of their errors: the sums of the magnitudes of their terms.
type Values32 struct {
	Value, Mag [Quantities]float64
	slack      float64 // see PerSoftplus: that times the softplus
	slackBelow float64 // a loss, of any weight, that is smaller has it
}

// At32 returns the values at u. Where a value is in float32's range its relative error is about 1e-14 (of Hess: relative
// to its terms), which is 1e-7 float32 ULP. ±Inf and γ = 0 give the limits.
func At32(u, gamma float64) (v Values32) {
	e, l := expLog1p(math.Abs(u))
	s, q := 1/(1+e), e/(1+e)
	if u < 0 {
		s, q = q, s
	}
	softplus := math.Max(u, 0) + l
	var pow float64
	switch gamma {
	case 0:
		pow = 1 + 0*s // of a NaN that is NaN
	case 0.5: // those that matter most, in half the time
		pow = math.Sqrt(s)
	case 1:
		pow = s
	case 1.5:
		pow = s * math.Sqrt(s)
	case 2:
		pow = s * s
	case 3:
		pow = s * s * s
	default:
		pow = math.Exp(gamma * (math.Min(u, 0) - l))
	}
	var qL float64 // the limit, where it would be 0·Inf
	if q != 0 {
		qL = q * softplus
	}
	a, b, c := q*s*(1+2*gamma), gamma*qL*gamma*q, gamma*qL*s
	v.Value = [Quantities]float64{
		Loss: pow * softplus, Grad: pow * (s + gamma*qL), Hess: pow * (a + b - c), Curv: pow * q * s, Frozen: pow * s,
		Sigmoid: s, Softplus: softplus,
	}
	v.Mag = v.Value
	v.Mag[Hess] = pow * (a + b + c)
	v.setSlack(softplus)
	return v
}

func (v *Values32) setSlack(softplus float64) {
	v.slack, v.slackBelow = PerSoftplus*softplus, softplus*0x1p-126
}

// Err returns the error of a result that has the weight w, in the units of Bounds, and its exact value. What PerSoftplus
// says is taken off that of a loss. Sigmoid and softplus have no weight.
func (v *Values32) Err(q Quantity, got float32, w float64) (err, want float64) {
	if q == Sigmoid || q == Softplus {
		w = 1
	}
	want = w * v.Value[q]
	err = Err32(got, want, w*v.Mag[q])
	if q == Loss && want < v.slackBelow {
		err = max(0, err-v.slack)
	}
	return err, want
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
type Values64 struct {
	Value, Mag [Quantities]Real
	slack      float64
	slackBelow Real
}

// At64 returns the values at u, which is finite. For γ ≤ 5 their relative error is below 2^-90 (of Hess: relative to
// its terms), wherever they are above 2^-2000; it grows like γ.
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
	v.Value = [Quantities]Real{
		Loss:     pow.mul(softplus),
		Grad:     pow.mul(s.add(gL.mul(q))),
		Hess:     powQ.mul(sOne.add(gL.mul(gq.add(s.negate())))),
		Curv:     powQ.mul(s),
		Frozen:   pow.mul(s),
		Sigmoid:  s,
		Softplus: softplus,
	}
	v.Mag = v.Value
	v.Mag[Hess] = powQ.mul(sOne.add(gL.mul(gq.add(s))))
	v.slack, v.slackBelow = PerSoftplus*softplus.Float64(), softplus.scaled(-1022)
	return v
}

// Err is that of Values32.
func (v *Values64) Err(q Quantity, got float64, w Real) (err, want float64) {
	exact, mag := v.Value[q], v.Mag[q]
	if q != Sigmoid && q != Softplus {
		exact, mag = exact.mul(w), mag.mul(w)
	}
	err = Err64(got, exact, mag)
	if q == Loss && exact.exponent() <= v.slackBelow.exponent() {
		err = max(0, err-v.slack)
	}
	return err, exact.Float64()
}

// An Exact has the values of either type.
type Exact[T float32 | float64] struct {
	v32 Values32
	v64 Values64
}

// At returns the values at a finite u.
func At[T float32 | float64](u T, gamma float64) (v Exact[T]) {
	if _, ok := any(u).(float32); ok {
		v.v32 = At32(float64(u), gamma)
	} else {
		v.v64 = At64(float64(u), gamma)
	}
	return v
}

// SoftAt returns the values of a target at a finite x, for weights that are divided by norm. They include the weights.
func SoftAt[T float32 | float64](x, t T, gamma, wPos, wNeg, norm float64) (v Exact[T]) {
	if _, ok := any(x).(float32); ok {
		v.v32 = Soft32At(float64(x), float64(t), gamma, wPos/norm, wNeg/norm)
	} else {
		v.v64 = Soft64At(float64(x), float64(t), gamma, RealOf(wPos, norm), RealOf(wNeg, norm))
	}
	return v
}

// Err is that of Values32, for a weight of num/den times the factors.
func (v *Exact[T]) Err(q Quantity, got T, num, den float64, factors ...T) (err, want float64) {
	if g, ok := any(got).(float32); ok {
		w := num / den
		for _, f := range factors {
			w *= float64(f)
		}
		return v.v32.Err(q, g, w)
	}
	w := Real{one, 0}
	if num != den {
		w = RealOf(num, den)
	}
	for _, f := range factors {
		w = w.mul(realOf(float64(f)))
	}
	return v.v64.Err(q, float64(got), w)
}

// Sum is the sum of v without any rounding: 2,200 bits hold every float64 and the carries.
func Sum[T float32 | float64](v []T) *big.Float {
	sum := new(big.Float).SetPrec(2200)
	for _, x := range v {
		sum.Add(sum, new(big.Float).SetFloat64(float64(x)))
	}
	return sum
}
