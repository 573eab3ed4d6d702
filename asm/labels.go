package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/gofocal/focal/internal/abi"
)

// The kernels that look at labels and targets, and those that add and multiply what the others have computed. They are short, so
// they are written instruction by instruction, in virtual registers, which pass allocateRegisters makes physical. All take whole
// groups: a multiple of abi.Lanes elements, or of rows.

// A simple function has one loop over elements, whose index is e.
type simple struct {
	*generator
	*isa
	e, end reg.GPVirtual
}

// simple begins a function.
func (g *generator) simple(s *isa, name, signature string) *simple {
	f := &simple{generator: g, isa: s}
	f.Function(name + s.suffix)
	f.signature(signature)
	return f
}

// loop writes the loop over n elements, step at a time, what follows it, and the end of the function.
func (f *simple) loop(step int, body, after func()) {
	f.elements(step, body)
	after()
	f.VZEROUPPER()
	f.RET()
}

// turns writes a loop of two vectors at most at a time.
func (f *simple) turns(body, after func()) { f.loop(f.vectors()*f.lanes(), body, after) }

// vectors returns how many those are.
func (f *simple) vectors() int { return min(2, abi.Lanes/f.lanes()) }

// elements writes the loop alone.
func (f *simple) elements(step int, body func()) {
	if f.end == nil {
		f.e, f.end = f.GP64(), f.argument("n")
	}
	f.XORL(f.e.As32(), f.e.As32())
	f.Label("loop")
	body()
	f.ADDQ(Imm(uint64(step)), f.e)
	f.CMPQ(f.e, f.end)
	f.JLT(LabelRef("loop"))
}

func (f *simple) vector() reg.VecVirtual {
	if f.wide {
		return f.ZMM()
	}
	return f.YMM()
}

// argument loads a parameter.
func (f *simple) argument(name string) reg.GPVirtual {
	r := f.GP64()
	f.MOVQ(f.address(name), r)
	return r
}

// spread returns a vector with every element set to an integer argument, of 32 or 64 bits.
func (f *simple) spread(argument string, bits int) reg.VecVirtual {
	v := f.vector()
	f.emit(map[int]string{32: "VBROADCASTSS", 64: "VPBROADCASTQ"}[bits], v, f.address(argument)) // as vet knows 32 bits by SS alone
	return v
}

func (f *simple) spreadRegister(r reg.Register) reg.VecVirtual {
	x, v := f.XMM(), f.vector()
	f.VMOVD(r, x)
	f.VPBROADCASTD(x, v)
	return v
}

// at returns vector v of the present elements of an array.
func (f *simple) at(array reg.Register, v int) Mem {
	return Mem{Base: array, Index: f.e, Scale: uint8(f.elem()), Disp: v * f.bytes()}
}

// inverses has, for each width c of rows, a number of which the upper half of the product with e, as 32 bits, is e/c: for any element e
// of 16 rows.
func (f *simple) inverses() Mem {
	words := make([]uint64, 1+abi.NarrowRow)
	for c := 2; c <= abi.NarrowRow; c++ {
		words[c] = 1<<16/uint64(c) + 1
	}
	return f.words(f.isa, words)
}

// ints returns a vector of the int32 first, first+step, …
func (f *simple) ints(first, step int) Mem {
	var words []uint64
	for i := range f.lanes() {
		words = append(words, uint64(uint32(first+i*step)))
	}
	return f.words(f.isa, words)
}

// labels writes the kernels of labels for an instruction set.
func (g *generator) labels(s *isa) {
	g.labelsValid(s)
	g.labelMasks(s)
	g.labelList(s)
	g.fromNarrow(s, 1)
	g.fromNarrow(s, 2)
	g.fromInt64(s)
}

// helpers writes the others, which depend on the element type.
func (g *generator) helpers(s *isa) {
	g.sum(s)
	g.mul(s)
	g.expand(s)
	if !s.double {
		g.expandRows(s)
		g.flipAs(s)
	}
	g.flip(s)
	g.mask(s)
	g.blend(s)
	g.weigh(s)
	g.within(s)
	g.targetMasks(s)
}

// A check finds out whether all integers of 32 or 64 bits are at most limit, taken as unsigned, or ignore.
type check struct {
	*simple
	bits                int
	limit, ignore, most reg.VecVirtual
	other               reg.VecVirtual // turns with most: a maximum of 64 bits takes three cycles
}

func (f *simple) check(bits int) *check {
	c := &check{f, bits, f.spread("limit", bits), f.spread("ignore", bits), f.vector(), nil}
	f.zero(c.most)
	if c.other = c.most; c.wide && bits == 64 {
		c.other = f.vector()
		f.zero(c.other)
	}
	return c
}

// add adds a vector. Without AVX-512 it becomes 0 where it is ignore, and halves of 64 bits are looked at one by one.
func (c *check) add(x reg.VecVirtual) {
	letter := map[int]string{32: "D", 64: "Q"}[c.bits]
	if c.wide {
		k := c.K()
		c.emit("VPCMP"+letter, k, c.ignore, x, Imm(4))
		c.emit("VPMAXU"+letter, c.most, k, c.most, x)
		c.most, c.other = c.other, c.most
		return
	}
	ignored := c.YMM()
	c.emit("VPCMPEQ"+letter, ignored, c.ignore, x)
	c.VPANDN(x, ignored, ignored)
	c.VPMAXUD(ignored, c.most, c.most)
}

