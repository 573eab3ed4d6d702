package main

import (
	"fmt"
	"go/token"
	"go/types"
	"math"
	"strings"
	"unsafe"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/gofocal/focal/internal/abi"
)

// What a kernel computes: the outputs up to this one, and the sum of the losses, each if its pointer is not nil.
type order int

const (
	loss order = iota
	gradient
	hessian
	logistics // the sigmoid
)

func (o order) String() string { return [...]string{"loss", "grad", "hess", "sigmoid"}[o] }

// kernels writes all kernels of an instruction set and an element type.
func kernels(g *generator) {
	for _, o := range []order{loss, gradient, hessian} {
		for _, square := range []bool{true, false} {
			for _, soft := range []bool{false, true} {
				k := &kernel{generator: g, order: o, square: square, soft: soft}
				k.write()
			}
		}
	}
	(&kernel{generator: g}).sigmoid()
}

// A kernel is one function: the loop, and a second one for what is left, vector by vector.
type kernel struct {
	*generator
	order  order
	square bool // gamma is 2
	soft   bool // a target for each element

	// The fields of the block, in registers; those that the order does not need are nil.
	block                     reg.Register
	x, dout, loss, grad, hess reg.Register
	pos, keep, sums, target   reg.Register

	e, end   reg.GPVirtual     // the group's first element; the number of elements, less a group in the main loop
	last     bool              // in the loop for what is left
	tailMask reg.OpmaskVirtual // there: the elements that exist; AVX-512
	tail     reg.VecVirtual    // the same, AVX2
	labels   int               // made so far
}

// offsets of the fields of abi.Block
type offsets struct {
	n, x, dout, loss, grad, hess, target, pos, keep, sums int
	plan                                                  map[string]int
}

func offsetsOf[T float32 | float64]() offsets {
	var b abi.Block[T]
	o := func(p uintptr) int { return int(p) }
	plan := o(unsafe.Offsetof(b.Plan))
	return offsets{
		n: o(unsafe.Offsetof(b.N)), x: o(unsafe.Offsetof(b.X)), dout: o(unsafe.Offsetof(b.Dout)),
		loss: o(unsafe.Offsetof(b.Loss)), grad: o(unsafe.Offsetof(b.Grad)), hess: o(unsafe.Offsetof(b.Hess)),
		target: o(unsafe.Offsetof(b.Target)), pos: o(unsafe.Offsetof(b.Pos)), keep: o(unsafe.Offsetof(b.Keep)), sums: o(unsafe.Offsetof(b.Sums)),
		plan: map[string]int{
			"WNeg": plan + o(unsafe.Offsetof(b.Plan.WNeg)), "WPos": plan + o(unsafe.Offsetof(b.Plan.WPos)),
			"Gamma": plan + o(unsafe.Offsetof(b.Plan.Gamma)), "HessOne": plan + o(unsafe.Offsetof(b.Plan.HessOne)),
			"PowHi": plan + o(unsafe.Offsetof(b.Plan.PowHi)), "PowLo": plan + o(unsafe.Offsetof(b.Plan.PowLo)),
		},
	}
}

func (g *generator) offsets() offsets {
	if g.double {
		return offsetsOf[float64]()
	}
	return offsetsOf[float32]()
}

