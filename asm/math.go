package main

import (
	"math"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/coef"
)

// The mathematics, line by line that of kernel_generic.go, which says what it is about.

// exp returns A and p, exp(-|u|) = A·(1+p), and k and f, log2 exp(-|u|) = k + f.
func (b *body) exp(u *value, magic, bound float64) (A, p, k, f *value) {
	c := b.table
	a := b.abs(u)
	a = smaller(a, b.num(bound))
	t := fma(neg(a), b.num(c.Log2E), b.num(magic))
	k = t.minus(b.num(magic))
	f = fma(neg(a), b.num(c.Log2E), neg(k))
	f = fma(neg(a), b.num(c.Log2ELo), f)
	A = t.shl(b.MantissaBits - b.NodeBits)
	x := f.plus(b.node(t))
	p = b.series(c.Exp, x, false)
	return A, p, k, f
}

// log returns e = A + g and m, log2(1+e) = A + m, scaled up by 2^Shift as A is, and small, e as it is; for g = A·p.
func (b *body) log(A, g *value) (e, small, m *value) {
	e = A.plus(g)
	small = e.times(b.num(b.Down()))
	ee := fma(neg(e), small, e)
	m = fma(ee, b.polynomial(b.table.Log, small, nil), g)
	return e, small, m
}

// logS is the second part of that, after exp has chosen k and f: h of log2 s = (k - A) + h, in which k is a multiple of 1/N, A is short
// and scaled up by 2^Shift, and h is small.
func (b *body) logS(m, f *value) (h *value) { return fma(neg(m), b.num(b.Down()), f) }

// powArgument is the first part of pow: t and r, of whose powers of two 2^(γ·log2 s) is the product, for log2 s = (k - A) + h.
func (b *body) powArgument(k, A, h *value) (t, r *value) {
	powHi := b.param("PowHi")
	tt := fma(neg(A), b.num(b.Down()), k).plus(h)

	// γ·log2 s = K + r, K an integer
	t = fma(powHi, tt, b.num(b.MagicPow()))
	t = larger(t, b.num(b.PowMin()))
	K := t.minus(b.num(b.MagicPow()))
	r = fma(powHi, k, neg(K))
	r = fma(neg(b.param("PowHiDown")), A, r)
	r = fma(powHi, h, r)
	r = fma(b.param("PowLo"), tt, r)
	r = larger(r, b.num(-1)) // where t was bounded, and s^γ is 0
	return t, r
}

// pow is the second part: w·2^(γ·log2 s), as b scaled up by 2^Shift and as B not. For apart see series.
func (b *body) pow(w, t, r *value, apart bool) (big, B *value) {
	p := b.series(b.table.Pow, r, apart)
	big = w.times(t.shl(b.MantissaBits))
	big = fma(big, p, big)
	return big, big.times(b.num(b.Down()))
}

// quotient returns what selects an entry of the tables, its c, S = A·c, z = c·(1+e) - 1, and -v: σ(u) = [u<0] ? S·(1+v) : c·(1+v). A
// is not scaled.
func (b *body) quotient(negative *mask, A, p *value) (i, c, S, z, minusV *value) {
	one := b.num(1)
	i = fma(A, b.num(coef.RecipScale), b.num(b.MagicIndex()))
	c = b.lookup(b.table.Recip[:], i)
	S = A.times(c)
	z = fma(S, p, S.plus(c.minus(one)))
	minusV = minusWhere(negative, z, p).over(one.plus(z))
	return i, c, S, z, minusV
}

// polynomial returns c[0] + c[1]·x + c[2]·x² + …, for xx = x², which is nil if nobody else needs it: of float32 by Horner's rule, of
// float64, which has more terms, by even and odd powers apart.
func (b *body) polynomial(c []float64, x, xx *value) *value {
	n := len(c)
	q := b.num(c[n-1])
	if !b.double {
		for i := n - 2; i >= 0; i-- {
			q = fma(q, x, b.num(c[i]))
		}
		return q
	}
	if xx == nil {
		xx = x.times(x)
	}
	p := b.num(c[n-2])
	for i := n - 3; i > 0; i -= 2 {
		q = fma(q, xx, b.num(c[i]))
		p = fma(p, xx, b.num(c[i-1]))
	}
	if n%2 == 0 {
		return fma(q, x, p)
	}
	q = fma(q, xx, b.num(c[0])) // q has the even powers
	return fma(p, x, q)
}