// answer returns the result.
func (c *check) answer() {
	if c.wide {
		k, r := c.K(), c.GP32()
		if c.other != c.most {
			c.VPMAXUQ(c.other, c.most, c.most)
		}
		c.emit("VPCMPU"+map[int]string{32: "D", 64: "Q"}[c.bits], k, c.most, c.limit, Imm(6)) // not ≤
		c.KMOVW(k, r)
		c.TESTL(r, r)
	} else {
		c.VPMAXUD(c.most, c.limit, c.most)
		c.VPXOR(c.most, c.limit, c.most)
		c.VPTEST(c.most, c.most)
	}
	c.SETEQ(c.result("ok"))
}

// labelsValid reports whether all labels are at most limit, taken as unsigned, or ignore.
func (g *generator) labelsValid(s *isa) {
	f := g.simple(s, "wholeLabelsValid", "(label *int32, n int, limit uint32, ignore int32) (ok bool)")
	label, c := f.argument("label"), f.check(32)
	f.turns(func() {
		for v := range f.vectors() {
			x := f.vector()
			f.VMOVUPS(f.at(label, v), x)
			c.add(x)
		}
	}, c.answer)
}

// fromNarrow checks integers of fewer bits, or makes int32 of them. The mask has the upper bits of those without a sign clear.
func (g *generator) fromNarrow(s *isa, bytes int) {
	f := g.simple(s, fmt.Sprintf("wholeFromInt%d", 8*bytes),
		fmt.Sprintf("(dst *int32, src *int%d, n int, mask, limit uint32, ignore int32) (ok bool)", 8*bytes))
	src, mask, c := f.argument("src"), f.spread("mask", 32), f.check(32)
	f.checkOrMake(c, func(v int) []reg.VecVirtual {
		x := f.vector()
		f.emit(map[int]string{1: "VPMOVSXBD", 2: "VPMOVSXWD"}[bytes], x,
			Mem{Base: src, Index: f.e, Scale: uint8(bytes), Disp: v * f.lanes() * bytes})
		f.emit("VANDPS", x, x, mask)
		return []reg.VecVirtual{x}
	}, func([]reg.VecVirtual) {})
}

// fromInt64 checks int64, or makes int32 of their lower halves.
func (g *generator) fromInt64(s *isa) {
	f := g.simple(s, "wholeFromInt64", "(dst *int32, src *int64, n int, limit uint64, ignore int64) (ok bool)")
	src, c, even := f.argument("src"), f.check(64), f.vector()
	if f.wide {
		f.VMOVUPS(f.ints(0, 2), even)
	}
	f.checkOrMake(c, func(v int) (x []reg.VecVirtual) {
		for half := range 2 {
			x = append(x, f.vector())
			f.VMOVUPS(Mem{Base: src, Index: f.e, Scale: 8, Disp: (2*v + half) * f.bytes()}, x[half])
		}
		return x
	}, func(x []reg.VecVirtual) {
		if f.wide {
			f.VPERMT2D(x[1], even, x[0])
		} else {
			f.VSHUFPS(Imm(0x88), x[1], x[0], x[0])
			f.VPERMQ(Imm(0xd8), x[0], x[0])
		}
	})
}

// checkOrMake writes a loop that checks vectors if dst is nil. Otherwise it stores the first vector of what finish leaves, and the answer
// is true.
func (f *simple) checkOrMake(c *check, load func(v int) []reg.VecVirtual, finish func(x []reg.VecVirtual)) {
	dst := f.argument("dst")
	f.turns(func() {
		var x [2][]reg.VecVirtual
		for v := range f.vectors() {
			x[v] = load(v)
		}
		f.TESTQ(dst, dst)
		f.JEQ(LabelRef("check"))
		for v := range f.vectors() {
			finish(x[v])
			f.VMOVUPS(x[v][0], f.at(dst, v))
		}
		f.JMP(LabelRef("next"))
		f.Label("check")
		for v := range f.vectors() {
			for _, x := range x[v] {
				c.add(x)
			}
		}
		f.Label("next")
	}, c.answer)
}

