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
	one := k.float("one", 1)

	k.Comment("β, θ: the shares of N and O; y = β·|x|, 0 rather than the NaN of 0·Inf, which has its sign set; lost: of 1-t")
	t, x := k.read(k.target), k.read(k.x)
	abs, y, lost, weights := k.group(), k.group(), k.group(), k.group()
	k.do("VANDP.", abs, x, k.bits("abs", k.signBit()-1))
	beta, theta := k.group(), k.group()
	var swap, flip sign // where N and O change places, since β is 0; and where x, or rather N, counts as negative
	if k.wide {
		ones := k.broadcast(one)
		swap.mask, flip.mask = k.masks(), k.masks()
		n := k.n
		k.n = 1 // vector by vector, for want of mask registers
		for v := range n {
			t, x, abs, y, lost, swap, flip := t[v:v+1], x[v:v+1], abs[v:v+1], y[v:v+1], lost[v:v+1], swap.mask[v:v+1], flip.mask[v:v+1]
			negative, other := k.signMasks(x), k.group()
			k.do("VSUBP.", other, ones, t)
			share := k.choose(sign{mask: negative}, t, other)
			k.do("VMULP.", y, share, abs)
			k.notNegative(y)
			k.do("VCMPP.", swap, share, k.zero(), Imm(0))
			k.do("KXORW", flip, negative, swap)
			beta[v], theta[v] = k.choose(sign{mask: flip}, t, other)[0], k.choose(sign{mask: flip}, other, t)[0]
			k.do("VSUBP.", lost, ones, other)
			k.do("VSUBP.", lost, lost, t)
			weights[v] = k.softWeights(t, other, lost)[0]
		}
		k.n = n
	} else {
		ones, other := k.load(one), k.group()
		k.do("VSUBP.", other, ones, t)
		k.do("VBLENDVP.", beta, other, t, x)
		k.do("VMULP.", y, beta, abs)
		k.notNegative(y)
		m := k.group()
		k.do("VCMPP.", m, beta, k.zero(), Imm(0))
		swap.u = k.spill(m)
		k.do("VXORP.", m, m, x)
		if k.order >= gradient {
			k.do("VANDP.", m, m, k.signMask())
		}
		flip.u = k.spill(m)
		k.do("VBLENDVP.", beta, other, t, m)
		k.do("VBLENDVP.", theta, t, other, m)
		k.do("VSUBP.", lost, ones, other)
		k.do("VSUBP.", lost, lost, t)
		weights = k.softWeights(t, other, lost)
	}
	yHeld, lostHeld := k.park(y), k.hold(lost)
	weightsHeld := k.park(weights)
	betaHeld, thetaHeld := k.park(beta), k.hold(theta)
	var sum, rest, R, bigR value // R is not scaled up, bigR is; the sum is if A is
	r := k.logistic(abs, true, want{absolute: true, small: k.square,
		product: func(A, p group) {
			k.Comment("R + rest = β + e·θ")
			unit := one
			if !k.square {
				unit = k.huge()
			}
			theta, rough := thetaHeld, k.group()
			k.do("VMULP.", rough, A, theta)
			product, left := k.copy(rough), k.copy(A)
			k.do("VFMADD213P.", product, p, rough)
			k.do("VFMSUB132P.", left, product, theta)
			k.do("VFMADD231P.", left, rough, p)
			k.do("VFMADD231P.", left, k.choose(flip, A, k.load(unit)), lostHeld)
			share := k.get(betaHeld)
			if !k.square {
				k.do("VMULP.", share, share, unit)
			}
			larger := k.group()
			k.do("VMAXP.", larger, share, product)
			k.do("VMINP.", product, share, product)
			R := share
			k.do("VADDP.", R, larger, product)
			k.do("VSUBP.", larger, R, larger)
			k.do("VSUBP.", product, product, larger)
			k.do("VADDP.", left, left, product)
			if k.square {
				k.Comment("R² as R·(R + 2·rest)")
				k.do("VFMADD132P.", left, R, k.float("two", 2))
				if k.order == hessian {
					big := k.group()
					k.do("VMULP.", big, R, k.huge())
					bigR = k.hold(big)
				}
			}
			sum, rest = k.hold(R), k.hold(left)
		}})

	var L group
	if k.square {
		L = k.softLoss(r, k.log1p(r), yHeld)
	}
	// a·m^γ is B·R at γ = 2, otherwise B·2^-TinyShift.
	var B group
	if k.square {
		B = k.shortSquare(k.choose(swap, r.S, r.c), weightsHeld)
	}

	var N, O, bigO value
	if k.order == loss {
		if k.square {
			h := k.fraction(r)
			v := k.restIf(swap, r.p, h)
			k.do("VSUBP.", v, v, h)
			k.longSquare(B, v)
		}
	} else {
		k.Comment("N and O are σ(u) and σ(-u), u negative where swapped")
		N, O, bigO = k.sigmoids(r, swap, !k.square || k.order == hessian, func(v func() group) { k.longSquare(B, v()) })
	}

	if k.square {
		R = sum
		k.do("VMULP.", B, B, rest)
	} else {
		l := k.log1p(r)
		hi, lo := k.log8Of(r, l, swap)
		hiHeld, loHeld, lHeld := k.hold(hi), k.hold(lo), k.hold(l)
		hiR, loR := k.log8(k.get(sum), k.get(rest))
		k.do("VADDP.", hiR, hiR, hiHeld)
		k.do("VADDP.", loR, loR, loHeld)
		B = k.power(func() value { return weightsHeld }, hiR, loR)
		L = k.softLoss(r, k.own(lHeld), yHeld)
	}
	losses := k.group()
	if k.square {
		k.do("VMULP.", losses, L, R)
		k.do("VMULP.", losses, losses, B)
	} else {
		k.Comment("the scale is taken back from E where that is above 1, but not of a label")
		scale, large := k.group(), k.group()
		k.do("VMULP.", large, L, k.tiny())
		losses = k.unscaled(k.copy(B))
		above := k.above1(L, thetaHeld)
		k.do("VMOVAP.", scale, B)
		losses, large = k.choose(above, scale, losses), k.choose(above, large, L)
		k.do("VMULP.", losses, losses, large)
	}
	k.Comment("for the NaN of 0·Inf: infinity, NaN if x is")
	bound := k.load(k.float("inf", math.Inf(1)))
	k.do("VADDP.", bound, bound, L)
	k.kept("VMINP.", byte, losses, losses, bound) // the second operand if one is NaN
	k.addToSums(losses)
	k.store(k.loss, losses)
	if k.order == loss {
		return
	}

	if !k.square {
		big, small := k.get(sum), k.group()
		k.do("VADDP.", big, big, rest)
		k.do("VMULP.", small, big, k.tiny())
		bigR, R = k.hold(big), k.hold(small)
	}

	k.Comment("δ = 1 - 2t")
	delta := k.load(k.float("minus_two", -2))
	k.do("VFMADD213P.", delta, k.read(k.target), one)

	k.Comment("D = N·(2β - R)")
	D := k.load(k.float("two", 2))
	k.do("VFMSUB213P.", D, k.own(betaHeld), R)
	k.do("VMULP.", D, D, N)
	if k.order == gradient {
		k.flipBy(D, flip)
	}
	gL := k.load(k.float("max_softplus", k.table.MaxSoftplus))
	k.do("VMINP.", gL, gL, L) // the second operand if one is NaN
	k.do("VMULP.", gL, gL, k.params["Gamma"])

	var bigK, kappa value
	deltaHeld := k.hold(delta)
	if bigO != nil {
		k.Comment("κ = δ·O/R, and it times 2^(TinyShift/2)")
		q := k.get(bigO)
		k.do("VMULP.", q, q, k.large())
		k.do("VDIVP.", q, q, bigR)
		k.do("VMULP.", q, q, deltaHeld)
		q = k.notFallen(q, bigO)
		unscaled := k.group()
		k.do("VMULP.", unscaled, q, k.small())
		if k.order == hessian {
			bigK = k.hold(q)
		}
		kappa = k.hold(unscaled)
	}

	signed := D
	if k.order == hessian {
		signed = k.copy(D)
		k.flipBy(signed, flip)
	}
	grad := k.group()
	if k.square {
		k.Comment("grad = B·(±R·D + δ·O·γ·L)")
		RD := k.group()
		k.do("VMULP.", RD, signed, R)
		k.do("VMULP.", grad, k.own(deltaHeld), O)
		k.do("VFMADD213P.", grad, gL, RD)
	} else {
		k.Comment("grad = B·(±D + κ·γ·L)")
		grad = k.get(kappa)
		k.do("VFMADD213P.", grad, gL, signed)
	}
	k.finish(grad, B, byte)
	k.upstream(grad, byte)
	k.store(k.grad, grad)
	if k.order == gradient {
		return
	}

	k.Comment("hess = B·(p·q + κ·(2γ·D + γ·L·(γ·κ - (κ - O + N)))), with κ ± as D; of a label B·O·(N·(1+2γ) + γ·L·(γ·O - N))")
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
	again := k.get(kappa)
	k.flipBy(again, flip)
	bracket := k.group()
	k.do("VSUBP.", bracket, again, O)
	k.do("VADDP.", bracket, bracket, N)
	k.do("VFMSUB132P.", again, bracket, k.params["Gamma"])
	k.do("VFMADD213P.", again, gL, inner)
	K, pq := k.get(bigK), k.get(bigO)
	k.flipBy(K, flip)
	k.do("VMULP.", K, K, k.large())
	K = k.choose(hard, bigO, K)
	k.do("VMULP.", pq, pq, N)
	minusZero := k.load(k.signMask())
	pq = k.choose(hard, minusZero, pq)
	k.do("VFMADD213P.", again, K, pq)
	k.do("VMULP.", again, again, k.tiny())
	if k.square {
		k.do("VMULP.", B, B, R)
	}
	k.finish(again, B, byte)
	k.store(k.hess, again)
}