func (k *kernel) write() {
	kind, flight := "Power", k.inFlight
	if k.square {
		kind = "Square"
	}
	name := k.order.String() + kind + k.suffix
	if k.soft {
		name = "soft" + strings.ToUpper(name[:1]) + name[1:]
		flight = k.softInFlight
	}
	k.n = flight[k.order][0]
	if !k.square {
		k.n = flight[k.order][1]
	}
	k.parking = k.soft && k.n > 2
	k.Function(name)
	k.attributes()
	k.signature("(b unsafe.Pointer)")

	o := k.offsets()
	which := "Pos"
	if k.soft {
		which = "Target"
	}
	k.Comment("the block, and from it, in this order: N, X, Loss, " + which + ", Keep, Sums" +
		[...]string{"", ", Grad, Dout", ", Grad, Dout, Hess"}[k.order])
	b := k.argument("b")
	k.align()
	k.block = b
	pointer := func(offset int) reg.Register {
		r := k.GP64()
		k.MOVQ(Mem{Base: b, Disp: offset}, r)
		return r
	}
	k.end = k.GP64()
	k.MOVQ(Mem{Base: b, Disp: o.n}, k.end)
	k.x = pointer(o.x)
	k.loss = pointer(o.loss)
	if k.soft {
		k.target = pointer(o.target)
	} else {
		k.pos = pointer(o.pos)
	}
	k.keep, k.sums = pointer(o.keep), pointer(o.sums)
	if k.order >= gradient {
		k.grad, k.dout = pointer(o.grad), pointer(o.dout)
	}
	if k.order >= hessian {
		k.hess = pointer(o.hess)
	}
	k.loadParams(o)
	if k.wide {
		k.Comment("nothing is ignored: a mask of ones")
		k.TESTQ(k.keep, k.keep)
		k.JNE(LabelRef("begin"))
		k.LEAQ(k.allOnes(), k.keep)
		k.Label("begin")
	}

	body := k.body
	if k.soft {
		body = k.softBody
	}
	k.loops(body, func() {})
}

// loops writes the loop over whole groups and the one for what is left, and then the end of the function.
func (k *kernel) loops(body, end func()) {
	if k.wide {
		k.zeros = k.vector()
		k.VPXORQ(k.zeros, k.zeros, k.zeros)
	}
	k.last = false
	k.e = k.GP64()
	k.XORQ(k.e, k.e)
	step := k.n * k.lanes()
	k.SUBQ(Imm(uint64(step)), k.end)
	k.JLT(LabelRef("rest"))
	k.Comment(fmt.Sprintf("%d vectors of %d elements at a time, their instructions interleaved", k.n, k.lanes()))
	k.Label("loop")
	body()
	k.ADDQ(Imm(uint64(step)), k.e)
	k.CMPQ(k.e, k.end)
	k.JLE(LabelRef("loop"))

	k.Label("rest")
	k.ADDQ(Imm(uint64(step)), k.end)
	k.CMPQ(k.e, k.end)
	k.JGE(LabelRef("done"))
	k.Label("rest_loop")
	k.n, k.last = 1, true
	k.prepareTail()
	body()
	k.ADDQ(Imm(uint64(k.lanes())), k.e)
	k.CMPQ(k.e, k.end)
	k.JLT(LabelRef("rest_loop"))
	k.Label("done")
	end()
	k.VZEROUPPER()
	k.RET()
}

// attributes exempts the function from the check for stack space if it needs hardly any.
func (k *kernel) attributes() {
	if k.wide && !k.parking {
		k.Attributes(attr.NOSPLIT)
	}
}

// signature declares parameters and results, as Go does.
func (k *kernel) signature(params string) {
	pkg := types.NewPackage("focal", "focal")
	pkg.Scope().Insert(types.NewPkgName(token.NoPos, pkg, "unsafe", types.Unsafe))
	s, err := gotypes.ParseSignatureInPackage(pkg, "func"+params)
	if err != nil {
		panic(err)
	}
	k.Signature(s)
}

// address returns where a parameter is.
func (k *kernel) address(name string) Mem { return k.resolve(k.Param(name)) }

// result returns where a result is.
func (k *kernel) result(name string) Mem { return k.resolve(k.Return(name)) }

func (k *kernel) resolve(c gotypes.Component) Mem {
	v, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return v.Addr
}

// argument loads a parameter.
func (k *kernel) argument(name string) reg.GPVirtual {
	r := k.GP64()
	k.MOVQ(k.address(name), r)
	return r
}