// labelMasks makes the masks of whole rows of c ≤ abi.NarrowRow elements, from bit 0 on, and reports whether any is ignored.
//
// For each row, target is the number of the positive element within the group of rows, or -1: background, or -2: ignored.
// Each vector of elements fetches the targets of its rows, and compares.
func (g *generator) labelMasks(s *isa) {
	f := g.simple(s, "wholeLabelMasks", "(pos, keep *uint64, label *int32, n, c int, offset, ignore int32) (ignored bool)")
	pos, keep, label, c := f.argument("pos"), f.argument("keep"), f.argument("label"), f.argument("c")
	offset, ignore := f.spread("offset", 32), f.spread("ignore", 32)
	f.e, f.end = f.GP64(), f.argument("n")
	some := f.GP32()
	f.XORL(some, some)
	f.CMPQ(c, Imm(1))
	f.JEQ(LabelRef("column"))
	width := f.spreadRegister(c.As32())

	inverses, inverse := f.GP64(), f.vector()
	f.LEAQ(f.inverses(), inverses)
	f.VPBROADCASTD(Mem{Base: inverses, Index: c, Scale: 4}, inverse)

	first, background, ignored, step := f.vector(), f.vector(), f.vector(), f.vector()
	f.VMOVUPS(f.ints(0, 1), first)
	f.VPMULLD(width, first, first) // each row's first element
	f.ones(background)
	f.VPADDD(background, background, ignored) // -2
	f.VPABSD(ignored, step)
	f.VPSLLD(Imm(map[bool]uint64{false: 2, true: 3}[f.wide]), step, step) // a vector's elements
	size := uint64(f.lanes() / 8)                                         // of a vector's bits
	if f.wide {
		f.ADDQ(c, c) // now the bytes of a group's bits
	}
	mov := func(r reg.GPVirtual, mask, i reg.Register) {
		if m := (Mem{Base: mask, Index: i, Scale: 1}); f.wide {
			f.MOVW(r.As16(), m)
		} else {
			f.MOVB(r.As8(), m)
		}
	}
	f.elements(f.lanes(), func() {
		x, target, r := f.vector(), f.vector(), f.GP32()
		f.VMOVUPS(f.at(label, 0), x)
		if f.wide {
			skip, positive := f.K(), f.K()
			f.VPCMPEQD(ignore, x, skip)
			f.VPSUBD(offset, x, x)
			f.VPCMPUD(Imm(1), width, x, positive)
			f.VPADDD(first, x, x)
			f.VMOVDQA32(background, target)
			f.VMOVDQA32(x, positive, target)
			f.VMOVDQA32(ignored, skip, target)
			f.KMOVW(skip, r)
		} else {
			skip, positive := f.YMM(), f.YMM()
			f.VPCMPEQD(ignore, x, skip)
			f.VPSUBD(offset, x, x)
			f.VPADDD(width, background, positive)
			f.VPMINUD(positive, x, positive)
			f.VPCMPEQD(x, positive, positive) // unsigned x < c
			f.VPADDD(first, x, x)
			f.VBLENDVPS(positive, x, background, target)
			f.VBLENDVPS(skip, ignored, target, target)
			f.VMOVMSKPS(skip, r)
		}
		f.ORL(r, some)

		// the vectors of the group's elements; i counts the bytes of their bits
		element, i := f.vector(), f.GP64()
		f.VMOVUPS(f.ints(0, 1), element)
		f.XORL(i.As32(), i.As32())
		f.Label("row")
		at, bits := f.vector(), f.GP32()
		f.VPMULHUW(inverse, element, at)
		f.VPERMD(target, at, at)
		if f.wide {
			p, q := f.K(), f.K()
			f.VPCMPEQD(element, at, p)
			f.KMOVW(p, bits)
			mov(bits, pos, i)
			f.VPCMPD(Imm(4), ignored, at, q) // not =
			f.KMOVW(q, bits)
		} else {
			p := f.YMM()
			f.VPCMPEQD(element, at, p)
			f.VMOVMSKPS(p, bits)
			mov(bits, pos, i)
			f.VPCMPEQD(ignored, at, at)
			f.VMOVMSKPS(at, bits)
			f.NOTL(bits)
		}
		mov(bits, keep, i)
		f.VPADDD(step, element, element)
		f.ADDQ(Imm(size), i)
		f.CMPQ(i, c)
		f.JLT(LabelRef("row"))
		f.ADDQ(c, pos)
		f.ADDQ(c, keep)
	})
	f.JMP(LabelRef("answer"))

	// rows of one element
	f.Label("column")
	f.XORL(f.e.As32(), f.e.As32())
	f.Label("column_loop")
	place := f.GP64()
	f.MOVQ(f.e, place)
	f.SHRQ(Imm(3), place)
	x, p, q := f.vector(), f.GP32(), f.GP32()
	f.VMOVUPS(f.at(label, 0), x)
	if f.wide {
		skip, positive := f.K(), f.K()
		f.VPCMPEQD(ignore, x, skip)
		f.VPCMPEQD(offset, x, positive)
		f.KANDNW(positive, skip, positive)
		f.KMOVW(positive, p)
		f.KMOVW(skip, q)
	} else {
		skip, positive := f.YMM(), f.YMM()
		f.VPCMPEQD(ignore, x, skip)
		f.VPCMPEQD(offset, x, positive)
		f.VPANDN(positive, skip, positive)
		f.VMOVMSKPS(positive, p)
		f.VMOVMSKPS(skip, q)
	}
	f.ORL(q, some)
	f.NOTL(q)
	at := func(mask reg.Register) Mem { return Mem{Base: mask, Index: place, Scale: 1} }
	if f.wide {
		f.MOVW(p.As16(), at(pos))
		f.MOVW(q.As16(), at(keep))
	} else {
		f.MOVB(p.As8(), at(pos))
		f.MOVB(q.As8(), at(keep))
	}
	f.ADDQ(Imm(uint64(f.lanes())), f.e)
	f.CMPQ(f.e, f.end)
	f.JLT(LabelRef("column_loop"))
	f.Label("answer")
	f.TESTL(some, some)
	f.SETNE(f.result("ignored"))
	f.VZEROUPPER()
	f.RET()
}

// packTable is a table that list.go writes, as in Go it takes fewer lines.
func packTable() Mem { return NewDataAddr(Symbol{Name: "·packTable"}, 0) }

const packTableInGo = `
// packTable has, for each set of eight numbers, those that are in it, as bytes, and then others.
//
//lint:ignore U1000 the assembly reads it
var packTable = func() (table [256]uint64) {
	for set := range table {
		n := 0
		for e := range uint64(8) {
			if set>>e&1 != 0 {
				table[set] |= e << (8 * n)
				n++
			}
		}
	}
	return table
}()`

