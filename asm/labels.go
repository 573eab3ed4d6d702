package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/gofocal/focal/internal/abi"
)

// The kernels of labels: their check, and the bit masks of narrow rows, for which a loop over rows takes longer than
// the loss itself.

// labels writes both for an instruction set.
func labels(ctx *build.Context, wide bool, suffix string) {
	g := &generator{Context: ctx, isa: &isa{wide: wide, suffix: suffix}}
	k := &kernel{generator: g}
	k.labelsValid()
	k.labelMasks()
}

// rowTable has, for each width c of rows, the row of each element of 16 rows, as bytes. It begins at 8·c·(c-1).
func (g *generator) rowTable() Mem {
	if m, ok := globals["rows"]; ok {
		return m
	}
	m := g.StaticGlobal("rows")
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	at := 0
	for c := 1; c <= abi.NarrowRow; c++ {
		for e := range 16 * c {
			g.AddDatum(at, U8(e/c))
			at++
		}
	}
	globals["rows"] = m
	return m
}

// ints returns the constants first, first+step, … for a vector of int32.
func (g *generator) ints(name string, first, step int) Mem {
	var v []uint64
	for i := range g.lanes() {
		v = append(v, uint64(uint32(first+i*step)))
	}
	return g.words(fmt.Sprintf("%s%d", name, g.lanes()), v)
}

// spread returns a vector with every element set to an int32 argument.
func (k *kernel) spread(argument string) reg.VecVirtual {
	r := k.GP32()
	k.MOVL(k.address(argument), r)
	return k.spreadRegister(r)
}

func (k *kernel) spreadRegister(r reg.GPVirtual) reg.VecVirtual {
	x, v := k.XMM(), k.vector()
	k.VMOVD(r, x)
	k.VPBROADCASTD(x, v)
	return v
}

// labelsValid writes func(label *int32, n int, limit uint32, ignore int32) (ok bool): whether all labels are at most
// limit, taken as unsigned, or ignore.
func (k *kernel) labelsValid() {
	k.Function("labelsValid" + k.suffix)
	k.Attributes(attr.NOSPLIT)
	k.signature("(label *int32, n int, limit uint32, ignore int32) (ok bool)")
	k.x = k.argument("label")
	k.end = k.argument("n")
	limit, ignore := k.spread("limit"), k.spread("ignore")
	bad := k.GP32()
	k.XORL(bad, bad)
	k.n = 1
	k.loops(func() {
		v := k.read(k.x)[0]
		if k.wide {
			above, other := k.K(), k.K()
			k.VPCMPUD(Imm(6), limit, v, above) // not ≤
			k.VPCMPD(Imm(4), ignore, v, above, other)
			r := k.GP32()
			k.KMOVW(other, r)
			k.ORL(r, bad)
			return
		}
		low, same := k.YMM(), k.YMM()
		k.VPMINUD(limit, v, low)
		k.VPCMPEQD(v, low, low)
		k.VPCMPEQD(v, ignore, same)
		k.VPOR(low, same, same)
		r := k.GP32()
		k.VMOVMSKPS(same, r)
		k.XORL(Imm(uint64(1<<k.lanes()-1)), r)
		k.ORL(r, bad)
	}, func() {
		k.TESTL(bad, bad)
		k.SETEQ(k.result("ok"))
	})
}