// series returns x·(c[0] + c[1]·x + c[2]·x² + …). If apart, and always with float64, the first term is added last.
func (b *body) series(c []float64, x *value, apart bool) *value {
	if !b.double && !apart {
		return x.times(b.polynomial(c, x, nil))
	}
	xx := x.times(x)
	return fma(x, b.num(c[0]), xx.times(b.polynomial(c[1:], x, xx)))
}

// A stage is part of the computation of an element. Stages hand values on by name, by way of registers or, if each has a loop of its
// own, of memory: put and get. Those of the same name are the same.
type stage struct {
	name  string
	write func(b *body)
}

// square is genericSquare.
func square(op abi.Operation) []stage {
	return []stage{{"end", func(b *body) {
		u, w := b.get("U"), b.get("W")
		negative := b.negative(u)
		V := larger(b.num(0), u)

		var A, far, p *value
		if op == abi.Loss || op == abi.Grad {
			A, p, _, _ = b.exp(u, b.MagicExp(), b.NearLogit)
		} else {
			far, p, _, _ = b.exp(u, b.MagicFar(), b.FarLogit)
			A = far.times(b.num(b.Down()))
		}
		i, c, S, z, minusV := b.quotient(negative, A, p)

		// L = -ln c + log1p(z) + V
		zz := z.times(z)
		L := b.lookup(b.table.LogRecip[:], i).plus(V).plus(fma(zz, b.polynomial(b.table.Log1p, z, zz), z))

		// B = w·s², s = S·(1+v), s² = S²·(1 + 2v + v²)
		S = chooseLess(negative, S, c)
		B := S.times(S).times(w)
		B = fma(B, fma(minusV, minusV, neg(minusV.plus(minusV))), B)
		b.put("Loss", B.times(L))
		if op == abi.Loss {
			return
		}

		// grad = B·(s + q·2L)
		e := fma(A, p, A)
		s := fma(S, neg(minusV), S)
		r := b.num(1).minus(s)
		q := chooseProduct(negative, r, e, s)
		L = smaller(b.num(b.MaxSoftplus), L)
		L = L.plus(L)
		if op == abi.Grad {
			b.put("Grad", B.times(fma(q, L, s)))
			return
		}

		// curv = B·q·s, hess = B·q·(5s + 2L·(2q - s))
		d := fma(b.num(2), q, neg(s)) // 2q - s, before s may be NaN
		s = fma(b.num(0), L, s)       // the product lets a NaN in
		far = fma(far, p, far)
		Q := choose(negative, r.times(b.num(b.Up())), far.times(s))
		b.put("Curv", B.times(s).times(Q).times(b.num(b.Down())))
		if op == abi.Frozen {
			b.put("Grad", B.times(s))
			return
		}
		b.put("Grad", B.times(fma(q, L, s)))
		bracket := fma(L, d, b.param("HessOne").times(s))
		b.put("Hess", B.times(bracket).times(Q).times(b.num(b.Down())))
	}}}
}

// farExp is the first stage of what may meet a tiny e.
var farExp = stage{"exp", func(b *body) {
	A, p, _, _ := b.exp(b.get("U"), b.MagicFar(), b.FarLogit)
	b.put("A", A)
	b.put("g", A.times(p))
}}

// farExpS is the same with the first part of logS.
var farExpS = stage{"expS", func(b *body) {
	u := b.get("U")
	A, p, k, f := b.exp(u, b.MagicFar(), b.FarLogit)
	b.put("A", A)
	b.put("g", A.times(p))
	negative := b.below0(u)
	b.put("k", choose(negative, k, b.num(0)))
	b.put("f", choose(negative, f, b.num(0)))
}}