// labelList lists the positives of n rows of c elements, the first of which begins at element first: those among the elements
// 0..limit-1. It writes whole vectors, up to 16 numbers more than there are, adds their number to count, and reports whether any
// row is ignored.
func (g *generator) labelList(s *isa) {
	f := g.simple(s, "wholeLabelList", "(index *uint16, count *int, label *int32, n, c, limit int, first, offset, ignore int32) (ignored bool)")
	index, label, c := f.argument("index"), f.argument("label"), f.argument("c")
	offset, ignore, start := f.spread("offset", 32), f.spread("ignore", 32), f.spread("first", 32)
	limit := f.spreadRegister(f.argument("limit").As32())
	width := f.spreadRegister(c.As32())
	row, step := f.vector(), f.vector()
	f.VMOVUPS(f.ints(0, 1), row)
	f.VPMULLD(width, row, row)
	f.VPADDD(start, row, row) // each row's first element
	f.VPSLLD(Imm(map[bool]uint64{false: 3, true: 4}[f.wide]), width, step)
	some, ones, table := f.vector(), f.vector(), f.GP64()
	var ignored reg.OpmaskVirtual
	if f.wide {
		ignored = f.K()
		f.KXORW(ignored, ignored, ignored)
	} else {
		f.zero(some)
		f.VPCMPEQD(ones, ones, ones)
		f.VPADDD(ones, width, width) // the last ones
		f.VPADDD(ones, limit, limit)
		f.LEAQ(packTable(), table)
	}
	begin := f.GP64()
	f.MOVQ(index, begin)
	f.loop(f.lanes(), func() {
		x, bits, set := f.vector(), f.GP32(), f.GP64()
		f.VMOVUPS(f.at(label, 0), x)
		if f.wide {
			skip, positive := f.K(), f.K()
			f.VPCMPEQD(ignore, x, skip)
			f.KORW(skip, ignored, ignored)
			f.KNOTW(skip, skip)
			f.VPSUBD(offset, x, x)
			f.VPCMPUD(Imm(1), width, x, skip, positive)
			f.VPADDD(row, x, x)
			f.VPCMPUD(Imm(1), limit, x, positive, positive)
			f.VPCOMPRESSD_Z(x, positive, x)
			f.VPMOVDW(x, Mem{Base: index})
			f.KMOVW(positive, bits)
		} else {
			skip, positive, inside := f.YMM(), f.YMM(), f.YMM()
			f.VPCMPEQD(ignore, x, skip)
			f.VPOR(skip, some, some)
			f.VPSUBD(offset, x, x)
			f.VPMINUD(width, x, positive)
			f.VPCMPEQD(x, positive, positive)
			f.VPADDD(row, x, x)
			f.VPMINUD(limit, x, inside)
			f.VPCMPEQD(x, inside, inside)
			f.VPAND(inside, positive, positive)
			f.VPANDN(positive, skip, positive)
			f.VMOVMSKPS(positive, bits)
			order, high := f.YMM(), f.XMM()
			f.MOVL(bits, set.As32())
			f.VPMOVZXBD(Mem{Base: table, Index: set, Scale: 8}, order)
			f.VPERMD(x, order, x)
			f.VEXTRACTI128(Imm(1), x, high)
			f.VPACKUSDW(high, x.AsX(), high)
			f.VMOVDQU(high, Mem{Base: index})
		}
		f.POPCNTL(bits, set.As32())
		f.LEAQ(Mem{Base: index, Index: set, Scale: 2}, index)
		f.VPADDD(step, row, row)
	}, func() {
		count, r := f.argument("count"), f.GP32()
		f.SUBQ(begin, index)
		f.SHRQ(Imm(1), index)
		f.ADDQ(index, Mem{Base: count})
		if f.wide {
			f.KMOVW(ignored, r)
		} else {
			f.VMOVMSKPS(some, r)
		}
		f.TESTL(r, r)
		f.SETNE(f.result("ignored"))
	})
}

// element returns the signature's name of the element type.
func (s *isa) element() string { return map[bool]string{false: "float32", true: "float64"}[s.double] }

// constantVector returns a register with every element set.
func (f *simple) constantVector(bits uint64) reg.VecVirtual {
	v := f.vector()
	m := f.constant(f.isa, fmt.Sprintf("c%0*x", 2*f.elem(), bits), bits)
	if f.wide {
		f.emit("VBROADCASTS"+f.letter(), v, m)
	} else {
		f.emit("VMOVAP"+f.letter(), v, m)
	}
	return v
}

// within reports whether all elements, plus a number, are in lo..hi, where lo ≥ 0. Then the order of the numbers is that of their
// bits as integers without a sign; negative ones and NaN are above. AVX2 has no maximum of such integers of 64 bits.
func (g *generator) within(s *isa) {
	f := g.simple(s, "wholeWithin", fmt.Sprintf("(v *%[1]s, n int, plus, lo, hi %[1]s) (ok bool)", s.element()))
	array, plus, lo, hi, most := f.argument("v"), f.vector(), f.vector(), f.vector(), f.vector()
	f.emit("VBROADCASTS"+f.letter(), plus, f.address("plus"))
	f.emit("VBROADCASTS"+f.letter(), lo, f.address("lo"))
	f.emit("VBROADCASTS"+f.letter(), hi, f.address("hi"))
	f.zero(most)
	integers := f.wide || !f.double
	if integers {
		f.emit("VPSUB"+f.integer(), hi, hi, lo)
	}
	const notGreaterOrEqual, notLessOrEqual = 0x19, 0x16
	r := f.GP32()
	f.turns(func() {
		for v := range f.vectors() {
			x, below := f.vector(), f.vector()
			f.emit("VADDP"+f.letter(), x, plus, f.at(array, v))
			if integers {
				f.emit("VPSUB"+f.integer(), x, x, lo)
				f.emit("VPMAXU"+f.integer(), most, most, x)
				continue
			}
			f.emit("VCMPP"+f.letter(), below, x, lo, Imm(notGreaterOrEqual))
			f.emit("VCMPP"+f.letter(), x, x, hi, Imm(notLessOrEqual))
			f.VORPS(below, x, x)
			f.VORPS(x, most, most)
		}
	}, func() {
		switch {
		case f.wide:
			k := f.K()
			f.emit("VPCMPU"+f.integer(), k, most, hi, Imm(6)) // not ≤
			f.KMOVW(k, r)
		case integers:
			f.VPMAXUD(most, hi, most)
			f.VPXOR(most, hi, most)
			f.VPTEST(most, most)
			f.SETEQ(f.result("ok"))
			return
		default:
			f.emit("VMOVMSKP"+f.letter(), r, most)
		}
		f.TESTL(r, r)
		f.SETEQ(f.result("ok"))
	})
}

