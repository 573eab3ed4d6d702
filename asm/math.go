package main

import (
	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/coef"
)

// The mathematics, line by line that of kernel_generic.go, which says what it is about.

// exp returns A and p, exp(-|u|) = A·(1+p), and k and f, log2 exp(-|u|) = k + f; and t, which has A and k in it.
func (b *body) exp(u *value, magic, bound float64) (t, p, f *value) {
	c := b.table
	a := b.abs(u)
	a = smaller(a, b.num(bound))
	t = fma(neg(a), b.num(c.Log2E), b.num(magic))
	k := t.minus(b.num(magic))
	f = fma(neg(a), b.num(c.Log2E), neg(k))
	f = fma(neg(a), b.num(c.Log2ELo), f)
	x := f.plus(b.node(t))
	p = x.times(b.polynomial(c.Exp, x, nil))
	return t, p, f
}

// A returns exp's A.
func (b *body) A(t *value) *value { return t.shl(b.MantissaBits - b.NodeBits) }

// log returns e, λ = log2(1+e) and m = λ - A, all scaled up by 2^Shift as A is, and e as it is.
func (b *body) log(A, p *value) (e, small, lambda, m *value) {
	g := A.times(p)
	e = A.plus(g)
	small = e.times(b.num(b.Down()))
	ee := fma(neg(e), small, e)
	m = fma(ee, b.polynomial(b.table.Log, small, nil), g)
	lambda = A.plus(m)
	return e, small, lambda, m
}

// powArgument returns t and r, of whose powers of two s^γ is the product.
func (b *body) powArgument(negative *mask, A, m, k, f *value) (t, r *value) {
	zero := b.num(0)
	powHi := b.param("PowHi")

	// log2 s = (k - A) + h, in which k is a multiple of 1/N, A is short, and h is small
	k = choose(negative, k, zero)
	f = choose(negative, f, zero)
	h := fma(neg(m), b.num(b.Down()), f)
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

// pow returns w·s^γ.
func (b *body) pow(w, t, r *value) *value {
	p := r.times(b.polynomial(b.table.Pow, r, nil))
	B := w.times(t.shl(b.MantissaBits))
	B = fma(B, p, B)
	return B.times(b.num(b.Down()))
}

// tableStep returns L, and S and v, σ(u) = S·(1+v), for an A that is not scaled.
func (b *body) tableStep(negative *mask, V, A, p *value) (L, S, v *value) {
	one := b.num(1)
	i := fma(A, b.num(coef.RecipScale), b.num(b.MagicIndex()))
	r := b.lookup(b.table.Recip[:], i)
	S = A.times(r)
	z := S.plus(r.minus(one))
	z = fma(S, p, z)
	zz := z.times(z)
	y := fma(zz, b.polynomial(b.table.Log1p, z, zz), z)
	L = b.lookup(b.table.LogRecip[:], i).plus(V).plus(y)
	v = choose(negative, p, b.num(0)).minus(z).over(z.plus(one))
	S = choose(negative, S, r)
	return L, S, v
}

// polynomial returns c[0] + c[1]·x + c[2]·x² + …, for xx = x², which is nil if nobody else needs it: a short one by Horner's rule,
// a long one by even and odd powers apart.
func (b *body) polynomial(c []float64, x, xx *value) *value {
	n := len(c)
	q := b.num(c[n-1])
	if n <= coef.Horner {
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

// A stage is part of the computation of an element. Stages hand values on by name, by way of registers or, if each has a loop of its
// own, of memory: put and get.
type stage func(b *body)

// square is genericSquare.
func square(op abi.Operation) []stage {
	return []stage{func(b *body) {
		u, w := b.get("U"), b.get("W")
		negative := b.negative(u)
		V := larger(b.num(0), u)

		t, p, _ := b.exp(u, b.MagicExp(), b.NearLogit)
		A := b.A(t)
		L, S, v := b.tableStep(negative, V, A, p)

		// B = w·s², s² = S²·(1 + 2v + v²)
		B := S.times(S).times(w)
		B = fma(B, fma(v, v, v.plus(v)), B)
		b.put("Loss", B.times(L))
		if op == abi.Loss {
			return
		}

		e := fma(A, p, A)
		s := fma(S, v, S)
		q := choose(negative, b.num(1).minus(s), e.times(s))
		L = smaller(b.num(b.MaxSoftplus), L)
		L = L.plus(L)
		b.put("Grad", B.times(fma(q, L, s)))
	}}
}

// power is genericPower.
func power(op abi.Operation) []stage {
	return []stage{
		func(b *body) {
			t, p, f := b.exp(b.get("U"), b.MagicFar(), b.FarLogit)
			b.put("t", t)
			b.put("p", p)
			b.put("f", f)
		},
		func(b *body) {
			t, p, f := b.get("t"), b.get("p"), b.get("f")
			A, k := b.A(t), t.minus(b.num(b.MagicFar()))
			e, _, lambda, m := b.log(A, p)
			b.put("e", e)
			b.put("lambda", lambda)
			t, r := b.powArgument(b.negative(b.get("U")), A, m, k, f)
			b.put("T", t)
			b.put("r", r)
		},
		func(b *body) {
			u, w, lambda := b.get("U"), b.get("W"), b.get("lambda")
			negative := b.negative(u)
			V := larger(b.num(0), u)
			B := b.pow(w, b.get("T"), b.get("r"))

			// L = ln2·λ + V
			b.put("Loss", fma(B.times(lambda), b.num(b.ln2Down()), B.times(V)))
			if op == abi.Loss {
				return
			}

			// grad = B·(α + β·L)/(1+e), α = [u<0] ? e : 1, β = γ·([u<0] ? 1 : e)
			e, gamma, up := b.get("e"), b.param("Gamma"), b.num(b.Up())
			small := e.times(b.num(b.Down()))
			alpha := choose(negative, e, up)
			beta := choose(negative, gamma, gamma.times(small))
			L := fma(b.num(b.table.Ln2), lambda, smaller(b.num(b.MaxSoftplus), V).times(up))
			d := up.plus(e)
			b.put("Grad", B.times(fma(beta, L, alpha)).over(d))
		},
	}
}

func (b *body) ln2Down() float64 { return b.table.Ln2 * b.Down() }