// sigmoid writes the kernel of the sigmoid.
func (k *kernel) sigmoid() {
	k.Function("sigmoid" + k.suffix)
	k.attributes()
	k.signature("(dst, x unsafe.Pointer, n int)")
	k.n = k.inFlight[logistics][0]
	dst := k.argument("dst")
	k.align()
	k.x = k.argument("x")
	k.end = k.argument("n")
	k.loops(func() {
		x := k.read(k.x)
		var negative sign
		if k.wide {
			negative.mask = k.signMasks(x)
		} else {
			negative.u = k.spill(x)
		}
		var kept value = x
		if !k.wide {
			kept = negative.u
		}
		r := k.logistic(x, true, want{})
		h := k.fraction(r)
		v := k.restIf(negative, r.p, h)
		k.do("VSUBP.", v, v, h)
		s := k.choose(negative, r.S, r.c)
		k.do("VFMADD132P.", s, s, v)
		k.Comment("NaN of x")
		k.nanOf(s, kept)
		k.store(dst, s)
	}, func() {})
}

func (g *generator) allOnes() Mem {
	if m, ok := globals["ones"]; ok {
		return m
	}
	m := g.StaticGlobal("ones")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range abi.BlockLen/64 + 1 {
		g.AddDatum(8*i, U64(^uint64(0)))
	}
	globals["ones"] = m
	return m
}

// loadParams makes the plan's numbers operands: AVX-512 broadcasts them from where they are, AVX2 from a copy on the
// stack.
func (k *kernel) loadParams(o offsets) {
	k.params = map[string]scalar{}
	names := []string{"WNeg", "WPos"}
	if !k.square {
		names = append(names, "PowHi", "PowLo")
	}
	if k.order >= gradient {
		names = append(names, "Gamma")
	}
	if k.order >= hessian {
		names = append(names, "HessOne")
	}
	for _, name := range names {
		m := Mem{Base: k.block, Disp: o.plan[name]}
		if !k.wide {
			v := k.YMM()
			if k.double {
				k.VBROADCASTSD(m, v)
			} else {
				k.VBROADCASTSS(m, v)
			}
			m = k.slot()
			k.VMOVUPS(v, m)
		}
		k.params[name] = scalar{m}
	}
}

// prepareTail makes the mask of the elements that there are.
func (k *kernel) prepareTail() {
	left := k.GP64()
	k.MOVQ(k.end, left)
	k.SUBQ(k.e, left)
	w := k.GP64()
	k.MOVQ(U32(k.lanes()), w)
	k.CMPQ(left, w)
	k.CMOVQGT(w, left)
	if k.wide {
		k.Comment("bits below the number of elements left")
		k.MOVQ(left, reg.RCX)
		k.MOVQ(U32(1), w)
		k.SHLQ(reg.CL, w)
		k.DECQ(w)
		k.tailMask = k.K()
		k.KMOVW(w.As32(), k.tailMask)
		return
	}
	k.Comment("a window on ones, then zeros")
	n := k.lanes()
	window := make([]uint64, 2*n)
	for i := range n {
		window[i] = ^uint64(0)
	}
	m := k.words("window", window)
	k.NEGQ(left)
	p := k.GP64()
	k.LEAQ(m, p)
	k.tail = k.YMM()
	k.VMOVUPS(Mem{Base: p, Index: left, Scale: uint8(k.elem()), Disp: n * k.elem()}, k.tail)
}

// at returns vector v of the present group in an array.
func (k *kernel) at(array reg.Register, v int) Mem {
	return Mem{Base: array, Index: k.e, Scale: uint8(k.elem()), Disp: v * k.bytes()}
}

// read returns the present group of an array; elements past the end are 0.
func (k *kernel) read(array reg.Register) group {
	r := k.group()
	for v := range k.n {
		k.readVector(r[v], array, v)
	}
	return r
}

func (k *kernel) readVector(dst reg.VecVirtual, array reg.Register, v int) {
	switch m := k.at(array, v); {
	case !k.last:
		k.emit("VMOVUP"+k.letter(), dst, m)
	case k.wide:
		k.emit("VMOVUP"+k.letter()+"_Z", dst, k.tailMask, m)
	default:
		k.emit("VMASKMOVP"+k.letter(), dst, k.tail, m)
	}
}

// store writes the present group of an array, unless it is not wanted.
func (k *kernel) store(array reg.Register, value group) {
	k.unlessNil(array, func() {
		for v := range k.n {
			switch m := k.at(array, v); {
			case !k.last:
				k.emit("VMOVUP"+k.letter(), m, value[v])
			case k.wide:
				k.emit("VMOVUP"+k.letter(), m, k.tailMask, value[v])
			default:
				k.emit("VMASKMOVP"+k.letter(), m, k.tail, value[v])
			}
		}
	})
}

