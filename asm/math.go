package main

// prototypes

var (
	mmER = []float64{0, -0x1.fe311cp-6, -0x1.986d32p-5, -0x1.df6cc2p-5, -0x1.e27076p-5, -0x1.ac5ddp-5, -0x1.45ad2p-5, -0x1.6a2a92p-6}
	mmEC = []float64{0x1.000044p-1, 0x1.5552ccp-3, 0x1.4c957ep-5}
	tbRC = []float64{1, 0x1.cp-1, 0x1.94p-1, 0x1.6cp-1, 0x1.4ep-1, 0x1.28p-1, 0x1.1ap-1, 0x1p-1}
	tbLG = []float64{0, 0x1.1178e8p-3, 0x1.e530fp-3, 0x1.5d5bdep-2, 0x1.b56fap-2, 0x1.188ee4p-1, 0x1.315da4p-1, 0x1.62e43p-1}
	tbPL = []float64{-0x1.ffffa6p-2, 0x1.555766p-2, -0x1.0108cp-2, 0x1.959d8ep-3}
)

func horner(b *body, c []float64, x *value) *value {
	q := b.num(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		q = fma(q, x, b.num(c[i]))
	}
	return q
}

func tm(grad bool) func(f *function, b *body) {
	return func(f *function, b *body) {
		u := b.load(f.arg("U"))
		one, zero := b.num(1), b.num(0)
		negative := b.negative(u)
		a := minOf(b.abs(u), b.num(87))
		t := fma(neg(a), b.num(0x1.715476p3), b.num(12582912+1016))
		k := t.minus(b.num(12582912 + 1016))
		s := b.lookup(mmER, t)
		A := t.shl(20)
		g := fma(neg(k), b.num(0x1.62e8p-4), neg(a))
		g = fma(neg(k), b.num(-0x1.e8082ep-19), g)
		g = g.plus(s)
		p := fma(g.times(g), horner(b, mmEC, g), g)

		ix := fma(A, b.num(7), b.num(12582912))
		c := b.lookup(tbRC, ix)
		LL := b.lookup(tbLG, ix)
		S := A.times(c)
		z := S.plus(c.minus(one))
		z = fma(S, p, z)
		v := negative.choose(p, zero)
		v = v.minus(z).over(z.plus(one))
		y := fma(horner(b, tbPL, z), z.times(z), z)
		L := LL.plus(y)
		L = L.plus(maxOf(zero, u))
		sS := negative.choose(S, c)
		B := sS.times(sS).times(b.load(f.arg("W")))
		q := fma(v, v, v.plus(v))
		B = fma(B, q, B)
		b.store(f.arg("Loss"), B.times(L))
		if grad {
			e := fma(A, p, A)
			L = minOf(b.num(128), L)
			L = L.plus(L)
			s := fma(sS, v, sS)
			be := negative.choose(one.minus(s), e.times(s))
			b.store(f.arg("Grad"), B.times(fma(be, L, s)))
		}
	}
}

func (b *body) abs(x *value) *value {
	return x.and(b.bitPattern(1<<(8*b.elem()-1) - 1))
}
