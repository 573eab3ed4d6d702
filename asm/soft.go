package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/gofocal/focal/internal/coef"
)

// The kernels of soft targets: kernel_generic_soft.go in vectors, and with its names.

// softBody writes the code for one group.
func (k *kernel) softBody() {
	byte := k.maskByte()
	tiny := !k.square || k.order == hessian
	one := k.float("one", 1)

	k.Comment("a = wPos·t + wNeg·(1-t)")
	t := k.read(k.target)
	other := k.load(one)
	k.do("VSUBP.", other, other, t)
	w := k.group()
	k.do("VMULP.", w, other, k.params["WNeg"])
	k.do("VFMADD231P.", w, t, k.params["WPos"])
	a := k.hold(w)

	k.Comment("β, θ: the shares of N and O; y = β·|x|, 0 rather than the NaN of 0·Inf, which has its sign set")
	x := k.read(k.x)
	var negative, swap sign
	if k.wide {
		negative.mask = k.signMasks(x)
	} else {
		negative.u = k.spill(x)
	}
	beta, theta := k.choose(negative, t, other), k.choose(negative, other, t)
	var d group
	if k.order >= gradient {
		d = k.load(k.float("minus_two", -2))
		k.do("VFMADD213P.", d, t, one)
	}
	abs := k.group()
	k.do("VANDP.", abs, x, k.bits("abs", k.signBit()-1))
	y := k.group()
	k.do("VMULP.", y, beta, abs)
	k.notNegative(y)
	yHeld := k.hold(y)

	k.Comment("where β is 0, N and O change places")
	var flip sign
	if k.wide {
		swap.mask = k.masks()
		k.do("VCMPP.", swap.mask, beta, k.zero(), Imm(0))
		for v := range k.n {
			k.emit("VBLENDMP"+k.letter()+"_BCST", beta[v], swap.mask[v], beta[v], one.Mem)
			k.emit("VBLENDMP"+k.letter(), theta[v], swap.mask[v], theta[v], k.zeros)
		}
		if k.order >= gradient {
			flip.mask = k.masks()
			k.do("KXORW", flip.mask, negative.mask, swap.mask)
			k.flipBy(d, flip)
		}
	} else {
		m := k.group()
		k.do("VCMPP.", m, beta, k.zero(), Imm(0))
		swap.u = k.spill(m)
		k.do("VBLENDVP.", beta, beta, one, m)
		k.do("VANDNP.", theta, m, theta)
		if k.order >= gradient {
			k.do("VXORP.", m, m, x)
			k.do("VANDP.", m, m, k.signMask())
			flip.u = k.spill(m)
			k.flipBy(d, flip)
		}
	}
	betaHeld, thetaHeld := k.hold(beta), k.hold(theta)
	var dHeld value
	if k.order >= gradient {
		dHeld = k.hold(d)
	}

	r := k.logistic(abs, tiny, want{exponent: !k.square, e: true})

	// a·m^γ is B·R² at γ = 2, otherwise B·2^-TinyShift.
	var B group
	if k.square {
		B = k.shortSquare(k.choose(swap, r.S, r.c), a)
	}

	var N, O, bigO, bigR value
	if k.order == loss {
		if k.square {
			h := k.fraction(r)
			v := k.restIf(swap, r.p, h)
			k.do("VSUBP.", v, v, h)
			k.longSquare(B, v)
		}
	} else {
		c, S := k.hold(r.c), k.hold(r.S)
		k.Comment("S·(1+vS) and c·(1+vC) are N and O, where swapped, otherwise O and N")
		h := k.fraction(r)
		vS, vC := k.rest(r.p, h), h
		k.do("VSUBP.", vS, vS, h)
		k.do("VSUBP.", vC, k.zero(), h)
		if !k.square || k.order == hessian {
			k.Comment("O·2^TinyShift")
			v := k.choose(swap, vC, vS)
			big := k.get(c)
			k.do("VMULP.", big, big, k.huge())
			big = k.choose(swap, big, r.tinyS)
			k.do("VFMADD132P.", big, big, v)
			bigO = k.hold(big)
		}
		C1, S1 := k.own(c), k.own(S)
		k.do("VFMADD132P.", C1, C1, vC)
		k.do("VFMADD132P.", S1, S1, vS)
		if k.square {
			k.longSquare(B, k.choose(swap, vS, vC))
		}
		N, O = k.hold(k.choose(swap, S1, C1)), k.hold(k.choose(swap, C1, S1))
	}

	k.Comment("R = β + e·θ")
	R := k.get(r.e)
	if k.square {
		if tiny {
			k.do("VMULP.", R, R, k.tiny())
		}
		k.do("VFMADD213P.", R, k.own(thetaHeld), betaHeld)
		k.do("VMULP.", B, B, R)
		if k.order == hessian {
			big := k.group()
			k.do("VMULP.", big, R, k.huge())
			bigR = k.hold(big)
		}
	} else {
		big := k.get(betaHeld)
		k.do("VMULP.", big, big, k.huge())
		k.do("VFMADD213P.", R, k.own(thetaHeld), big)
		bigR = k.hold(R)
	}
	RHeld := k.hold(R)

	l := k.log1p(r)
	if !k.square {
		hi, lo := k.log8Of(r, l, swap)
		hiHeld, loHeld, lHeld := k.hold(hi), k.hold(lo), k.hold(l)
		hiR, loR := k.log8(k.get(bigR))
		k.do("VADDP.", hiR, hiR, hiHeld)
		k.do("VADDP.", loR, loR, loHeld)
		B = k.power(func() value { return a }, hiR, loR)
		l = k.own(lHeld)
	}
	k.Comment("L = log1p(e) + β·|x|, NaN if x is")
	L := l
	k.do("VADDP.", L, L, r.log())
	k.do("VADDP.", L, L, yHeld)

	losses := k.group()
	if k.square {
		k.do("VMULP.", losses, L, RHeld)
		k.kept("VMULP.", byte, losses, losses, B)
	} else {
		losses = k.unscaled(k.copy(B))
		k.kept("VMULP.", byte, losses, losses, L)
	}
	k.addToSums(losses)
	k.store(k.loss, losses)
	if k.order == loss {
		return
	}

	k.Comment("D = N·β - O·θ")
	OTheta, D := k.get(O), k.get(N)
	k.do("VMULP.", OTheta, OTheta, thetaHeld)
	k.do("VFMSUB132P.", D, OTheta, betaHeld)
	gL := k.load(k.float("max_softplus", k.table.MaxSoftplus))
	k.do("VMINP.", gL, gL, L) // the second operand if one is NaN
	k.do("VMULP.", gL, gL, k.params["Gamma"])

	var bigK, kappa value
	if bigO != nil {
		k.Comment("κ = d·O/R, and it times 2^(TinyShift/2)")
		q := k.get(bigO)
		k.do("VMULP.", q, q, k.large())
		k.do("VDIVP.", q, q, bigR)
		k.do("VMULP.", q, q, dHeld)
		unscaled := k.group()
		k.do("VMULP.", unscaled, q, k.small())
		if k.order == hessian {
			bigK = k.hold(q)
		}
		kappa = k.hold(unscaled)
	}

	var grad group
	if k.square {
		k.Comment("grad = ±B·(R·D + d·O·γ·L)")
		grad = k.get(O)
		k.do("VMULP.", grad, grad, dHeld)
		RD := k.group()
		k.do("VMULP.", RD, D, RHeld)
		k.do("VFMADD213P.", grad, gL, RD)
	} else {
		k.Comment("grad = ±B·(D + κ·γ·L)")
		grad = k.get(kappa)
		k.do("VFMADD213P.", grad, gL, D)
	}
	k.flipBy(grad, flip) // now, so that the zeros of ignored elements stay positive
	k.finish(grad, B, byte)
	k.upstream(grad, byte)
	k.store(k.grad, grad)
	if k.order == gradient {
		return
	}

	k.Comment("hess = B·(p·q + κ·(2γ·D + γ·L·(γ·κ - (κ - O + N)))), of a label B·O·(N·(1+2γ) + γ·L·(γ·O - N))")
	inner := k.group()
	k.do("VADDP.", inner, D, D)
	k.do("VMULP.", inner, inner, k.params["Gamma"])
	soft := k.get(thetaHeld)
	label := k.get(N)
	k.do("VMULP.", label, label, k.params["HessOne"])
	var hard sign
	if k.wide {
		hard.mask = k.masks()
		k.do("VCMPP.", hard.mask, soft, k.zero(), Imm(0))
	} else {
		k.do("VCMPP.", soft, soft, k.zero(), Imm(0))
		hard.u = k.spill(soft)
	}
	inner = k.choose(hard, label, inner)
	bracket := k.get(kappa)
	k.do("VSUBP.", bracket, bracket, O)
	k.do("VADDP.", bracket, bracket, N)
	again := k.get(kappa)
	k.do("VFMSUB132P.", again, bracket, k.params["Gamma"])
	k.do("VFMADD213P.", again, gL, inner)
	K, pq := k.get(bigK), k.get(bigO)
	k.do("VMULP.", K, K, k.large())
	K = k.choose(hard, bigO, K)
	k.do("VMULP.", pq, pq, N)
	minusZero := k.load(k.signMask())
	pq = k.choose(hard, minusZero, pq)
	k.do("VFMADD213P.", again, K, pq)
	k.do("VMULP.", again, again, k.tiny())
	if k.square {
		k.do("VMULP.", B, B, RHeld)
	}
	k.finish(again, B, byte)
	k.store(k.hess, again)
}