// ones sets all bits.
func (f *simple) ones(v reg.VecVirtual) {
	if f.wide {
		f.VPTERNLOGD(Imm(0xff), v, v, v)
	} else {
		f.VPCMPEQD(v, v, v)
	}
}

func (f *simple) zero(v reg.VecVirtual) {
	if f.wide {
		f.VPXORQ(v, v, v)
	} else {
		f.VXORPS(v, v, v)
	}
}

// targetMasks makes the masks of the targets that are 1, and of those that are neither 0 nor 1 (-0 is 0), and reports whether there
// are any of the latter.
func (g *generator) targetMasks(s *isa) {
	f := g.simple(s, "wholeTargetMasks", fmt.Sprintf("(pos, soft *uint64, t *%s, n int) (softs bool)", s.element()))
	pos, soft, t, one := f.argument("pos"), f.argument("soft"), f.argument("t"), f.constantVector(s.bitsOf(1))
	zero, some := f.vector(), f.GP32()
	f.zero(zero)
	f.XORL(some, some)
	f.bytewise(func(place reg.Register, vectors int) {
		ones, others := f.GP32(), f.GP32()
		for v := range vectors {
			x, r, q := f.vector(), f.GP32(), f.GP32()
			f.emit("VMOVUP"+f.letter(), x, f.at(t, v))
			if f.wide {
				is1, not1, other := f.K(), f.K(), f.K()
				f.emit("VCMPP"+f.letter(), is1, x, one, Imm(equal))
				f.emit("VCMPP"+f.letter(), not1, x, one, Imm(notEqual))
				f.emit("VCMPP"+f.letter(), other, not1, x, zero, Imm(notEqual))
				f.KMOVW(is1, r)
				f.KMOVW(other, q)
			} else {
				is1, is0 := f.YMM(), f.YMM()
				f.emit("VCMPP"+f.letter(), is1, x, one, Imm(equal))
				f.emit("VCMPP"+f.letter(), is0, x, zero, Imm(equal))
				f.VORPS(is1, is0, is0)
				f.emit("VMOVMSKP"+f.letter(), r, is1)
				f.emit("VMOVMSKP"+f.letter(), q, is0)
				f.XORL(U32(1<<f.lanes()-1), q)
			}
			if v == 0 {
				f.MOVL(r, ones)
				f.MOVL(q, others)
				continue
			}
			f.SHLL(Imm(uint64(v*f.lanes())), r)
			f.SHLL(Imm(uint64(v*f.lanes())), q)
			f.ORL(r, ones)
			f.ORL(q, others)
		}
		if to := func(mask reg.Register) Mem { return Mem{Base: mask, Index: place, Scale: 1} }; vectors*f.lanes() == 8 {
			f.MOVB(ones.As8(), to(pos))
			f.MOVB(others.As8(), to(soft))
		} else {
			f.MOVW(ones.As16(), to(pos))
			f.MOVW(others.As16(), to(soft))
		}
		f.ORL(others, some)
	}, func() {
		f.TESTL(some, some)
		f.SETNE(f.result("softs"))
	})
}

// sum adds losses to lanes: element i to lane i mod abi.Lanes. Those of float64 have the rounding errors of their additions
// collected beside, by Knuth's TwoSum.
func (g *generator) sum(s *isa) {
	f := g.simple(s, "sum", fmt.Sprintf("(s unsafe.Pointer, loss *%s, n int)", s.element()))
	lanes, loss := f.argument("s"), f.argument("loss")
	eight := f.bytes() / 8 // float64 of a vector
	vectors := abi.Lanes / eight
	hi, lo := make([]reg.VecVirtual, vectors), make([]reg.VecVirtual, vectors)
	place := func(v int, low bool) Mem {
		m := Mem{Base: lanes, Disp: v * f.bytes()}
		if low {
			m.Disp += 8 * abi.Lanes
		}
		return m
	}
	for v := range vectors {
		hi[v] = f.vector()
		f.VMOVUPD(place(v, false), hi[v])
		if f.double {
			lo[v] = f.vector()
			f.VMOVUPD(place(v, true), lo[v])
		}
	}
	f.loop(abi.Lanes, func() {
		for v := range vectors {
			x := f.vector()
			if !f.double {
				f.VCVTPS2PD(Mem{Base: loss, Index: f.e, Scale: 4, Disp: v * f.bytes() / 2}, x)
				f.VADDPD(x, hi[v], hi[v])
				continue
			}
			sum, part, rest := f.vector(), f.vector(), f.vector()
			f.VMOVUPD(f.at(loss, v), x)
			f.VADDPD(x, hi[v], sum)
			f.VSUBPD(hi[v], sum, part)
			f.VSUBPD(part, sum, rest)
			f.VSUBPD(rest, hi[v], rest)
			f.VSUBPD(part, x, part)
			f.VADDPD(part, rest, rest)
			f.VADDPD(rest, lo[v], lo[v])
			f.VMOVAPD(sum, hi[v])
		}
	}, func() {
		for v := range vectors {
			f.VMOVUPD(hi[v], place(v, false))
			if f.double {
				f.VMOVUPD(lo[v], place(v, true))
			}
		}
	})
}

