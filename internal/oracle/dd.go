package oracle

import (
	"math"
	"math/big"
)

// DD is the sum of two float64 that do not overlap: Hi is the sum, rounded, and Lo what that lacks. It has some 106
// bits. (Dekker, "A floating-point technique for extending the available precision", 1971.)
type DD struct{ Hi, Lo float64 }

var one = DD{1, 0}

// Every product below is converted, or given to math.FMA, so no compiler may fuse it with a sum.

func twoSum(a, b float64) DD {
	s := a + b
	t := s - a
	return DD{s, (a - (s - t)) + (b - t)}
}

// fastTwoSum needs |a| ≥ |b|, or a = 0.
func fastTwoSum(a, b float64) DD {
	s := a + b
	return DD{s, b - (s - a)}
}

func twoProduct(a, b float64) DD {
	p := float64(a * b)
	return DD{p, math.FMA(a, b, -p)}
}

func (a DD) negate() DD { return DD{-a.Hi, -a.Lo} }

func (a DD) add(b DD) DD {
	s, t := twoSum(a.Hi, b.Hi), twoSum(a.Lo, b.Lo)
	s = fastTwoSum(s.Hi, s.Lo+t.Hi)
	return fastTwoSum(s.Hi, s.Lo+t.Lo)
}

func (a DD) mul(b DD) DD {
	p := twoProduct(a.Hi, b.Hi)
	return fastTwoSum(p.Hi, p.Lo+math.FMA(a.Hi, b.Lo, float64(a.Lo*b.Hi)))
}

func (a DD) mulFloat(b float64) DD {
	p := twoProduct(a.Hi, b)
	return fastTwoSum(p.Hi, math.FMA(a.Lo, b, p.Lo))
}

// scale returns a·2^e, for |e| < 1000.
func (a DD) scale(e int) DD {
	f := math.Float64frombits(uint64(1023+e) << 52)
	return DD{a.Hi * f, a.Lo * f}
}

// inverse returns 1/a.
func (a DD) inverse() DD {
	x := 1 / a.Hi
	// Newton's step twice: x has 53 bits, the first correction gives them nearly all.
	r := one.add(a.mulFloat(x).negate())
	c := r.Hi * x
	y := fastTwoSum(x, c)
	r = one.add(a.mul(y).negate())
	return y.add(DD{r.Hi * x, 0})
}

const (
	expSteps = 64 // of an octave
	expTerms = 13 // |r| ≤ ln2/128: r^13/13! is below 2^-128
	expLong  = 7  // terms from this one on are so small that float64 will do
	logTerms = 11 // |z| ≤ 2^-6: z^22 is below 2^-130
)

var tables = newTables()

type ddTables struct {
	ln2   [3]float64 // ln2 / expSteps, in three parts
	exp   [expSteps]DD
	fact  [expTerms]DD // 1/n!
	recip [logTerms]DD // 1/(2n+1)
}

// newTables computes the constants with integer arithmetic, and roots.
func newTables() (t ddTables) {
	const prec = 400
	number := func(v float64) *big.Float { return new(big.Float).SetPrec(prec).SetFloat64(v) }
	pair := func(v *big.Float) DD {
		hi, _ := v.Float64()
		lo, _ := new(big.Float).Sub(v, number(hi)).Float64()
		return DD{hi, lo}
	}
	// ln2 = 2·atanh(1/3)
	ln2, power := number(0), new(big.Float).Quo(number(2), number(3))
	for n := 1.0; n < 260; n += 2 {
		ln2.Add(ln2, new(big.Float).Quo(power, number(n)))
		power.Quo(power, number(9))
	}
	ln2.Quo(ln2, number(expSteps))
	for i := range t.ln2 {
		t.ln2[i], _ = ln2.Float64()
		ln2.Sub(ln2, number(t.ln2[i]))
	}
	root := number(2) // 2^(1/expSteps)
	for n := 1; n < expSteps; n *= 2 {
		root.Sqrt(root)
	}
	v := number(1)
	for i := range t.exp {
		t.exp[i] = pair(v)
		v.Mul(v, root)
	}
	v = number(1)
	for n := range t.fact {
		v.Quo(v, number(math.Max(1, float64(n))))
		t.fact[n] = pair(v)
	}
	for n := range t.recip {
		t.recip[n] = pair(new(big.Float).Quo(number(1), number(float64(2*n+1))))
	}
	return t
}

// expDD returns exp(x), for |x| below 2^22.
func expDD(x DD) Real {
	k := math.Round(x.Hi * (expSteps / math.Ln2))
	r := x.add(twoProduct(-k, tables.ln2[0])).add(twoProduct(-k, tables.ln2[1])).add(DD{-k * tables.ln2[2], 0})
	p := 0.0
	for n := expTerms - 1; n >= expLong; n-- {
		p = math.FMA(p, r.Hi, tables.fact[n].Hi)
	}
	sum := DD{p, 0}
	for n := expLong - 1; n >= 0; n-- {
		sum = sum.mul(r).add(tables.fact[n])
	}
	i := int(k)
	return Real{sum.mul(tables.exp[i&(expSteps-1)]), i >> 6} // 2^6 is expSteps
}

// log1pDD returns log(1+e), for e in [0, 1].
func log1pDD(e DD) DD {
	if e.Hi < 0x1p-5 {
		// 2·atanh(z), z = e/(2+e)
		z := e.mul(e.add(DD{2, 0}).inverse())
		zz := z.mul(z)
		sum := tables.recip[logTerms-1]
		for n := logTerms - 2; n >= 0; n-- {
			sum = sum.mul(zz).add(tables.recip[n])
		}
		return z.mul(sum).scale(1)
	}
	// y = y0 + log1p(t), t = (1+e)·exp(-y0) - 1
	y0 := math.Log1p(e.Hi)
	t := expDD(DD{-y0, 0}).dd().mul(one.add(e)).add(DD{-1, 0})
	return DD{y0, 0}.add(t).add(DD{-t.Hi * t.Hi / 2, 0})
}

// Real is DD·2^Exp. DD itself is not far from 1 or 0, so nothing overflows and nothing is subnormal.
type Real struct {
	DD
	Exp int
}

func realOf(x float64) Real {
	f, e := math.Frexp(x)
	return Real{DD{f, 0}, e}
}

// dd returns the number as a DD, or 0 if it is below 2^-900.
func (a Real) dd() DD {
	if a.Exp < -900 {
		return DD{}
	}
	return a.scale(a.Exp)
}

func (a Real) negate() Real { return Real{a.DD.negate(), a.Exp} }

func (a Real) mul(b Real) Real { return Real{a.DD.mul(b.DD), a.Exp + b.Exp} }

func (a Real) add(b Real) Real {
	switch {
	case a.Hi == 0:
		return b
	case b.Hi == 0:
		return a
	case a.Exp < b.Exp:
		a, b = b, a
	}
	if d := b.Exp - a.Exp; d > -900 {
		return Real{a.DD.add(b.DD.scale(d)), a.Exp}
	}
	return a
}

// scaled returns a·2^e.
func (a Real) scaled(e int) Real { return Real{a.DD, a.Exp + e} }

// Scale returns a·num/den, the quotient being a real number and not a float64.
func (a Real) Scale(num, den float64) Real {
	n, dn := math.Frexp(num)
	d, dd := math.Frexp(den)
	return Real{a.DD.mulFloat(n).mul(DD{d, 0}.inverse()), a.Exp + dn - dd}
}

// Float64 returns the nearest float64, or nearly so.
func (a Real) Float64() float64 { return math.Ldexp(a.Hi, a.Exp) }