// unlessNil jumps over what f writes if the pointer is nil.
func (k *kernel) unlessNil(p reg.Register, f func()) {
	k.labels++
	skip := fmt.Sprintf("skip%d", k.labels)
	k.TESTQ(p, p)
	k.JEQ(LabelRef(skip))
	f()
	k.Label(skip)
}

// maskByte returns a register with the offset of the present group's first byte in a bit mask.
func (k *kernel) maskByte() reg.GPVirtual {
	r := k.GP64()
	k.MOVQ(k.e, r)
	k.SHRQ(Imm(3), r)
	return r
}

// opmask loads the bits of vector v; AVX-512.
func (k *kernel) opmask(mask, byte reg.Register, v int) reg.OpmaskVirtual {
	r := k.K()
	m := Mem{Base: mask, Index: byte, Scale: 1, Disp: v * k.lanes() / 8}
	if k.double {
		k.KMOVB(m, r)
	} else {
		k.KMOVW(m, r)
	}
	return r
}

// signs returns the bits of a mask as the signs of the elements, and rubbish in their other bits; AVX2.
func (k *kernel) signs(mask, byte reg.Register) group {
	r := k.group()
	size := uint64(8 * k.elem())
	letter := map[bool]string{false: "D", true: "Q"}[k.double]
	for v := range k.n {
		first := v * k.lanes()
		m := Mem{Base: mask, Index: byte, Scale: 1, Disp: first / 8}
		first %= 8
		if k.last || k.n*k.lanes()%8 != 0 { // a group may begin in the middle of a byte
			bits, shift := k.GP32(), k.GP64()
			k.MOVBLZX(m, bits)
			k.MOVQ(k.e, shift)
			k.ANDQ(Imm(7), shift)
			k.MOVQ(shift, reg.RCX)
			k.SHRL(reg.CL, bits)
			x := k.XMM()
			k.VMOVD(bits, x)
			k.emit("VPBROADCAST"+letter, r[v], x)
		} else {
			k.emit("VPBROADCAST"+letter, r[v], m)
		}
		var shifts []uint64
		for l := range k.lanes() {
			shifts = append(shifts, size-1-uint64(first+l))
		}
		k.emit("VPSLLV"+letter, r[v], r[v], k.words(fmt.Sprintf("to_sign%d", first), shifts))
	}
	return r
}