// mul multiplies dst by dout; every NaN is the quiet one without a sign.
func (g *generator) mul(s *isa) {
	f := g.simple(s, "mul", fmt.Sprintf("(dst, dout *%s, n int)", s.element()))
	dst, dout := f.argument("dst"), f.argument("dout")
	nan := f.constantVector(map[bool]uint64{false: 0x7fc00000, true: 0x7ff8000000000001}[s.double])
	f.turns(func() {
		for v := range f.vectors() {
			x := f.vector()
			f.emit("VMOVUP"+f.letter(), x, f.at(dst, v))
			f.emit("VMULP"+f.letter(), x, x, f.at(dout, v))
			if f.wide {
				k := f.K()
				f.emit("VCMPP"+f.letter(), k, x, x, Imm(unordered))
				f.emit("VMOVAP"+f.letter(), x, k, nan)
			} else {
				m := f.YMM()
				f.emit("VCMPP"+f.letter(), m, x, x, Imm(unordered))
				f.emit("VBLENDVP"+f.letter(), x, x, nan, m)
			}
			f.emit("VMOVUP"+f.letter(), f.at(dst, v), x)
		}
	}, func() {})
}

// bits returns a register or mask for vector v of a bit mask: AVX-512 the mask, AVX2 a vector with the bits as signs, and rubbish
// in the other bits.
func (f *simple) bits(mask, place reg.Register, v int) (signs reg.VecVirtual, k reg.OpmaskVirtual) {
	first := v * f.lanes()
	m := Mem{Base: mask, Index: place, Scale: 1, Disp: first / 8}
	if f.wide {
		k = f.K()
		if f.double {
			f.KMOVB(m, k)
		} else {
			f.KMOVW(m, k)
		}
		return nil, k
	}
	var shifts []uint64
	for l := range f.lanes() {
		shifts = append(shifts, uint64(8*f.elem()-1-first%8-l))
	}
	signs = f.YMM()
	f.emit("VPBROADCAST"+f.integer(), signs, m) // up to eight bytes, see bitmask in masks.go
	f.emit("VPSLLV"+f.integer(), signs, signs, f.words(f.isa, shifts))
	return signs, nil
}

// flip changes the sign where pos is set.
func (g *generator) flip(s *isa) {
	f := g.simple(s, "flip", fmt.Sprintf("(dst *%s, pos *uint64, n int)", s.element()))
	dst, pos := f.argument("dst"), f.argument("pos")
	sign := f.constantVector(f.signBit())
	f.bitwise(pos, func(v int, signs reg.VecVirtual, k reg.OpmaskVirtual) {
		x := f.vector()
		if f.wide {
			f.emit("VMOVUP"+f.letter(), x, f.at(dst, v))
			f.emit("VXORP"+f.letter(), x, k, x, sign)
		} else {
			f.emit("VANDP"+f.letter(), signs, signs, sign)
			f.emit("VXORP"+f.letter(), x, signs, f.at(dst, v))
		}
		f.emit("VMOVUP"+f.letter(), f.at(dst, v), x)
	})
}

// flipAs changes the sign where those of u and x differ.
func (g *generator) flipAs(s *isa) {
	f := g.simple(s, "flipAs", fmt.Sprintf("(dst, u, x *%s, n int)", s.element()))
	dst, u, x, sign := f.argument("dst"), f.argument("u"), f.argument("x"), f.constantVector(f.signBit())
	f.loop(abi.Lanes, func() {
		for v := range abi.Lanes / f.lanes() {
			y := f.vector()
			f.emit("VMOVUP"+f.letter(), y, f.at(u, v))
			f.emit("VXORP"+f.letter(), y, y, f.at(x, v))
			f.emit("VANDP"+f.letter(), y, y, sign)
			f.emit("VXORP"+f.letter(), y, y, f.at(dst, v))
			f.emit("VMOVUP"+f.letter(), f.at(dst, v), y)
		}
	}, func() {})
}

// mask makes 0 of what is not kept.
func (g *generator) mask(s *isa) {
	f := g.simple(s, "mask", fmt.Sprintf("(dst *%s, keep *uint64, n int)", s.element()))
	dst, keep := f.argument("dst"), f.argument("keep")
	zero := f.vector()
	f.zero(zero)
	f.bitwise(keep, func(v int, signs reg.VecVirtual, k reg.OpmaskVirtual) {
		x := f.vector()
		if f.wide {
			f.emit("VMOVUP"+f.letter()+"_Z", x, k, f.at(dst, v))
		} else {
			f.emit("VBLENDVP"+f.letter(), x, zero, f.at(dst, v), signs)
		}
		f.emit("VMOVUP"+f.letter(), f.at(dst, v), x)
	})
}