// labelMasks writes func(pos, keep *bitmask, label *int32, rows, c int, offset, ignore int32) (ignored bool): the masks
// of whole rows of c ≤ abi.NarrowRow elements, from bit 0 on; both are written up to the end of a group of 16 rows.
//
// For each row, target is the number of the positive element within the group of rows, or -1: background, or -2:
// ignored. Each vector of elements fetches the targets of its rows, which the table says, and compares.
func (k *kernel) labelMasks() {
	k.Function("labelMasks" + k.suffix)
	k.Attributes(attr.NOSPLIT)
	k.signature("(pos, keep *uint64, label *int32, rows, c int, offset, ignore int32) (ignored bool)")
	pos, keep := k.argument("pos"), k.argument("keep")
	k.x, k.end = k.argument("label"), k.argument("rows")
	c := k.argument("c")
	offset, ignore := k.spread("offset"), k.spread("ignore")
	width := k.spreadRegister(c.As32().(reg.GPVirtual))

	table := k.GP64()
	k.LEAQ(Mem{Base: c, Disp: -1}, table)
	k.IMULQ(c, table)
	k.SHLQ(Imm(3), table)
	rows := k.GP64()
	k.LEAQ(k.rowTable(), rows)
	k.ADDQ(rows, table)

	first := k.vector() // each row's first element
	k.VMOVUPS(k.ints("iota", 0, 1), first)
	k.VPMULLD(width, first, first)
	any := k.GP32()
	k.XORL(any, any)
	minus := func(n int) Mem { return k.ints(fmt.Sprintf("minus%d_", n), -n, 0) }
	background, ignored, step := k.vector(), k.vector(), k.vector()
	k.VMOVUPS(minus(1), background)
	k.VMOVUPS(minus(2), ignored)
	k.VMOVUPS(k.ints("step", k.lanes(), 0), step)

	k.n = 1
	k.loops(func() {
		v := k.read(k.x)[0]
		r := k.GP32()
		target := k.vector()
		if k.wide {
			skip, positive := k.K(), k.K()
			if k.last { // there may be no more rows, which read as 0
				k.VPCMPEQD(ignore, v, k.tailMask, skip)
			} else {
				k.VPCMPEQD(ignore, v, skip)
			}
			k.VPSUBD(offset, v, v)
			k.VPCMPUD(Imm(1), width, v, positive)
			k.VPADDD(first, v, v)
			k.VMOVDQA32(background, target)
			k.VMOVDQA32(v, positive, target)
			k.VMOVDQA32(ignored, skip, target)
			k.KMOVW(skip, r)
		} else {
			skip, positive := k.YMM(), k.YMM()
			k.VPCMPEQD(ignore, v, skip)
			if k.last {
				k.VPAND(k.tail, skip, skip)
			}
			k.VPSUBD(offset, v, v)
			// unsigned v < c
			k.VPADDD(width, background, positive)
			k.VPMINUD(positive, v, positive)
			k.VPCMPEQD(v, positive, positive)
			k.VPADDD(first, v, v)
			k.VBLENDVPS(positive, v, background, target)
			k.VBLENDVPS(skip, ignored, target, target)
			k.VMOVMSKPS(skip, r)
		}
		k.ORL(r, any)

		element, row, left := k.vector(), k.GP64(), k.GP64()
		k.VMOVUPS(k.ints("iota", 0, 1), element)
		k.MOVQ(table, row)
		k.MOVQ(c, left)
		k.labels++
		again := fmt.Sprintf("row%d", k.labels)
		k.Label(again)
		at := k.vector()
		k.VPMOVZXBD(Mem{Base: row}, at)
		k.VPERMD(target, at, at)
		if k.wide {
			p, q := k.K(), k.K()
			k.VPCMPEQD(element, at, p)
			k.VPCMPD(Imm(4), ignored, at, q)
			k.KMOVW(p, Mem{Base: pos})
			k.KMOVW(q, Mem{Base: keep})
		} else {
			p, q := k.YMM(), k.GP32()
			k.VPCMPEQD(element, at, p)
			k.VMOVMSKPS(p, q)
			k.MOVB(q.As8(), Mem{Base: pos})
			k.VPCMPEQD(ignored, at, p)
			k.VMOVMSKPS(p, q)
			k.NOTL(q)
			k.MOVB(q.As8(), Mem{Base: keep})
		}
		k.VPADDD(step, element, element)
		k.ADDQ(Imm(uint64(k.lanes())), row)
		k.ADDQ(Imm(uint64(k.lanes()/8)), pos)
		k.ADDQ(Imm(uint64(k.lanes()/8)), keep)
		k.DECQ(left)
		k.JNE(LabelRef(again))
	}, func() {
		k.TESTL(any, any)
		k.SETNE(k.result("ignored"))
	})
}