// softLoss returns L from log1p(z), which it consumes.
func (g *generator) softLoss(r logistic, l group, y value) group {
	g.Comment("L = log1p(e) + β·|x|, NaN if x is")
	g.do("VADDP.", l, l, r.log())
	g.do("VADDP.", l, l, y)
	return l
}

// above1 returns where L > 1 and θ ≠ 0.
func (k *kernel) above1(L group, theta value) (above sign) {
	one, greater, other := k.float("one", 1), Imm(0x1e), Imm(4)
	if k.wide {
		above.mask = k.masks()
		th := theta.(group)
		for v := range k.n {
			k.emit("VCMPP"+k.letter(), above.mask[v], th[v], k.zero(), other)
			k.emit("VCMPP"+k.letter()+"_BCST", above.mask[v], above.mask[v], L[v], one.Mem, greater)
		}
		return above
	}
	m, th := k.group(), k.get(theta)
	k.do("VCMPP.", th, th, k.zero(), other)
	k.do("VCMPP.", m, L, one, greater)
	k.do("VANDP.", m, m, th)
	above.u = k.spill(m)
	return above
}

// notFallen returns q, but 0 where O has stopped falling. It consumes q.
func (k *kernel) notFallen(q group, bigO value) group {
	fallen := k.float("fallen", k.table.Fallen())
	if k.wide {
		for v := range k.n {
			m := k.K()
			k.emit("VCMPP"+k.letter()+"_BCST", m, bigO.(group)[v], fallen.Mem, Imm(0x1d)) // ≥
			k.emit("VMOVAP"+k.letter()+"_Z", q[v], m, q[v])
		}
		return q
	}
	m := k.get(bigO)
	k.do("VCMPP.", m, m, fallen, Imm(0x1d))
	k.do("VANDP.", q, q, m)
	return q
}