// signMasks returns the masks of the elements whose sign bit is set; AVX-512.
func (g *generator) signMasks(x group) masks {
	m := g.masks()
	g.do(map[bool]string{false: "VPMOVD2M", true: "VPMOVQ2M"}[g.double], m, x)
	return m
}

// notNegative makes 0 of whatever has its sign bit set.
func (g *generator) notNegative(y group) {
	if g.wide {
		g.do(map[bool]string{false: "VPMAXSD", true: "VPMAXSQ"}[g.double], y, y, g.zero())
		return
	}
	g.do("VBLENDVP.", y, y, g.zero(), y)
}

// flipBy changes the sign where flip says so: AVX2 has the sign bits themselves.
func (g *generator) flipBy(d group, flip sign) {
	if !g.wide {
		g.do("VXORP.", d, d, flip.u)
		return
	}
	for v := range g.n {
		g.emit("VXORP"+g.letter()+"_BCST", d[v], flip.mask[v], d[v], g.signMask().Mem)
	}
}

func (g *generator) large() scalar { return g.float("large", math.Ldexp(1, g.table.TinyShift/2)) }
func (g *generator) small() scalar { return g.float("small", math.Ldexp(1, -g.table.TinyShift/2)) }

// log8 returns 8·log2(R·2^-TinyShift) as hi + lo, for R = 2^k·y, 1 ≤ y < 2. It consumes R.
func (g *generator) log8(R group) (hi, lo group) {
	g.Comment("8·log2 R = hi + lo, R = 2^k·y")
	bits := uint64(g.table.MantissaBits)
	size := map[bool]string{false: "D", true: "Q"}[g.double]
	magic := math.Ldexp(1.5, g.table.MantissaBits)
	k := g.group()
	g.do("VPSRL"+size, k, R, Imm(bits))
	g.addInteger(k, g.float("magic", magic))
	bias := g.bitsOf(math.Ldexp(1, g.table.TinyShift)) >> bits
	g.do("VSUBP.", k, k, g.float("magic_exp", magic+float64(bias)))
	y := R
	g.do("VANDP.", y, y, g.bits("mantissa", 1<<bits-1))
	g.do("VORP.", y, y, g.float("one", 1))
	i := g.load(g.float("magic_index", magic-coef.IndexScale))
	g.do("VFMADD231P.", i, y, g.float("index", coef.IndexScale))
	at := g.index(i)
	hi = g.lookup(g.floats("log8_hi", g.table.log8Hi), at)
	g.do("VFMADD231P.", hi, k, g.float("eight", 8))
	z := g.lookup(g.floats("recip", g.table.recip), at)
	lo = g.lookup(g.floats("log8_lo", g.table.log8Lo), at)
	g.do("VFMSUB213P.", z, y, g.float("one", 1))
	zz := g.group()
	g.do("VMULP.", zz, z, z)
	l := g.log1p(logistic{z: z, zz: zz})
	g.do("VFMADD231P.", lo, l, g.float("scale", g.table.scale))
	return hi, lo
}

