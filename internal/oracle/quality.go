package oracle

import "math"

// The values of quality focal loss for a target t at a logit x. With p = σ(x), q = σ(-x), d = p - t,
// E = (1-t)·softplus(x) + t·softplus(-x):
//
//	loss = w·|d|^β·E
//	grad = w·sgn(d)·|d|^(β-1)·(d² + β·pq·E)
//	hess = w·|d|^(β-2)·pq·((2β+1)·d² + β·E·((β-1)·pq + d·(q-p)))
//	curv = w·|d|^β·pq     frozen = w·|d|^β·d
//
// p and t may cancel. A relative change of either by one part, which a rounding is, changes d by up to (p+t)/|d| parts, or
// (q+1-t)/|d| where p is above 1/2. Each value's unit is that of its terms' magnitudes times 1 and so much more for each power of d.

// QualityAt returns the values at x, which is finite, for 0 < t < 1 and p ≠ t, and (p+t)/|d| or (q+1-t)/|d|: where that is
// near 2^53, nothing is left of d.
func QualityAt[T float32 | float64](x, t T, beta, num, den float64) (v Exact[T], parts float64) {
	w := qualityAt(float64(x), float64(t), beta, RealOf(num, den))
	return exactOf[T](&w), qualityParts(&w, beta)
}

// qualityParts returns (p+t)/|d| or (q+1-t)/|d|.
func qualityParts(v *Values64, beta float64) float64 {
	return (v.Mag[Frozen].mul(v.Value[Frozen].abs().inverse()).Float64() - 1) / (beta + 1)
}

// exactOf returns values for either type.
func exactOf[T float32 | float64](w *Values64) (v Exact[T]) {
	if _, ok := any(T(0)).(float64); ok {
		v.v64 = *w
		return v
	}
	for q := range w.Value {
		v.v32.Value[q], v.v32.Mag[q] = w.Value[q].Float64(), w.Mag[q].Float64()
	}
	v.v32.slack = w.slack
	v.v32.slackBelow = w.slack * 0x1p-126
	return v
}

func qualityAt(x, t, beta float64, w Real) (v Values64) {
	tail := At64(-math.Abs(x), 0)
	small, E := tail.Value[Sigmoid], tail.Value[Softplus]
	large := Real{one, 0}.add(small.negate())
	share := realOf(t) // of what E has of |x|; it is compared with small
	p, q := small, large
	if x >= 0 {
		share = Real{twoSum(1, -t), 0}
		p, q = q, p
	}
	E = E.add(realOf(math.Abs(x)).mul(share))
	d := small.add(share.negate())
	if x >= 0 {
		d = d.negate()
	}
	a := d.abs()
	number := func(a, b float64) Real { return Real{twoSum(a, b), 0} }
	pq := p.mul(q)
	pow := func(less float64) Real { // w·|d|^(β-less)
		g := beta - less
		if g < 0 {
			return w.mul(a.pow(-g).inverse())
		}
		if g == 0 {
			return w
		}
		return w.mul(a.pow(g))
	}
	factor, b := pow(0), realOf(beta)
	v.Value[Loss] = factor.mul(E)
	v.Value[Curv] = factor.mul(pq)
	v.Value[Frozen] = factor.mul(d)
	v.Value[Grad], v.Value[Hess] = v.Value[Frozen], v.Value[Curv]
	v.Mag = v.Value
	if beta > 0 {
		dd := d.mul(d)
		slope := pow(1).mul(dd.add(b.mul(pq).mul(E)))
		v.Mag[Grad] = slope
		if d.Hi < 0 {
			slope = slope.negate()
		}
		v.Value[Grad] = slope
		bend, first, bE := pow(2).mul(pq), number(2*beta, 1).mul(dd), b.mul(E)
		one, other := number(beta, -1).mul(pq), d.mul(q.add(p.negate()))
		v.Value[Hess] = bend.mul(first.add(bE.mul(one.add(other))))
		v.Mag[Hess] = bend.mul(first.add(bE.mul(one.abs().add(other.abs()))))
	}
	parts := small.add(share).mul(a.inverse())
	for q, powers := range [...]float64{Loss: beta, Grad: math.Abs(beta-1) + 2, Hess: math.Abs(beta-2) + 2, Curv: beta, Frozen: beta + 1} {
		v.Mag[q] = v.Mag[q].abs().mul(Real{one, 0}.add(parts.mul(realOf(powers))))
	}
	v.slack, v.slackBelow = PerSoftplusSoft*E.Float64(), E.scaled(-1022)
	return v
}

func (a Real) abs() Real {
	if a.Hi < 0 {
		return a.negate()
	}
	return a
}