// body writes the code for one group.
func (k *kernel) body() {
	byte := k.maskByte()

	k.Comment("u = x, of positives -x")
	var u group
	var kept value // u, from here on
	var flip group // AVX2: the sign bit of positives
	var negative sign
	if k.wide {
		u = k.read(k.x)
		for v := range k.n {
			k.emit("VXORP"+k.letter()+"_BCST", u[v], k.opmask(k.pos, byte, v), u[v], k.signMask().Mem)
		}
		negative.mask = k.signMasks(u)
		kept = u
	} else {
		f := k.signs(k.pos, byte)
		k.do("VANDP.", f, f, k.signMask())
		flip = f
		if k.last {
			u = k.read(k.x)
			k.do("VXORP.", u, u, f)
		} else {
			u = k.group()
			for v := range k.n {
				k.emit("VXORP"+k.letter(), u[v], f[v], k.at(k.x, v))
			}
		}
		negative.u = k.spill(u)
		kept = negative.u
	}

	early := k.earlyWeights(flip)
	var flipped value
	if k.order >= gradient && !k.wide {
		flipped = k.spill(flip)
	}
	r := k.logistic(u, !k.square || k.order == hessian, want{})

	if k.order == loss {
		var B, l group
		if k.square {
			B = k.shortSquare(k.choose(negative, r.S, r.c), k.weights(early, byte))
			h := k.fraction(r)
			v := k.restIf(negative, r.p, h)
			k.do("VSUBP.", v, v, h)
			l = k.log1p(r)
			k.longSquare(B, v)
		} else {
			l = k.log1p(r)
			hi, lo := k.log8Of(r, l, negative)
			B = k.unscaled(k.power(func() value { return k.weights(early, byte) }, hi, lo))
		}
		L := k.softplus(r, l, kept)
		k.kept("VMULP.", byte, B, B, L)
		k.addToSums(B)
		k.store(k.loss, B)
		return
	}

	// B·unscale is w·s^γ
	var B group
	var short value // w·S²; with the Hessian AVX2 has no registers for it to wait in
	if k.square {
		B = k.shortSquare(k.choose(negative, r.S, r.c), k.weights(early, byte))
		if short = B; k.order == hessian {
			short = k.hold(B)
		}
	}
	s, q, bigQ := k.sigmoids(r, negative, k.order == hessian, func(v func() group) {
		B = k.own(short)
		k.longSquare(B, v())
	})

	l := k.log1p(r)
	if !k.square {
		hi, lo := k.log8Of(r, l, negative)
		B = k.power(func() value { return k.weights(early, byte) }, hi, lo)
	}
	L := k.softplus(r, l, kept)
	losses := k.group()
	if k.square {
		k.kept("VMULP.", byte, losses, B, L)
	} else {
		losses = k.unscaled(k.copy(B))
		k.kept("VMULP.", byte, losses, losses, L)
	}
	k.addToSums(losses)
	k.store(k.loss, losses)

	k.Comment("grad = ±B·(s + q·γ·L)")
	gL := k.load(k.float("max_softplus", k.table.MaxSoftplus))
	k.do("VMINP.", gL, gL, L) // the second operand if one is NaN
	k.do("VMULP.", gL, gL, k.params["Gamma"])
	grad := k.get(q)
	k.do("VFMADD213P.", grad, gL, s)
	k.finish(grad, B, byte)
	k.flip(grad, flipped, byte)
	k.upstream(grad, byte)
	k.store(k.grad, grad)
	if k.order == gradient {
		return
	}

	k.Comment("hess = B·q·(s·(1+2γ) + γ·L·(γ·q - s))")
	bracket, inner := k.get(s), k.get(q)
	k.do("VFMSUB132P.", inner, bracket, k.params["Gamma"])
	k.do("VMULP.", bracket, bracket, k.params["HessOne"])
	k.do("VFMADD231P.", bracket, gL, inner)
	k.do("VMULP.", bracket, bracket, bigQ)
	k.do("VMULP.", bracket, bracket, k.tiny())
	k.finish(bracket, B, byte)
	k.store(k.hess, bracket)
}

// sigmoids returns s = σ(u) and q = σ(-u), and if scaled also q·2^TinyShift: q may be subnormal where its products are not.
// In between, at γ = 2, square is called with what returns v, where s is S·(1+v) or c·(1+v). It consumes p.
func (k *kernel) sigmoids(r logistic, negative sign, scaled bool, square func(v func() group)) (s, q, bigQ value) {
	c, S := k.hold(r.c), k.hold(r.S)
	k.Comment("σ(u) is S·(1+vS) if u is negative, otherwise c·(1+vC)")
	h := k.fraction(r)
	vS, vC := k.rest(r.p, h), h
	k.do("VSUBP.", vS, vS, h)
	k.do("VSUBP.", vC, k.zero(), h)
	if scaled {
		k.Comment("q·2^TinyShift")
		v := k.choose(negative, vC, vS)
		big := k.get(c)
		k.do("VMULP.", big, big, k.huge())
		big = k.choose(negative, big, r.tinyS)
		k.do("VFMADD132P.", big, big, v)
		bigQ = k.hold(big)
	}
	C1, S1 := k.own(c), k.own(S)
	k.do("VFMADD132P.", C1, C1, vC)
	k.do("VFMADD132P.", S1, S1, vS)
	if k.square {
		square(func() group { return k.choose(negative, vS, vC) })
	}
	k.Comment("s = σ(u), q = σ(-u)")
	return k.hold(k.choose(negative, S1, C1)), k.hold(k.choose(negative, C1, S1)), bigQ
}

func (g *generator) signBit() uint64 { return 1 << (8*g.elem() - 1) }

func (g *generator) signMask() scalar { return g.bits("sign", g.signBit()) }

