package main

import (
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"

	"github.com/gofocal/focal/internal/coef"
)

// The vector form of kernel_generic.go: the same operations in the same order. Where an instruction overwrites an
// operand that is needed no more, the comment "consumes" says so.

// A sign tells the elements whose u is negative.
type sign struct {
	u    slots // AVX2: by their sign bit
	mask masks // AVX-512
}

// A value is a group, or slots where it must wait for long.
type value any

// hold puts v where it can wait: on AVX2, on the stack.
func (g *generator) hold(v group) value {
	if g.wide {
		return v
	}
	return g.spill(v)
}

// save holds what v is now, for v will be overwritten.
func (g *generator) save(v group) value {
	if g.wide {
		return g.copy(v)
	}
	return g.spill(v)
}

// get returns a value as a new group, which may be consumed.
func (g *generator) get(v value) group {
	if s, ok := v.(slots); ok {
		return g.fill(s)
	}
	return g.copy(v.(group))
}

// choose returns a where negative, b elsewhere.
func (g *generator) choose(negative sign, a, b value) group {
	if !g.wide {
		mask, from := g.fill(negative.u), g.own(b)
		r := from // filled from the stack, it may be overwritten
		if _, held := b.(group); held {
			r = g.group()
		}
		g.do("VBLENDVP.", r, from, a, mask)
		return r
	}
	r := g.group()
	blend := map[bool]func(...Op) (*ir.Instruction, error){false: x86.VBLENDMPS, true: x86.VBLENDMPD}[g.double]
	for v := range g.n {
		av, bv := a.(group)[v], b.(group)[v]
		i, err := blend(av, bv, negative.mask[v], r[v])
		if err != nil {
			panic(err)
		}
		// Avo takes the result of whatever has a mask for an operand too; but this is no merging.
		i.Inputs = []Op{av, bv, negative.mask[v]}
		g.Instruction(i)
	}
	return r
}

// onlyIf returns a where negative, 0 elsewhere. It consumes a if that is a group.
func (g *generator) onlyIf(negative sign, a value) group {
	if g.wide {
		g.do("VMOVAP._Z", a, negative.mask, a)
		return a.(group)
	}
	r := g.group()
	g.do("VBLENDVP.", r, g.zero(), a, g.fill(negative.u))
	return r
}

// zero returns a vector of zeros, not to be overwritten: a register of its own where there are enough.
func (g *generator) zero() Op {
	if g.wide {
		return g.zeros
	}
	r := g.vector()
	g.emit("VXORPS", r, r, r)
	return r
}

// logistic is what loss, gradient and Hessian share: steps 1 and 2.
type logistic struct {
	k, f  value        // |u| = -(k+f)·ln2/8
	p     group        // e = A·(1+p), 1+e = (1+z)/c, S = A·c
	c, S  group        // σ(u) = S·(1+p)/(1+z) if u is negative, otherwise c/(1+z)
	z, zz group        // z and z²
	tinyS value        // S·2^TinyShift; only if tiny
	log   func() value // log1p(e) = log + log1p(z)
	log8  func() (hi, lo group)
}

// scale returns Exp[j]·2^floor(k/8), for the integers k in the last bits of t, and ExpRest[j], j = k mod 8.
// between writes what else there is to do meanwhile. It consumes t.
func (g *generator) scale(t group, between func()) (A, rest group) {
	shift := uint64(g.table.MantissaBits - 3)
	var exp [8]uint64
	for j, e := range g.table.exp {
		exp[j] = g.bitsOf(e) - uint64(j)<<shift
	}
	j := g.index(t)
	A = g.lookup(g.entries("exp", exp), j)
	rest = g.lookup(g.floats("exp_rest", g.table.expRest), j)
	between()
	if g.double {
		g.do("VPSLLQ", t, t, Imm(shift))
		g.do("VPADDQ", A, A, t)
	} else {
		g.do("VPSLLD", t, t, Imm(shift))
		g.do("VPADDD", A, A, t)
	}
	return A, rest
}

// exp2m1 returns 2^(v/8) - 1; v may be consumed.
func (g *generator) exp2m1(v group) group {
	p := g.polynomial("exp2m1_", g.table.exp2m1, v, func() group {
		vv := g.group()
		g.do("VMULP.", vv, v, v)
		return vv
	})
	g.do("VMULP.", p, p, v)
	return p
}

