package oracle

import "math"

// The values of a soft target t at a logit x, for the weights of positives and of negatives. With p = σ(x), q = σ(-x):
//
//	a    = wPos·t + wNeg·(1-t)     m = p·(1-t) + q·t     E = (1-t)·softplus(x) + t·softplus(-x)     δ = 1 - 2t
//	loss = a·m^γ·E
//	grad = a·m^γ·(p·(1-t) - q·t + γ·δ·(pq/m)·E)
//	hess = a·m^γ·(pq + γ·δ·(pq/m)·(2·(p·(1-t) - q·t) + E·((γ-1)·δ·pq/m + q - p)))
//
//	curv = a·m^γ·pq     frozen = a·m^γ·(p·(1-t) - q·t)
//
// Their units are the same with the magnitude of each term; pq/m and γ·pq/m - pq/m are terms of their own.

// Soft32At returns the values at x, which is finite, with an error as that of At32. The weights are in them.
func Soft32At(x, t, gamma, wPos, wNeg float64) (v Values32) {
	e, l := expLog1p(math.Abs(x))
	p, q := 1/(1+e), e/(1+e)
	if x < 0 {
		p, q = q, p
	}
	r := 1 - t
	a := wPos*t + wNeg*r
	pr, qt := p*r, q*t
	m := pr + qt
	E := l + max(x, 0)*r + max(-x, 0)*t
	pow := a
	switch gamma {
	case 0:
	case 2: // the one that matters most, in half the time
		pow *= m * m
	default:
		pow *= math.Exp(gamma * math.Log(m))
	}
	var pqm float64
	if m > 0 {
		pqm = min(p, q) / m * max(p, q)
	}
	d := 1 - 2*t
	k, K := gamma*d*pqm, gamma*math.Abs(d)*pqm
	v.Value = [Quantities]float64{
		Loss:   pow * E,
		Grad:   pow * (pr - qt + k*E),
		Hess:   pow * (p*q + k*(2*(pr-qt)+E*((gamma-1)*d*pqm+q-p))),
		Curv:   pow * (p * q),
		Frozen: pow * (pr - qt),
	}
	v.Mag = v.Value
	v.Mag[Grad] = pow * (m + K*E)
	v.Mag[Hess] = pow * (p*q + K*(2*m+E*((gamma+1)*math.Abs(d)*pqm+1)))
	v.Mag[Frozen] = pow * m
	v.slack, v.slackBelow = PerSoftplusSoft*E, E*0x1p-126
	return v
}

// Soft64At returns the values at x, which is finite, with an error as that of At64.
func Soft64At(x, t, gamma float64, wPos, wNeg Real) (v Values64) {
	tail := At64(-math.Abs(x), 0)
	q, l := tail.Value[Sigmoid], tail.Value[Softplus] // the smaller of σ(x) and σ(-x), and softplus(-|x|)
	p := Real{one, 0}.add(q.negate())                 // the larger one
	tR, r := realOf(t), Real{twoSum(1, -t), 0}        // and 1-t
	share, other := r, tR                             // of p, of q
	d := Real{twoSum(1, -2*t), 0}                     // share - other
	sign := 1.0                                       // of the gradient
	if x < 0 {
		share, other, sign = other, share, -1
		d = d.negate()
	}
	a := wPos.mul(tR).add(wNeg.mul(r))
	ps, qo := p.mul(share), q.mul(other)
	m := ps.add(qo)
	E := l.add(realOf(math.Abs(x)).mul(share))
	pow := a
	if gamma != 0 {
		pow = a.mul(m.pow(gamma))
	}
	pq := p.mul(q)
	pqm := Real{}
	if m.Hi != 0 {
		pqm = pq.mul(m.inverse())
	}
	g := realOf(gamma)
	k := g.mul(d).mul(pqm)
	K := k.abs()
	D := ps.add(qo.negate())
	minus1, plus1 := Real{twoSum(gamma, -1), 0}, Real{twoSum(gamma, 1), 0}
	s := realOf(sign)
	two := realOf(2)
	powPQ := pow.mul(pq)
	v.Value = [Quantities]Real{
		Loss:   pow.mul(E),
		Grad:   pow.mul(s).mul(D.add(k.mul(E))),
		Hess:   pow.mul(pq.add(k.mul(two.mul(D).add(E.mul(minus1.mul(d).mul(pqm).add(q).add(p.negate())))))),
		Curv:   powPQ,
		Frozen: pow.mul(s).mul(D),
	}
	v.Mag = v.Value
	v.Mag[Grad] = pow.mul(m.add(K.mul(E)))
	v.Mag[Hess] = powPQ.add(pow.mul(K).mul(two.mul(m).add(E.mul(plus1.mul(d.abs()).mul(pqm).add(Real{one, 0})))))
	v.Mag[Frozen] = pow.mul(m)
	v.slack, v.slackBelow = PerSoftplusSoft*E.Float64(), E.scaled(-1022)
	return v
}

// RealOf returns num/den as a Real, for the weights of Soft64At.
func RealOf(num, den float64) Real { return Real{one, 0}.Scale(num, den) }

// inverse returns 1/a.
func (a Real) inverse() Real { return Real{a.DD.inverse(), -a.Exp} }

// pow returns a^g, for a > 0; 0 where that is below 2^-2000000.
func (a Real) pow(g float64) Real {
	f, e := math.Frexp(a.Hi)
	y := DD{2 * f, math.Ldexp(a.Lo, 1-e)} // 1 ≤ y < 2, or just below 1
	k := float64(a.Exp + e - 1)
	if y.Hi == 1 && y.Lo < 0 { // log1pDD wants no negative number
		y = DD{2, 2 * y.Lo}
		k--
	}
	log := log1pDD(y.add(DD{-1, 0}))
	for _, part := range tables.ln2 {
		log = log.add(twoProduct(k*expSteps, part))
	}
	x := log.mulFloat(g)
	if x.Hi <= -1<<20 {
		return Real{}
	}
	return expDD(x)
}