// earlyWeights returns the weight of each element, on AVX2, where the signs that choose it are at hand now; AVX-512 has
// them in memory, and room for the weights only when they are needed.
func (k *kernel) earlyWeights(flip group) value {
	if k.wide {
		return nil
	}
	k.Comment("w")
	w := k.load(k.params["WNeg"])
	k.do("VBLENDVP.", w, w, k.params["WPos"], flip)
	return k.spill(w)
}

// weights returns the weights, given the early ones.
func (k *kernel) weights(early value, byte reg.Register) value {
	if !k.wide {
		return early
	}
	k.Comment("w")
	w := k.load(k.params["WNeg"])
	for v := range k.n {
		k.emit("VBLENDMP"+k.letter()+"_BCST", w[v], k.opmask(k.pos, byte, v), w[v], k.params["WPos"].Mem)
	}
	return w
}

// unscaled returns w·s^γ from B, which it consumes.
func (k *kernel) unscaled(B group) group {
	k.do("VMULP.", B, B, k.tiny())
	return B
}

// finish multiplies a derivative by B.
func (k *kernel) finish(d, B group, byte reg.Register) {
	if k.square {
		k.kept("VMULP.", byte, d, d, B)
		return
	}
	k.do("VMULP.", d, d, B)
	tiny := k.tiny()
	k.kept("VMULP.", byte, d, d, tiny)
}

// kept writes the last operation on a result, and zeros where the element is ignored or past the end.
func (k *kernel) kept(name string, byte reg.Register, dst, a group, b any) {
	name = name[:len(name)-1] + k.letter()
	if k.wide {
		for v := range k.n {
			full, op := name, Op(nil)
			switch b := b.(type) {
			case group:
				op = b[v]
			case scalar:
				full, op = full+"_BCST", b.Mem
			}
			k.emit(full+"_Z", dst[v], k.keepMask(byte, v), a[v], op)
		}
		return
	}
	k.do(name, dst, a, b)
	k.unlessNil(k.keep, func() {
		keep := k.signs(k.keep, byte)
		k.do("VBLENDVP.", dst, k.zero(), dst, keep)
	})
	if k.last {
		k.do("VANDP.", dst, dst, k.tail)
	}
}

// keepMask returns the mask of the elements of vector v that are neither ignored nor past the end.
func (k *kernel) keepMask(byte reg.Register, v int) reg.OpmaskVirtual {
	m := k.opmask(k.keep, byte, v)
	if k.last {
		k.KANDW(m, k.tailMask, m)
	}
	return m
}

// flip changes the sign of the positives.
func (k *kernel) flip(d group, flip value, byte reg.Register) {
	if !k.wide {
		k.do("VXORP.", d, d, flip)
		return
	}
	for v := range k.n {
		k.emit("VXORP"+k.letter()+"_BCST", d[v], k.opmask(k.pos, byte, v), d[v], k.signMask().Mem)
	}
}

// upstream multiplies by dout. Every NaN that comes of it is the same one, and ignored elements stay 0.
func (k *kernel) upstream(d group, byte reg.Register) {
	k.unlessNil(k.dout, func() {
		k.Comment("dout·grad")
		nan := uint64(math.Float32bits(float32(math.NaN())))
		if k.double {
			nan = math.Float64bits(math.NaN())
		}
		quiet := k.bits("nan", nan)
		n := k.n
		k.n = 1 // vector by vector, for want of registers
		for v := range n {
			g, up := d[v:v+1], group{k.vector()}
			k.readVector(up[0], k.dout, v)
			k.do("VMULP.", g, g, up)
			unordered := Imm(3)
			if k.wide {
				isNaN := k.K()
				k.emit("VCMPP"+k.letter(), isNaN, g[0], g[0], unordered)
				k.do(map[bool]string{false: "VBROADCASTSS", true: "VBROADCASTSD"}[k.double], g, masks{isNaN}, quiet.Mem)
				k.emit("VMOVAP"+k.letter()+"_Z", g[0], k.keepMask(byte, v), g[0])
				continue
			}
			k.do("VCMPP.", up, g, g, unordered)
			k.do("VBLENDVP.", g, g, quiet, up)
		}
		k.n = n
		if !k.wide {
			k.unlessNil(k.keep, func() {
				keep := k.signs(k.keep, byte)
				k.do("VBLENDVP.", d, k.zero(), d, keep)
			})
		}
	})
}