// power is genericPower.
func power(op abi.Operation, isZero bool) []stage {
	exp := farExpS
	if isZero {
		exp = farExp
	}
	return []stage{
		exp,
		{"log", func(b *body) {
			if isZero {
				return
			}
			A := b.get("A")
			_, _, m := b.log(A, b.get("g"))
			b.put("m", m)
			k, h := b.get("k"), b.logS(m, b.get("f"))
			t, r := b.powArgument(k, A, h)
			b.put("t", t)
			b.put("r", r)
		}},
		{"end", func(b *body) {
			u, w, A, g := b.get("U"), b.get("W"), b.get("A"), b.get("g")
			zero, one, up, down := b.num(0), b.num(1), b.num(b.Up()), b.num(b.Down())
			e, small, m := b.log(A, g) // once more: that is cheaper than handing e on, but for m
			if !isZero {
				m = b.get("m")
			}
			negative := b.below0(u)
			V := larger(zero, u)
			if op != abi.Loss { // the mask is needed anyway
				V = above0(negative, u)
			}
			big, B := w, w
			if !isZero {
				big, B = b.pow(w, b.get("t"), b.get("r"), false)
			}

			// loss = B·L, L = ln2·(A + m) + V
			Q := fma(B, A, B.times(m))
			loss := fma(Q, b.num(b.ln2Down()), B.times(V))
			b.put("Loss", loss)
			if op == abi.Loss {
				return
			}

			// grad = (B·α + γ·ε·B·L)/(1+e), where α/(1+e) = s and ε/(1+e) = q. If u < 0, Q is B·L/ln2.
			d := up.plus(e)
			near := smaller(b.num(b.MaxSoftplus), V)
			letIn := func() *value { return B.times(fma(zero, near, choose(negative, e, up))) } // B·α; the product lets a NaN in
			var grad *value
			if isZero {
				grad = letIn().over(d)
			} else {
				y := choose(negative, B, b.param("Gamma"))
				y = fma(y, A, y.times(g)) // y·e
				L := smaller(B.times(b.num(b.MaxSoftplus)), loss)
				alpha := chooseProduct(negative, y, B, up)
				alpha = addWhere(negative, b.param("GammaLn2Lo"), Q, alpha)
				alpha = addWhere(negative, b.param("GammaLn2"), Q, alpha)
				grad = addWhere(negative.others(), y, L, alpha).over(d)
			}
			if op == abi.Grad {
				b.put("Grad", grad)
				return
			}

			// curv = B·e/(1+e)²
			onePlus := one.plus(small)
			low := one.minus(onePlus).plus(small) // what that lacks
			dd := fma(onePlus, low.plus(low), onePlus.times(onePlus))
			curv := B.times(fma(zero, near, e)).over(dd).times(down)
			b.put("Curv", curv)
			if op == abi.Frozen {
				b.put("Grad", letIn().over(d))
				return
			}
			b.put("Grad", grad)
			if isZero {
				b.put("Hess", curv)
				return
			}

			// hess = B·(e·((1+2γ) - γ·L) + (γ·ε)²·L)/(1+e)²
			lambda := A.plus(m)
			gamma := b.param("Gamma")
			L := fma(lambda, b.num(b.ln2Down()), near)
			square := choose(negative, b.param("GammaSquareLn2"), gamma.times(e).times(down).times(gamma.times(e)))
			bracket := fma(square, choose(negative, lambda, L), e.times(fma(neg(gamma), L, b.param("HessOne"))))
			bracket = smaller(b.num(b.Large()), bracket)
			bracket = big.times(b.param("HessPow")).times(bracket.times(b.param("HessBracket")))
			b.put("Hess", bracket.over(dd).times(down))
		}},
	}
}