// magic is the number that rounds what is added to it to an integer.
func (g *generator) magic(tiny bool) scalar {
	if tiny {
		return g.float("magic_tiny", g.table.MagicTiny())
	}
	return g.float("magic", g.table.Magic())
}

func (g *generator) tiny() scalar { return g.float("tiny", g.table.Tiny()) }
func (g *generator) huge() scalar { return g.float("huge", g.table.Huge()) }

// want is what logistic shall do otherwise than usual.
type want struct {
	absolute bool             // u is |u| already
	small    bool             // if tiny, A is scaled down before S is made of it
	product  func(A, p group) // called with what e is made of; nil: not wanted
}

// logistic evaluates steps 1 and 2 for u, of which it takes the absolute value.
func (g *generator) logistic(u group, tiny bool, want want) (r logistic) {
	clamp := g.float("clamp", g.table.Clamp)
	if tiny {
		clamp = g.float("clamp_tiny", g.table.ClampTiny)
	}

	g.Comment("a = min(|u|, clamp); NaN becomes clamp")
	a := g.group()
	if want.absolute {
		g.do("VMINP.", a, u, clamp)
	} else {
		g.do("VANDP.", a, u, g.bits("abs", g.signBit()-1))
		g.do("VMINP.", a, a, clamp)
	}

	g.Comment("a·8/ln2 = -(k+f); e = A·(1+p)")
	magic := g.magic(tiny)
	t := g.load(magic)
	g.do("VFNMADD231P.", t, a, g.float("scale", g.table.scale))
	f := g.group()
	g.do("VSUBP.", f, t, magic)
	r.k = g.save(f)
	A, rest := g.scale(t, func() { g.do("VFNMSUB231P.", f, a, g.float("scale", g.table.scale)) })
	g.do("VFNMADD231P.", f, a, g.float("scale_lo", g.table.scaleLo))
	g.do("VADDP.", rest, rest, f)
	r.f = g.hold(f)
	i := g.load(g.magic(false))
	g.do("VFMADD231P.", i, A, g.indexScale(tiny))
	r.p = g.exp2m1(rest)
	big := A
	if want.small {
		A = g.group()
		g.do("VMULP.", A, big, g.tiny())
	}
	if want.product != nil {
		want.product(A, r.p)
	}

	g.Comment("z = c·(1+e) - 1 = S·p + (S + (c-1))")
	at := g.index(i)
	c := g.lookup(g.floats("recip", g.table.recip), at)
	r.log = g.later("log", g.table.log, at)
	hi, lo := g.later("log8_hi", g.table.log8Hi, at), g.later("log8_lo", g.table.log8Lo, at)
	r.log8 = func() (group, group) { return g.own(hi()), g.own(lo()) }
	if want.small {
		g.do("VMULP.", big, big, c)
		r.tinyS = g.hold(big)
	}
	g.do("VMULP.", A, A, c)
	S := A
	if tiny && !want.small {
		r.tinyS = g.hold(A)
		S = g.group()
		g.do("VMULP.", S, A, g.tiny())
	}
	r.z = g.group()
	g.do("VSUBP.", r.z, c, g.float("one", 1))
	g.do("VADDP.", r.z, r.z, S)
	g.do("VFMADD231P.", r.z, S, r.p)
	r.c, r.S = c, S
	r.zz = g.group()
	g.do("VMULP.", r.zz, r.z, r.z)
	return r
}

func (g *generator) indexScale(tiny bool) scalar {
	if tiny {
		return g.float("index_tiny", coef.IndexScale*g.table.Tiny())
	}
	return g.float("index", coef.IndexScale)
}

// later looks a table up when the result is called for. On AVX2 it does so now and keeps what it found, rather than
// the index.
func (g *generator) later(name string, entries [8]float64, i group) func() value {
	t := g.floats(name, entries)
	if g.wide {
		return func() value { return g.lookup(t, i) }
	}
	v := g.spill(g.lookup(t, i))
	return func() value { return v }
}

// own returns a value as a group: itself if it is one.
func (g *generator) own(v value) group {
	if s, ok := v.(slots); ok {
		return g.fill(s)
	}
	return v.(group)
}