// addInteger adds a constant's bits to those of k, as integers.
func (g *generator) addInteger(k group, c scalar) {
	g.do(map[bool]string{false: "VPADDD", true: "VPADDQ"}[g.double], k, k, c)
}

// targets writes the kernels that look at the targets of an instruction set and an element type.
func targets(g *generator) {
	(&kernel{generator: g}).targetsValid()
	(&kernel{generator: g}).hardMask()
}

// targetsValid writes func(t unsafe.Pointer, n int) (ok bool): whether all are in [0, 1].
func (k *kernel) targetsValid() {
	k.Function("targetsValid" + k.suffix)
	k.Attributes(attr.NOSPLIT)
	k.signature("t unsafe.Pointer", "n int", "-> ok bool")
	k.x, k.end = k.argument("t"), k.argument("n")
	k.n = 4
	zero, one := k.vector(), k.ones()
	k.emit("VXORPS", zero, zero, zero)
	least, most := Imm(0x1d), Imm(0x12) // ≥ and ≤, false for NaN
	if k.wide {
		valid := k.K()
		k.KXNORW(valid, valid, valid)
		k.loops(func() {
			m := k.masks()
			t := k.read(k.x)
			for v := range k.n { // the last comparison's own mask is what was valid before
				k.emit("VCMPP"+k.letter(), m[v], t[v], zero, least)
				k.emit("KANDW", valid, valid, m[v])
				k.emit("VCMPP"+k.letter(), valid, valid, t[v], one, most)
			}
		}, func() {
			r := k.GP32()
			k.KMOVW(valid, r)
			k.CMPL(r, U32(1<<k.lanes()-1))
			k.SETEQ(k.result("ok"))
		})
		return
	}
	valid := k.YMM()
	k.VPCMPEQD(valid, valid, valid)
	k.loops(func() {
		above, below := k.group(), k.group()
		t := k.read(k.x)
		k.do("VCMPP.", above, t, zero, least)
		k.do("VCMPP.", below, t, one, most)
		for v := range k.n {
			k.VANDPS(above[v], valid, valid)
			k.VANDPS(below[v], valid, valid)
		}
	}, func() {
		r := k.GP32()
		k.emit("VMOVMSKP"+k.letter(), r, valid)
		k.CMPL(r, U32(1<<k.lanes()-1))
		k.SETEQ(k.result("ok"))
	})
}