// nanOf makes the result NaN where x is, with its bits.
func (k *kernel) nanOf(r group, kept value) {
	x := k.get(kept)
	unordered := Imm(3)
	for v := range k.n {
		if k.wide {
			isNaN := k.K()
			k.emit("VCMPP"+k.letter(), isNaN, x[v], x[v], unordered)
			k.emit("VADDP"+k.letter(), r[v], isNaN, x[v], x[v])
			continue
		}
		// x+0 where x is NaN, -0 elsewhere
		isNaN := k.vector()
		k.emit("VCMPP"+k.letter(), isNaN, x[v], x[v], unordered)
		k.emit("VADDP"+k.letter(), x[v], x[v], x[v])
		k.emit("VBLENDVP"+k.letter(), r[v], r[v], x[v], isNaN)
	}
}

// addToSums adds the losses to their lanes, unless no sum is wanted.
func (k *kernel) addToSums(value group) {
	k.unlessNil(k.sums, func() {
		k.Comment("lane i mod 16 of the sums")
		switch {
		case k.double:
			for v := range k.n {
				k.addDouble(k.lane(v, 0), value[v])
			}
		case k.wide:
			low, high := k.ZMM(), k.ZMM()
			k.VMOVUPD(k.lane(0, 0), low)
			k.VMOVUPD(k.lane(0, 8), high)
			for v := range k.n {
				k.addSingle(low, value[v].AsY())
				upper := k.YMM()
				k.VEXTRACTF64X4(Imm(1), value[v], upper)
				k.addSingle(high, upper)
			}
			k.VMOVUPD(low, k.lane(0, 0))
			k.VMOVUPD(high, k.lane(0, 8))
		default:
			for v, m := range k.spill(value) { // from memory it takes no shuffle to get at the upper half
				low, high := k.YMM(), k.YMM()
				k.VCVTPS2PD(m, low)
				k.VCVTPS2PD(m.Offset(16), high)
				for i, x := range []reg.VecVirtual{low, high} {
					m := k.lane(v, 4*i)
					k.VADDPD(m, x, x)
					k.VMOVUPD(x, m)
				}
			}
		}
	})
}

// lane returns where the lane of vector v's element i is.
func (k *kernel) lane(v, i int) Mem {
	if k.lanes() == abi.Lanes {
		return Mem{Base: k.sums, Disp: 8 * i}
	}
	if !k.last && k.n*k.lanes()%abi.Lanes == 0 { // the same in every group
		return Mem{Base: k.sums, Disp: 8 * (v*k.lanes()%abi.Lanes + i)}
	}
	lane := k.GP64()
	k.LEAQ(Mem{Base: k.e, Disp: v * k.lanes()}, lane)
	k.ANDQ(Imm(abi.Lanes-1), lane)
	return Mem{Base: k.sums, Index: lane, Scale: 8, Disp: 8 * i}
}

// addSingle adds float32 losses: float64 has room for a whole block of them.
func (k *kernel) addSingle(sum reg.VecVirtual, value reg.Register) {
	x := k.vector()
	k.VCVTPS2PD(value, x)
	k.VADDPD(x, sum, sum)
}

// addDouble adds float64 losses by TwoSum.
func (k *kernel) addDouble(lanes Mem, value reg.Register) {
	h, sum, part, err := k.vector(), k.vector(), k.vector(), k.vector()
	k.VMOVUPD(lanes, h)
	k.VADDPD(value, h, sum)
	k.VMOVUPD(sum, lanes)
	k.VSUBPD(h, sum, part)
	k.VSUBPD(part, sum, sum)
	k.VSUBPD(sum, h, h)
	k.VSUBPD(part, value, err)
	k.VADDPD(err, h, err)
	low := lanes.Offset(8 * abi.Lanes)
	k.VADDPD(low, err, err)
	k.VMOVUPD(err, low)
}