// soft is genericSoft.
func soft(op abi.Operation, isSquare bool) []stage {
	return []stage{
		farExp,
		{"ratio", func(b *body) {
			x, t := b.get("U"), b.get("Target")
			up, down := b.num(b.Up()), b.num(b.Down())
			other := b.num(1).minus(t)
			negative := b.negative(x)
			beta, theta := swap(negative, other, t)
			A, g := b.get("A"), b.get("g")
			e, small, m := b.log(A, g)

			// R + rest, scaled up as e is
			lost := b.num(1).minus(other).minus(t) // of 1-t
			eLow := A.minus(e).plus(g)
			share := beta.times(up)
			product := e.times(theta)
			R := share.plus(product)
			rest := smaller(share, product).minus(R.minus(larger(share, product)))
			rest = rest.plus(fma(eLow, theta, fma(e, theta, neg(product))))
			rest = fma(chooseLess(negative, e, up), lost, rest)

			// m = M·(1+low)
			d := b.num(1).plus(small)
			dLow := fma(eLow, down, b.num(1).minus(d).plus(small))
			M := R.over(d)
			inverse := b.num(1).over(R)
			low := fma(neg(M), dLow, fma(neg(M), d, R).plus(rest)).times(inverse)

			b.put("m", m)
			b.put("lost", lost)
			b.put("beta", beta)
			b.put("dLow", dLow)
			b.put("R", R)
			b.put("rest", rest)
			b.put("inverse", inverse)
			b.put("M", M)
			b.put("low", low)
		}},
		{"logRatio", func(b *body) {
			if isSquare {
				return
			}
			k, y, h := b.logM(b.get("M"), b.get("low"))
			t, r := b.powArgument(k, neg(y), h)
			b.put("t", t)
			b.put("r", r)
		}},
		{"end", func(b *body) {
			x, t, A, g, m := b.get("U"), b.get("Target"), b.get("A"), b.get("g"), b.get("m")
			zero, one, up, down := b.num(0), b.num(1), b.num(b.Up()), b.num(b.Down())
			beta := b.get("beta")
			Y := beta.times(b.abs(x))
			e, small, _ := b.log(A, g)

			// w = wPos·t + wNeg·(1-t), the greater product not rounded
			other := one.minus(t)
			wPos, wNeg := b.get("WPos"), b.get("W")
			posPart, negPart := wPos.times(t), wNeg.times(other)
			w := fma(wNeg, b.get("lost"), smaller(posPart, negPart))
			less := compare(posPart, negPart, less)
			w = fma(choose(less, wNeg, wPos), choose(less, other, t), w)

			// big = w·m^γ·2^Shift
			var big, B *value
			if isSquare {
				M, low := b.get("M"), b.get("low")
				unscaled := M.times(down)
				square := M.times(unscaled)
				lack := fma(square, low.plus(low), fma(M, unscaled, neg(square))) // what m² has besides
				big = fma(w, square, w.times(lack))
				B = big.times(down)
			} else {
				big, B = b.pow(w, b.get("t"), b.get("r"), true)
			}

			// loss = B·E, E = ln2·(A + m) + Y, and Y wins where it is infinite
			Q := fma(B, A, B.times(m))
			b.put("Loss", fma(Q, b.num(b.ln2Down()), larger(B.times(Y), Y.minus(b.num(b.largest())))))
			if op == abi.Loss {
				return
			}

			// ±grad = B·(D + γ·κ·E)/(1+e), D = 2β - R, κ = ±δ·e/R; D and κ less what 1+e lacks
			R := b.get("R")
			eLow := A.minus(e).plus(g)
			Y = beta.times(smaller(b.num(b.MaxSoftplus), b.abs(x))) // beyond, κ is 0, but e has stopped falling
			rest := b.get("rest")
			dLow := b.get("dLow")
			D := fma(b.num(2), beta.times(up), neg(R))
			DLess := D.minus(fma(D, dLow, rest))
			if op != abi.Frozen {
				inverse := b.get("inverse")
				kappa := e.times(inverse)
				kappa = fma(fma(neg(kappa), rest, fma(neg(e), dLow, fma(neg(kappa), R, e)).plus(eLow)), inverse, kappa)
				gDelta := b.flipped(fma(neg(t.plus(t)), b.param("Gamma"), b.param("Gamma")), x)
				gKappa := gDelta.times(kappa)
				grad := fma(gKappa, fma(b.num(b.table.Ln2), Q, big.times(Y)), B.times(DLess)).over(up.plus(e))
				b.put("Grad", b.flipped(grad, x))
			}
			if op == abi.Grad {
				return
			}

			// curv = B·e/(1+e)²
			d := one.plus(small)
			dd := fma(d, d, d.times(dLow.plus(dLow)))
			b.put("Curv", B.times(fma(zero, Y, e)).over(dd).times(down)) // the product lets a NaN in
			if op == abi.Frozen {
				b.put("Grad", b.flipped(B.times(fma(zero, Y, DLess)).over(up.plus(e)), x))
				return
			}

			// hess = B·(e + γ·κ·(2D + E·((γ-1)·κ - (1-e))))/(1+e)². κ may be tiny.
			inverse := b.get("inverse")
			halfUp, halfDown := b.num(b.HalfUp()), b.num(b.HalfDown())
			eHalf := e.times(halfUp)
			kappa := eHalf.times(inverse)
			kappa = fma(fma(neg(kappa), R, eHalf).plus(fma(neg(kappa), rest, eLow.times(halfUp))), inverse, kappa)
			delta := b.flipped(fma(b.num(-2), t, one), x)
			kappa = delta.times(kappa)
			gKappa := fma(b.param("PowHi"), kappa, b.param("PowLo").times(kappa))
			factor := fma(b.param("GammaMinus1"), kappa.times(halfDown), small.minus(one))
			D = D.minus(rest)
			bracket := fma(Y.times(up), factor, fma(b.num(b.table.Ln2).times(A.plus(m)), factor, D.plus(D)))
			bracket = fma(gKappa, bracket.times(halfDown), e)
			bracket = smaller(b.num(b.Large()), bracket)
			bracket = big.times(b.param("HessPow")).times(bracket.times(b.param("HessBracket")))
			b.put("Hess", bracket.over(dd).times(down))
		}},
	}
}