// softWeights returns a = wPos·t + wNeg·(1-t): what 1-t and its product have lost goes into the other product, so that only that
// and the last addition are rounded, or nearly so.
func (k *kernel) softWeights(t, other, lost group) group {
	a, rest := k.group(), k.copy(other)
	k.do("VMULP.", a, other, k.params["WNeg"])
	k.do("VFMSUB132P.", rest, a, k.params["WNeg"])
	k.do("VFMADD231P.", rest, lost, k.params["WNeg"])
	k.do("VFMADD231P.", rest, t, k.params["WPos"])
	k.do("VADDP.", a, a, rest)
	return a
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

func (g *generator) large() scalar { return g.float("large", g.table.Large()) }
func (g *generator) small() scalar { return g.float("small", g.table.Small()) }

// log8 returns 8·log2((R+rest)·2^-TinyShift) as hi + lo, for R = 2^k·y, 1 ≤ y < 2. It consumes R and rest.
func (g *generator) log8(R, rest group) (hi, lo group) {
	g.Comment("8·log2(R + rest) = hi + lo, R = 2^k·y; rest·2^-k")
	bits := uint64(g.table.MantissaBits)
	size := map[bool]string{false: "D", true: "Q"}[g.double]
	magic := g.table.Magic()
	k, inverse := g.group(), g.load(g.bits("two_ones", 2*g.bitsOf(1)))
	g.do("VANDP.", k, R, g.bits("exponent", g.signBit()-1<<bits))
	g.do("VPSUB"+size, inverse, inverse, k)
	g.do("VMULP.", rest, rest, inverse)
	g.do("VPSRL"+size, k, R, Imm(bits))
	g.addInteger(k, g.magic(false))
	bias := g.bitsOf(g.table.Huge()) >> bits
	g.do("VSUBP.", k, k, g.float("magic_exp", magic+float64(bias)))
	y := R
	g.do("VANDP.", y, y, g.bits("mantissa", 1<<bits-1))
	g.do("VORP.", y, y, g.float("one", 1))
	i := g.load(g.float("magic_index", magic-coef.IndexScale))
	g.do("VFMADD231P.", i, y, g.float("index", coef.IndexScale))
	at := g.index(i)
	hi = g.lookup(g.floats("log8_hi", g.table.log8Hi), at)
	g.do("VFMADD231P.", hi, k, g.float("eight", 8))
	recip := g.lookup(g.floats("recip", g.table.recip), at)
	z := g.copy(recip)
	lo = g.lookup(g.floats("log8_lo", g.table.log8Lo), at)
	g.do("VFMSUB213P.", z, y, g.float("one", 1))
	g.do("VFMADD231P.", z, rest, recip)
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

// targetsValid writes func(t unsafe.Pointer, n int) (ok bool): whether all are in [0, 1], -0 excepted, which is for the
// caller to find out.
//
// As unsigned integers these numbers are at most the bits of 1. AVX2 cannot compare 64-bit ones like that: there, the sign
// of bad collects the signs and what is not ≤ 1.
func (k *kernel) targetsValid() {
	k.Function("targetsValid" + k.suffix)
	k.Attributes(attr.NOSPLIT)
	k.signature("(t unsafe.Pointer, n int) (ok bool)")
	k.x, k.end = k.argument("t"), k.argument("n")
	k.n = 4
	one, zeros := k.ones(), k.vector()
	k.VPXOR(zeros.AsY(), zeros.AsY(), zeros.AsY())
	most := k.group() // or bad
	for v := range k.n {
		k.emit("VMOVAPS", most[v], zeros)
	}
	unsigned := map[bool]string{false: "VPMAXUD", true: "VPMAXUQ"}[k.double]
	k.loops(func() {
		t := k.read(k.x)
		if k.wide || !k.double {
			k.do(unsigned, most[:k.n], most[:k.n], t)
			return
		}
		k.do("VORPD", most[:k.n], most[:k.n], t)
		k.do("VCMPPD", t, t, one, Imm(0x16)) // not ≤
		k.do("VORPD", most[:k.n], most[:k.n], t)
	}, func() {
		r := k.GP32()
		for v := 1; v < len(most); v++ {
			if k.wide || !k.double {
				k.emit(unsigned, most[0], most[0], most[v])
			} else {
				k.emit("VORPD", most[0], most[0], most[v])
			}
		}
		switch {
		case k.wide:
			above := k.K()
			k.emit(map[bool]string{false: "VPCMPUD", true: "VPCMPUQ"}[k.double], above, most[0], one, Imm(6))
			k.KMOVW(above, r)
		case k.double:
			k.VMOVMSKPD(most[0], r)
		default:
			k.VPMINUD(most[0], one, one)
			k.VPSUBD(one, most[0], most[0]) // what is above
			k.VPCMPEQD(most[0], zeros, zeros)
			k.VMOVMSKPS(zeros, r)
			k.XORL(U32(0xff), r)
		}
		k.TESTL(r, r)
		k.SETEQ(k.result("ok"))
	})
}

// hardMask writes func(pos *uint64, t unsafe.Pointer, n int) (hard bool): the mask of the targets that are 1, from bit 0 on,
// and whether all others are 0 (-0 is not). If not, it stops there.
func (k *kernel) hardMask() {
	k.Function("hardMask" + k.suffix)
	k.Attributes(attr.NOSPLIT)
	k.signature("(pos *uint64, t unsafe.Pointer, n int) (hard bool)")
	k.pos = k.argument("pos")
	k.x, k.end = k.argument("t"), k.argument("n")
	k.n = 4
	hard := k.GP32()
	k.MOVL(U32(1), hard)
	one := k.ones()
	k.loops(func() {
		byte := k.maskByte()
		t := k.read(k.x)
		at := func(v int) Mem { return Mem{Base: k.pos, Index: byte, Scale: 1, Disp: v * k.lanes() / 8} }
		k.labels++
		next := fmt.Sprintf("next%d", k.labels)
		if k.wide {
			for v := range k.n {
				is1, not1 := k.K(), k.K()
				k.emit("VCMPP"+k.letter(), is1, t[v], one, Imm(0))
				k.emit("VCMPP"+k.letter(), not1, t[v], one, Imm(4))
				k.emit(map[bool]string{false: "KMOVW", true: "KMOVB"}[k.double], at(v), is1)
				k.emit("VMOVAP"+k.letter()+"_Z", t[v], not1, t[v])
				if v > 0 {
					k.VPORD(t[v], t[0], t[0])
				}
			}
			k.Comment("whatever is neither 1 nor 0")
			rest := k.K()
			k.VPTESTMD(t[0], t[0], rest)
			k.KORTESTW(rest, rest)
		} else {
			bits, r := k.GP32(), k.GP32()
			for v := range k.n {
				is1 := k.YMM()
				k.emit("VCMPP"+k.letter(), is1, t[v], one, Imm(0))
				k.emit("VANDNPS", t[v], is1, t[v])
				if v > 0 {
					k.VORPS(t[v], t[0], t[0])
				}
				k.emit("VMOVMSKP"+k.letter(), r, is1)
				if first := v * k.lanes() % 8; first > 0 {
					k.SHLL(Imm(uint64(first)), r)
					k.ORL(r, bits)
				} else {
					k.MOVL(r, bits)
				}
				switch {
				case k.lanes() == 8 || !k.last && v%2 == 1:
					k.MOVB(bits.As8(), at(v))
				case k.last: // half a byte, the first or the second
					k.MOVQ(k.e, reg.RCX)
					k.ANDL(Imm(4), reg.ECX)
					before, mask := k.GP32(), k.GP32()
					k.MOVL(U32(1), mask)
					k.SHLL(reg.CL, mask)
					k.DECL(mask)
					k.MOVBLZX(at(v), before)
					k.ANDL(mask, before)
					k.SHLL(reg.CL, bits)
					k.ORL(before, bits)
					k.MOVB(bits.As8(), at(v))
				}
			}
			k.Comment("whatever is neither 1 nor 0")
			k.VPTEST(t[0], t[0])
		}
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