// log1p returns log1p(z).
func (g *generator) log1p(r logistic) group {
	g.Comment("log1p(z) = z + z²·Q(z)")
	l := g.polynomial("log1p_", g.table.log1p, r.z, func() group { return r.zz })
	g.do("VFMADD213P.", l, r.zz, r.z)
	return l
}

// fraction returns h = z/(1+z).
func (g *generator) fraction(r logistic) group {
	g.Comment("h = z/(1+z)")
	h := g.group()
	g.do("VADDP.", h, r.z, g.float("one", 1))
	g.do("VDIVP.", h, r.z, h)
	return h
}

// rest returns p - p·h: e/(1+e) = S·(1 + rest - h). It consumes p.
func (g *generator) rest(p, h group) group {
	g.do("VFNMADD132P.", p, p, h)
	return p
}

// restIf returns p - p·h where negative, 0 elsewhere. It consumes p.
func (g *generator) restIf(negative sign, p, h group) group {
	if g.wide {
		g.do("VFNMADD132P._Z", p, negative.mask, p, h)
		return p
	}
	return g.onlyIf(negative, g.rest(p, h))
}

// softplus returns log1p(e) + max(u, 0), from log1p(z), which it consumes. NaN and infinity of u enter here.
func (g *generator) softplus(r logistic, l group, u value) group {
	g.Comment("L = log1p(e) + max(0, u), NaN if u is")
	g.do("VADDP.", l, l, r.log())
	m := g.group()
	g.do("VMAXP.", m, g.zero(), u) // the second operand if one is NaN
	g.do("VADDP.", l, l, m)
	return l
}

// shortSquare returns w·S² for a short S, whose square is exact, at γ = 2. It consumes S.
func (g *generator) shortSquare(S group, w value) group {
	g.Comment("w·S²")
	g.do("VMULP.", S, S, S)
	g.do("VMULP.", S, S, w)
	return S
}

// longSquare makes w·s² of it, where s = S·(1+v): step 3. It consumes v.
func (g *generator) longSquare(B, v group) {
	g.Comment("B = w·S²·(1 + 2v + v²)")
	y := g.group()
	g.do("VADDP.", y, v, v)
	g.do("VFMADD231P.", y, v, v)
	g.do("VFMADD132P.", B, B, y)
}

// log8Of returns 8·log2 s as hi + lo, from log1p(z). It consumes k and f.
func (g *generator) log8Of(r logistic, l group, negative sign) (hi, lo group) {
	g.Comment("8·log2 s = hi + lo")
	h8, l8 := r.log8()
	hi = g.onlyIf(negative, r.k)
	g.do("VSUBP.", hi, hi, h8)
	lo = g.onlyIf(negative, r.f)
	g.do("VFMADD231P.", l8, l, g.float("scale", g.table.scale))
	g.do("VSUBP.", lo, lo, l8)
	return hi, lo
}

// power returns w·s^γ·2^TinyShift, where 8·log2 s = hi + lo: step 4. It consumes hi and lo.
func (g *generator) power(w func() value, hi, lo group) group {
	sum := g.group()
	g.do("VADDP.", sum, hi, lo)

	g.Comment("γ·(hi+lo) = k + f")
	magic := g.magic(true)
	t := g.load(magic)
	g.do("VFMADD231P.", t, sum, g.params["PowHi"])
	g.do("VMAXP.", t, t, g.float("pow_min", g.table.MagicTiny()+g.table.PowMin))
	f := g.group()
	g.do("VSUBP.", f, t, magic)
	rounded := func() {
		g.do("VFMSUB231P.", f, hi, g.params["PowHi"])
		g.do("VFMADD231P.", f, lo, g.params["PowHi"])
		g.do("VFMADD231P.", f, sum, g.params["PowLo"])
		g.do("VMAXP.", f, f, g.float("minus_one", -1))
	}
	if !g.wide { // too few registers to wait
		rounded()
		rounded = func() {}
	}
	A, rest := g.scale(t, rounded)

	g.Comment("s^γ·2^TinyShift = A·(1+p)")
	g.do("VADDP.", rest, rest, f)
	p := g.exp2m1(rest)
	g.do("VMULP.", A, A, w())
	g.do("VFMADD132P.", A, A, p)
	return A
}