// logM returns log2 m = k + y + h for m = M·(1+low) ≤ 1: k is an integer and y, scaled up by 2^Shift, M's other bits.
func (b *body) logM(M, low *value) (k, y, h *value) {
	k = M.shr(b.MantissaBits).or(b.num(b.MagicLog())).minus(b.num(b.MagicLog() + float64(b.Bias()+b.Shift)))
	y = M.and(b.bitPattern(1<<b.MantissaBits - 1)).or(b.num(b.Up())).minus(b.num(b.Up()))
	small := y.times(b.num(b.Down()))
	yy := fma(neg(y), small, y)
	m := yy.times(b.polynomial(b.table.Log, small, nil))
	return k, y, fma(m, b.num(b.Down()), low.times(b.num(b.table.Log2E)))
}

// sigmoid is genericSigmoid.
var sigmoid = stage{"sigmoid", func(b *body) {
	u := b.get("U")
	negative := b.negative(u)
	V := smaller(b.num(b.MaxSoftplus), larger(b.num(0), u))
	A, p, _, _ := b.exp(u, b.MagicFar(), b.FarLogit)
	_, c, _, _, minusV := b.quotient(negative, A.times(b.num(b.Down())), p)
	S := choose(negative, A, b.num(b.Up())).times(c)
	S = fma(S, neg(minusV), S)
	b.put("Loss", fma(S, b.num(b.Down()), b.num(0).times(V))) // the product lets a NaN in
}}

// softplus is genericSoftplus.
var softplus = stage{"softplus", func(b *body) {
	u := b.get("U")
	A, p, _, _ := b.exp(u, b.MagicFar(), b.FarLogit)
	_, _, m := b.log(A, A.times(p))
	b.put("Loss", fma(A.plus(m), b.num(b.ln2Down()), larger(b.num(0), u)))
}}

func (b *body) ln2Down() float64 { return b.table.Ln2 * b.Down() }

// largest returns the largest number that there is.
func (b *body) largest() float64 {
	if b.double {
		return math.MaxFloat64
	}
	return math.MaxFloat32
}