// blend writes other to dst where which is set.
func (g *generator) blend(s *isa) {
	f := g.simple(s, "blend", fmt.Sprintf("(dst, other *%s, which *uint64, n int)", s.element()))
	dst, other, which := f.argument("dst"), f.argument("other"), f.argument("which")
	f.bitwise(which, func(v int, signs reg.VecVirtual, k reg.OpmaskVirtual) {
		x := f.vector()
		f.emit("VMOVUP"+f.letter(), x, f.at(dst, v))
		if f.wide {
			f.emit("VMOVUP"+f.letter(), x, k, f.at(other, v))
		} else {
			f.emit("VBLENDVP"+f.letter(), x, x, f.at(other, v), signs)
		}
		f.emit("VMOVUP"+f.letter(), f.at(dst, v), x)
	})
}

// bitwise writes a loop over vectors with their bits of a mask, see bits.
func (f *simple) bitwise(mask reg.Register, body func(v int, signs reg.VecVirtual, k reg.OpmaskVirtual)) {
	f.bytewise(func(place reg.Register, vectors int) {
		for v := range vectors {
			signs, k := f.bits(mask, place, v)
			body(v, signs, k)
		}
	}, func() {})
}

// bytewise writes a loop over vectors, two at a time at most, and the bytes of masks where their bits begin.
func (f *simple) bytewise(body func(place reg.Register, vectors int), after func()) {
	f.turns(func() {
		place := f.GP64()
		f.MOVQ(f.e, place)
		f.SHRQ(Imm(3), place)
		body(place, f.vectors())
	}, after)
}

// weigh writes src times by[r] to dst+n·r, for each row r, in whole vectors: column by column from the last one on, as what is behind
// a row is the next one's beginning. A single row is written in one loop.
func (g *generator) weigh(s *isa) {
	f := g.simple(s, "weigh", fmt.Sprintf("(dst, src *%[1]s, n int, by *%[1]s, rows int)", s.element()))
	dst, src, by, end := f.argument("dst"), f.argument("src"), f.argument("by"), f.argument("rows")
	f.e, f.end = f.GP64(), f.argument("n")
	vectors := f.vectors()
	weight := f.vector()
	f.CMPQ(end, Imm(1))
	f.JEQ(LabelRef("single"))
	to, factor := f.GP64(), f.GP64()
	f.LEAQ(Mem{Base: by, Index: end, Scale: uint8(f.elem())}, end)
	f.LEAQ(Mem{Base: f.end, Disp: -1}, f.e)
	f.ANDQ(I8(-vectors*f.lanes()), f.e)
	f.Label("column")
	x, y := make([]reg.VecVirtual, vectors), f.vector()
	for v := range vectors {
		x[v] = f.vector()
		f.emit("VMOVUP"+f.letter(), x[v], f.at(src, v))
	}
	f.LEAQ(Mem{Base: dst, Index: f.e, Scale: uint8(f.elem())}, to)
	f.MOVQ(by, factor)
	f.Label("row")
	f.emit("VBROADCASTS"+f.letter(), weight, Mem{Base: factor})
	for v := range vectors {
		f.emit("VMULP"+f.letter(), y, weight, x[v])
		f.emit("VMOVUP"+f.letter(), Mem{Base: to, Disp: v * f.bytes()}, y)
	}
	f.LEAQ(Mem{Base: to, Index: f.end, Scale: uint8(f.elem())}, to)
	f.ADDQ(Imm(uint64(f.elem())), factor)
	f.CMPQ(factor, end)
	f.JNE(LabelRef("row"))
	f.SUBQ(Imm(uint64(vectors*f.lanes())), f.e)
	f.JGE(LabelRef("column"))
	f.VZEROUPPER()
	f.RET()
	f.Label("single")
	f.emit("VBROADCASTS"+f.letter(), weight, Mem{Base: by})
	f.turns(func() {
		for v := range vectors {
			f.emit("VMULP"+f.letter(), y, weight, f.at(src, v))
			f.emit("VMOVUP"+f.letter(), f.at(dst, v), y)
		}
	}, func() {})
}

// expand makes the arguments of a kernel of bits: u = -x and w = wPos where pos is set, otherwise x and wNeg.
func (g *generator) expand(s *isa) {
	f := g.simple(s, "expand", fmt.Sprintf("(u, w, x *%[1]s, pos *uint64, n int, wNeg, wPos %[1]s)", s.element()))
	u, w, x0, pos := f.argument("u"), f.argument("w"), f.argument("x"), f.argument("pos")
	wNeg, wPos, sign := f.vector(), f.vector(), f.constantVector(f.signBit())
	f.emit("VBROADCASTS"+f.letter(), wNeg, f.address("wNeg"))
	f.emit("VBROADCASTS"+f.letter(), wPos, f.address("wPos"))
	f.bitwise(pos, func(v int, signs reg.VecVirtual, k reg.OpmaskVirtual) {
		x, y := f.vector(), f.vector()
		if f.wide {
			f.emit("VMOVUP"+f.letter(), x, f.at(x0, v))
			f.emit("VXORP"+f.letter(), x, k, x, sign)
			f.emit("VBLENDMP"+f.letter(), y, k, wNeg, wPos)
		} else {
			f.emit("VBLENDVP"+f.letter(), y, wNeg, wPos, signs)
			f.emit("VANDP"+f.letter(), signs, signs, sign)
			f.emit("VXORP"+f.letter(), x, signs, f.at(x0, v))
		}
		f.emit("VMOVUP"+f.letter(), f.at(u, v), x)
		f.emit("VMOVUP"+f.letter(), f.at(w, v), y)
	})
}