// hardMask writes func(pos *uint64, t unsafe.Pointer, n int) (hard bool): the mask of the targets that are 1, from bit 0 on,
// and whether all others are 0. If not, it stops there.
func (k *kernel) hardMask() {
	k.Function("hardMask" + k.suffix)
	k.Attributes(attr.NOSPLIT)
	k.signature("pos *uint64", "t unsafe.Pointer", "n int", "-> hard bool")
	k.pos = k.argument("pos")
	k.x, k.end = k.argument("t"), k.argument("n")
	k.n = 2
	hard := k.GP32()
	k.MOVL(U32(1), hard)
	zero, one := k.vector(), k.ones()
	k.emit("VXORPS", zero, zero, zero)
	all := k.GP32()
	k.loops(func() {
		byte := k.maskByte()
		t := k.read(k.x)
		r := k.GP32()
		if k.wide {
			for v := range k.n {
				m0, m1 := k.K(), k.K()
				k.emit("VCMPP"+k.letter(), m1, t[v], one, Imm(0))
				k.emit("VCMPP"+k.letter(), m0, t[v], zero, Imm(0))
				m := Mem{Base: k.pos, Index: byte, Scale: 1, Disp: v * k.lanes() / 8}
				k.emit(map[bool]string{false: "KMOVW", true: "KMOVB"}[k.double], m, m1)
				k.KORW(m0, m1, m0)
				k.KMOVW(m0, r)
				if v == 0 {
					k.MOVL(r, all)
				} else {
					k.ANDL(r, all)
				}
			}
		} else {
			is0, is1 := k.group(), k.group()
			k.do("VCMPP.", is1, t, one, Imm(0))
			k.do("VCMPP.", is0, t, zero, Imm(0))
			bits := k.GP32()
			for v := range k.n {
				k.emit("VORPS", is0[v], is0[v], is1[v])
				k.emit("VMOVMSKP"+k.letter(), r, is1[v])
				if v == 0 {
					k.MOVL(r, bits)
					k.emit("VMOVMSKP"+k.letter(), all, is0[v])
				} else {
					k.SHLL(Imm(uint64(v*k.lanes())), r)
					k.ORL(r, bits)
					k.emit("VMOVMSKP"+k.letter(), r, is0[v])
					k.ANDL(r, all)
				}
			}
			m := Mem{Base: k.pos, Index: byte, Scale: 1}
			switch {
			case !k.last && k.n*k.lanes() == 16:
				k.MOVW(bits.As16(), m)
			case k.lanes() == 4 && k.last: // half a byte, the first or the second
				k.MOVQ(k.e, reg.RCX)
				k.ANDL(Imm(4), reg.ECX)
				before, mask := k.GP32(), k.GP32()
				k.MOVL(U32(1), mask)
				k.SHLL(reg.CL, mask)
				k.DECL(mask)
				k.MOVBLZX(m, before)
				k.ANDL(mask, before)
				k.SHLL(reg.CL, bits)
				k.ORL(before, bits)
				k.MOVB(bits.As8(), m)
			default:
				k.MOVB(bits.As8(), m)
			}
		}
		k.labels++
		next := fmt.Sprintf("next%d", k.labels)
		k.CMPL(all, U32(1<<k.lanes()-1))
		k.JEQ(LabelRef(next))
		k.XORL(hard, hard)
		k.JMP(LabelRef("done"))
		k.Label(next)
	}, func() {
		k.MOVB(hard.As8(), k.result("hard"))
	})
}

// ones returns a register with every element 1.
func (g *generator) ones() reg.VecVirtual { return g.broadcast(g.float("one", 1)) }