// expandRows makes the arguments of a kernel of labels, as expand makes them of bits, as a table tells: from one of its entries on, the
// first again after the last. If some is 0 nothing is ignored, and wNeg and wPos are all weights. Otherwise the table has them. Weights of
// rows, if there are any, have windows as labels have.
func (g *generator) expandRows(s *isa) {
	f := g.simple(s, "expandRows", fmt.Sprintf("(u, w, x *%[1]s, label *int32, rows *%[1]s, table unsafe.Pointer, from, entries, n int, ignore int32, some bool, wNeg, wPos %[1]s)", s.element()))
	u, w, x0, label, rows, table := f.argument("u"), f.argument("w"), f.argument("x"), f.argument("label"), f.argument("rows"), f.argument("table")
	entry, end, left, last := f.argument("from"), f.GP64(), f.argument("n"), f.argument("entries")
	ignore, sign, wNeg, wPos := f.spread("ignore", 32), f.constantVector(f.signBit()), f.vector(), f.vector()
	f.emit("VBROADCASTS"+f.letter(), wNeg, f.address("wNeg"))
	f.emit("VBROADCASTS"+f.letter(), wPos, f.address("wPos"))
	if !f.wide {
		f.VBLENDPS(Imm(0x88), wPos, wNeg, wNeg) // VPERMILPS takes 0 for the first one of four, and -1 for the last
	}
	const array = 4 * abi.Lanes // of the table, one after the other: row, label, neg, change, step
	const size = 4*array + 2*8
	f.IMUL3Q(U32(size), entry, entry)
	f.IMUL3Q(U32(size), last, last)
	f.IMUL3Q(Imm(size/abi.Lanes), left, left) // bytes of the table, as all
	f.ADDQ(table, entry)
	f.ADDQ(table, last)
	f.SUBQ(x0, u)
	f.SUBQ(x0, w)
	f.SUBQ(label, rows)
	body := func(name string, some, weighted bool) {
		f.Label(name)
		vectors := abi.Lanes / f.lanes()
		x, weight := make([]reg.VecVirtual, vectors), make([]reg.VecVirtual, vectors)
		for v := range vectors {
			labels := f.vector()
			x[v], weight[v] = f.vector(), f.vector()
			at := func(n int) Mem { return Mem{Base: entry, Disp: n*array + v*f.bytes()} }
			f.VMOVUPS(at(0), labels)
			row := f.vector()
			if weighted {
				f.VPERMPS(Mem{Base: label, Index: rows, Scale: 1}, labels, row)
			}
			f.VPERMD(Mem{Base: label}, labels, labels)
			f.ADDQ(Mem{Base: entry, Disp: 4*array + 8*v}, label)
			from := Mem{Base: x0, Disp: v * f.bytes()}
			if f.wide {
				positive, kept := f.K(), f.K()
				f.VPCMPEQD(at(1), labels, positive)
				f.VMOVUPS(from, x[v])
				f.VXORPS(x[v], sign, positive, x[v])
				if !some {
					f.VBLENDMPS(wPos, wNeg, positive, weight[v])
				} else {
					f.VMOVUPS(at(2), weight[v])
					f.VXORPS(at(3), weight[v], positive, weight[v])
				}
				if weighted {
					f.VMULPS(row, weight[v], weight[v])
				}
				if some {
					f.VPCMPD(Imm(4), ignore, labels, kept)
					f.VMOVAPS_Z(x[v], kept, x[v])
					f.VMOVAPS_Z(weight[v], kept, weight[v])
				}
				continue
			}
			positive := f.YMM()
			f.VPCMPEQD(at(1), labels, positive)
			if !some {
				f.VPERMILPS(positive, wNeg, weight[v])
			} else {
				f.VANDPS(at(3), positive, weight[v])
				f.VXORPS(at(2), weight[v], weight[v])
			}
			if weighted {
				f.VMULPS(row, weight[v], weight[v])
			}
			f.VANDPS(sign, positive, x[v])
			f.VXORPS(from, x[v], x[v])
			if some {
				f.VPCMPEQD(ignore, labels, labels)
				f.VPANDN(x[v], labels, x[v])
				f.VPANDN(weight[v], labels, weight[v])
			}
		}
		for i, to := range []reg.GPVirtual{u, w} {
			for v := range vectors { // two of a cache line in turn
				f.VMOVUPS([][]reg.VecVirtual{x, weight}[i][v], Mem{Base: x0, Index: to, Scale: 1, Disp: v * f.bytes()})
			}
		}
		f.ADDQ(Imm(4*abi.Lanes), x0)
		f.ADDQ(U32(size), entry)
		f.CMPQ(entry, end)
		f.JLT(LabelRef(name))
	}
	f.Label("turn")
	f.MOVQ(entry, end)
	f.ADDQ(left, end)
	f.CMPQ(end, last)
	f.CMOVQGT(last, end)
	f.ADDQ(entry, left)
	f.SUBQ(end, left)
	f.CMPQ(f.address("rows"), Imm(0))
	f.JNE(LabelRef("weighted"))
	f.CMPB(f.address("some"), Imm(0))
	f.JNE(LabelRef("some"))
	body("all", false, false)
	f.JMP(LabelRef("next"))
	body("some", true, false)
	f.JMP(LabelRef("next"))
	body("weighted", true, true)
	f.Label("next")
	f.MOVQ(table, entry)
	f.TESTQ(left, left)
	f.JNE(LabelRef("turn"))
	f.VZEROUPPER()
	f.RET()
}
