package main

import (
	"fmt"
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/operand"
)

// A pipe is a sort of execution unit, as the scheduler counts them.
type pipe int

const (
	multiply pipe = iota // multiplications and fused ones
	addition
	logic   // whatever does not care much: bits, shifts, permutations
	divide  // blocks a multiplier for a while
	loading // no arithmetic at all
	storing
	pipes
)

// An operation is an instruction that computes one vector, or mask, from others.
type operation struct {
	name     string // a dot at its end stands for the letter of the element type, S or D; # for the integer's, D or Q
	pipe     pipe
	latency  int
	memory   int  // which argument may be in memory, -1: none
	commutes bool // the first two arguments may change places
	mask     bool // the result is a mask of AVX-512
	imm      bool // an immediate stands before the arguments in Go's order: the last in Intel's
}

// The latencies are those of Zen 3 and Zen 4, which those of Intel's machines resemble.
var (
	opAdd    = &operation{name: "VADDP.", pipe: addition, latency: 3, memory: 1, commutes: true}
	opSub    = &operation{name: "VSUBP.", pipe: addition, latency: 3, memory: 1}
	opMul    = &operation{name: "VMULP.", pipe: multiply, latency: 3, memory: 1, commutes: true}
	opFma    = &operation{pipe: multiply, latency: 4} // the name and what is in memory depend on the operands; the fourth, if any, is a mask
	opDiv    = &operation{name: "VDIVP.", pipe: divide, latency: 12, memory: 1}
	opMin    = &operation{name: "VMINP.", pipe: addition, latency: 2, memory: 1}
	opMax    = &operation{name: "VMAXP.", pipe: addition, latency: 2, memory: 1}
	opAnd    = &operation{name: "VANDP.", pipe: logic, latency: 1, memory: 1, commutes: true}
	opAndn   = &operation{name: "VANDNP.", pipe: logic, latency: 1, memory: 1} // not the first, and the second
	opOr     = &operation{name: "VORP.", pipe: logic, latency: 1, memory: 1, commutes: true}
	opXor    = &operation{name: "VXORP.", pipe: logic, latency: 1, memory: 1, commutes: true}
	opShl    = &operation{name: "VPSLL#", pipe: logic, latency: 1, memory: -1, imm: true}
	opShr    = &operation{name: "VPSRL#", pipe: logic, latency: 1, memory: -1, imm: true}
	opSra    = &operation{name: "VPSRA#", pipe: logic, latency: 1, memory: -1, imm: true}
	opPerm   = &operation{name: "VPERMP.", pipe: logic, latency: 3, memory: 1}   // index, table
	opPerm8  = &operation{name: "VPERMPS", pipe: logic, latency: 3, memory: 1}   // the same, by halves of float64
	opPermil = &operation{name: "VPERMILP.", pipe: logic, latency: 1, memory: 1} // table, index
	opTwice  = &operation{name: "VPSHUFD", pipe: logic, latency: 1, memory: 0, imm: true}
	opHalf   = &operation{name: "VBLENDPS", pipe: logic, latency: 1, memory: 1, imm: true}
	opBlend  = &operation{name: "VBLENDVP.", pipe: logic, latency: 2, memory: 1}             // the second where the third's sign is set, else the first
	opPick   = &operation{name: "VBLENDMP.", pipe: logic, latency: 1, memory: 1}             // the second where the mask, the third, is set
	opKeep   = &operation{name: "VMOVUP.", pipe: logic, latency: 1, memory: 0}               // the first where the mask, the second, is set, else 0
	opFlip   = &operation{name: "VPTERNLOG#", pipe: logic, latency: 1, memory: 2, imm: true} // a function of three bits; the first is overwritten
	opCmp    = &operation{name: "VCMPP.", pipe: addition, latency: 3, memory: 1, imm: true}
	opGt     = &operation{name: "VPCMPGT#", pipe: logic, latency: 2, memory: 1}
	opSigns  = &operation{name: "VPMOV#2M", pipe: logic, latency: 3, memory: -1, mask: true}
	opCmpK   = &operation{name: "VCMPP.", pipe: addition, latency: 4, memory: 1, imm: true, mask: true}
	opLoad   = &operation{name: "VMOVUP.", pipe: loading, latency: 6, memory: 0}
	opStore  = &operation{name: "VMOVUP.", pipe: storing, latency: 1, memory: -1}

	opMemory = &operation{} // not computed: a constant, a parameter, or a table, in memory
	opNeg    = &operation{} // not computed: the user negates it
)

// A value is what one operation of a loop's body computes; of U vectors, each has its own.
type value struct {
	*body
	op    *operation
	args  []*value
	imm   int
	mem   Mem    // of what is in memory
	array *array // of a load or a store
	whole bool   // mem holds a whole vector, not one element to be broadcast by the instruction; AVX2: always
	bits  bool   // mem is an element of zeros

	minusProduct, minusAddend bool // of opFma

	// AVX-512: where the mask, the last argument, is not set, the value is that of the argument before it, or 0.
	merges, zeroes bool

	number int // in order of creation
	vector int
}

// A body is the straight-line code of a loop for U vectors.
type body struct {
	*isa
	vector int // at present
	count  int
	stores []*value
	loads  []*value
	memory map[string]*value
	fn     *function

	computed map[string]*value
	handed   map[string]*value // by put, where the stages share a loop
}

func (b *body) add(v *value) *value {
	v.body, v.vector = b, b.vector
	// the same once more is not computed again
	key := fmt.Sprintf("%p %d %v %p %v %v", v.op, v.imm, v.mem, v.array, v.minusProduct, v.minusAddend)
	if v.array != nil {
		key += fmt.Sprintf(" %d", v.vector)
	}
	for _, a := range v.args {
		key += fmt.Sprintf(" %d", a.number)
	}
	if old := b.computed[key]; old != nil && v.op != opStore {
		return old
	}
	b.computed[key] = v
	v.number = b.count
	b.count++
	for _, a := range v.args {
		if a.op == opNeg {
			panic("a negated operand of " + v.op.name)
		}
	}
	return v
}

func (b *body) compute(op *operation, args ...*value) *value {
	return b.add(&value{op: op, args: args})
}

func (b *body) computeImm(op *operation, imm int, args ...*value) *value {
	return b.add(&value{op: op, args: args, imm: imm})
}

// The mathematics. Nothing here says where a value is, how long it lives or which operand an instruction overwrites.

func (x *value) plus(y *value) *value  { return x.compute(opAdd, x, y) }
func (x *value) minus(y *value) *value { return x.compute(opSub, x, y) }
func (x *value) times(y *value) *value { return x.compute(opMul, x, y) }
func (x *value) over(y *value) *value  { return x.compute(opDiv, x, y) }
func (x *value) and(y *value) *value   { return x.compute(opAnd, x, y) }
func (x *value) or(y *value) *value    { return x.compute(opOr, x, y) }
func (x *value) xor(y *value) *value   { return x.compute(opXor, x, y) }

// smaller and larger return the second operand if one is NaN.
func smaller(x, y *value) *value { return x.compute(opMin, x, y) }
func larger(x, y *value) *value  { return x.compute(opMax, x, y) }

// neg is for the operands of fma.
func neg(x *value) *value {
	if x.op == opNeg {
		return x.args[0]
	}
	return &value{body: x.body, op: opNeg, args: []*value{x}}
}

// fma returns x·y + z, rounded once.
func fma(x, y, z *value) *value {
	v := &value{op: opFma}
	for i, a := range []*value{x, y, z} {
		if a.op == opNeg {
			a = a.args[0]
			if i < 2 {
				v.minusProduct = !v.minusProduct
			} else {
				v.minusAddend = true
			}
		}
		v.args = append(v.args, a)
	}
	return x.body.add(v)
}

// As integers.
func (x *value) shl(bits int) *value { return x.computeImm(opShl, bits, x) }
func (x *value) shr(bits int) *value { return x.computeImm(opShr, bits, x) }

// A mask says yes or no for each element.
type mask struct {
	sign *value // AVX2: the sign bit says it
	full *value // AVX2: all bits say it; nil: not made yet
	k    *value // AVX-512
	not  bool   // it means the others
}

// negative returns the mask of the elements whose sign bit is set.
func (b *body) negative(x *value) *mask {
	if b.wide {
		return &mask{k: b.compute(opSigns, x)}
	}
	return &mask{sign: x}
}

// below0 returns the mask of the elements that are below 0.
func (b *body) below0(x *value) *mask { return compare(x, b.num(0), less) }

// above0 returns larger(0, x), given the mask of x < 0: with AVX2 that takes a pipe that has less to do.
func above0(negative *mask, x *value) *value {
	if negative.k != nil {
		return larger(x.num(0), x)
	}
	return choose(negative, x.num(0), x)
}

// compare returns the mask of the elements for which a predicate of VCMPPS holds.
func compare(x, y *value, predicate int) *mask {
	if x.wide {
		return &mask{k: x.computeImm(opCmpK, predicate, x, y)}
	}
	full := x.computeImm(opCmp, predicate, x, y)
	return &mask{sign: full, full: full}
}

const (
	equal     = 0x00
	less      = 0x11
	notEqual  = 0x04
	unordered = 0x03
)

// allBits returns a vector that has all bits of an element alike; AVX2.
func (m *mask) allBits() *value {
	if m.full == nil {
		x := m.sign
		if x.double {
			m.full = x.compute(opGt, x.num(0), x) // AVX2 lacks VPSRAQ
		} else {
			m.full = x.computeImm(opSra, 31, x)
		}
	}
	return m.full
}

// others returns the mask of those for which a mask is not set.
func (m *mask) others() *mask {
	o := *m
	o.not = !m.not
	return &o
}

// addWhere returns x·y + z, rounded once, where the mask is set, elsewhere z; y is finite. It is cheaper than to choose factors.
func addWhere(m *mask, x, y, z *value) *value {
	switch {
	case m.k != nil && m.not:
		return choose(m, fma(x, y, z), z)
	case m.k != nil:
		return x.body.add(&value{op: opFma, args: []*value{x, y, z, m.k}})
	}
	return fma(choose(m, x, x.num(0)), y, z)
}

// chooseProduct returns yes where the mask is set, elsewhere x·y; y is finite.
func chooseProduct(m *mask, yes, x, y *value) *value {
	if m.k != nil {
		return choose(m, yes, x.times(y))
	}
	return addWhere(m.others(), x, y, choose(m, yes, yes.num(0)))
}

// swap returns x and y, exchanged where the mask is set.
func swap(m *mask, x, y *value) (_, _ *value) {
	if m.k != nil {
		return choose(m, y, x), choose(m, x, y)
	}
	differ := x.xor(y).and(m.allBits())
	return x.xor(differ), y.xor(differ)
}

// choose returns yes where the mask is set, elsewhere no.
func choose(m *mask, yes, no *value) *value {
	if m.not {
		return choose(m.others(), no, yes)
	}
	switch {
	case m.k != nil && no.isZero():
		return yes.compute(opKeep, yes, m.k)
	case m.k != nil:
		return yes.compute(opPick, no, yes, m.k)
	case no.isZero():
		return yes.compute(opAnd, m.allBits(), yes)
	case yes.isZero():
		return no.compute(opAndn, m.allBits(), no)
	}
	return yes.compute(opBlend, no, yes, m.sign)
}

// chooseLess is choose for 0 ≤ yes ≤ no: with all bits of a mask at hand, a bound is cheaper than a blend on most machines.
func chooseLess(m *mask, yes, no *value) *value {
	if m.full == nil {
		return choose(m, yes, no)
	}
	return larger(yes, choose(m, yes.num(0), no))
}

func (v *value) isZero() bool { return v.op == opMemory && v.bits }

// Where values come from, and where they go.

// num returns a constant.
func (b *body) num(v float64) *value { return b.bitPattern(b.bitsOf(v)) }

// bitPattern returns a constant given by its bits.
func (b *body) bitPattern(bits uint64) *value {
	name := fmt.Sprintf("c%0*x", 2*b.elem(), bits)
	return b.fromMemory(name, &value{mem: b.fn.constant(b.isa, name, bits), whole: !b.wide, bits: bits == 0})
}

func (b *body) fromMemory(name string, v *value) *value {
	if old := b.memory[name]; old != nil {
		return old
	}
	v.op = opMemory
	b.memory[name] = b.add(v)
	return v
}

// param returns a number of the plan.
func (b *body) param(field string) *value { return b.fn.param(b, field) }

// get returns a value that put has handed on, or an argument.
func (b *body) get(name string) *value {
	if v := b.handed[fmt.Sprint(name, b.vector)]; v != nil {
		return v
	}
	return b.load(b.fn.array(name))
}

// put hands a value on to later stages, or writes a result.
func (b *body) put(name string, v *value) {
	if !isField(name) {
		b.handed[fmt.Sprint(name, b.vector)] = v
	}
	if b.fn.chunk == 0 && !isField(name) {
		return
	}
	b.store(b.fn.array(name), v)
}

// flipped returns y with its sign changed where that of x is set.
func (b *body) flipped(y, x *value) *value {
	sign := b.bitPattern(b.signBit())
	if b.wide {
		return b.computeImm(opFlip, 0x78, y, x, sign) // y ^ x&sign
	}
	return y.xor(x.and(sign))
}

// minusWhere returns x - y where the mask is set, elsewhere x.
func minusWhere(m *mask, x, y *value) *value {
	if m.k != nil {
		return choose(m, x.minus(y), x)
	}
	return x.minus(choose(m, y, y.num(0)))
}

// fuse makes one operation of an operation and the choice between its result and another or 0, where nobody else wants that result.
func (b *body) fuse() {
	users := b.users()
	for v := range users {
		if v.op != opPick && v.op != opKeep {
			continue
		}
		yes, k := v.args[0], v.args[len(v.args)-1]
		if v.op == opPick {
			yes = v.args[1]
		}
		switch simple := slices.Contains([]*operation{opAdd, opSub, opMul, opMin, opMax}, yes.op); {
		case len(users[yes]) > 1 || yes.merges || yes.zeroes || !simple && (yes.op != opFma || len(yes.args) > 3 || v.op == opPick):
			continue
		case v.op == opPick:
			v.merges, v.args = true, append(slices.Clone(yes.args), v.args[0], k)
		default:
			v.zeroes, v.args = true, append(slices.Clone(yes.args), k)
		}
		v.op, v.minusProduct, v.minusAddend = yes.op, yes.minusProduct, yes.minusAddend
	}
}

// abs returns |x|.
func (b *body) abs(x *value) *value { return x.and(b.bitPattern(1<<(8*b.elem()-1) - 1)) }

// node returns the entry of coef's Node that the last bits of t select.
func (b *body) node(t *value) *value {
	node := b.table.Node
	switch {
	case len(node) == 8:
		return b.lookup(node, t)
	case b.wide:
		return b.lookup(slices.Repeat(node, 4), t)
	}
	return b.compute(opPermil, b.words(slices.Repeat(node, 2)), t.shl(1)) // it looks at the second bit
}

// lookup returns the entries of a table of eight that the last three bits of each element select.
func (b *body) lookup(table []float64, index *value) *value {
	if !b.double || b.wide {
		if !b.double && b.wide {
			table = slices.Repeat(table, 2) // VPERMPS looks at four bits
		}
		return b.compute(opPerm, index, b.words(table))
	}
	// AVX2 has no permutation of eight float64: the halves apart, the lower ones only if not all are 0.
	twice := b.computeImm(opTwice, 0xa0, index)
	lower, upper := make([]uint64, 4), make([]uint64, 4)
	for i, x := range table {
		x := b.bitsOf(x)
		lower[i/2] |= x & 0xffffffff << (i % 2 * 32)
		upper[i/2] |= x >> 32 << (i % 2 * 32)
	}
	up := b.compute(opPerm8, twice, b.rawWords(upper))
	if !slices.ContainsFunc(lower, func(x uint64) bool { return x != 0 }) {
		return up.and(b.bitPattern(0xffffffff << 32))
	}
	low := b.compute(opPerm8, twice, b.rawWords(lower))
	return b.computeImm(opHalf, 0xaa, low, up)
}

// words returns a table in memory.
func (b *body) words(table []float64) *value {
	var bits []uint64
	for _, x := range table {
		bits = append(bits, b.bitsOf(x))
	}
	return b.rawWords(bits)
}

func (b *body) rawWords(bits []uint64) *value {
	return b.fromMemory(fmt.Sprint(bits), &value{mem: b.fn.words(b.isa, bits), whole: true})
}

// load returns the vector that an array has for the present group.
func (b *body) load(a *array) *value {
	v := b.add(&value{op: opLoad, array: a, whole: true})
	if !slices.Contains(b.loads, v) {
		b.loads = append(b.loads, v)
	}
	return v
}

// store writes a value to an array.
func (b *body) store(a *array, x *value) {
	b.stores = append(b.stores, b.add(&value{op: opStore, array: a, args: []*value{x}}))
}

// place returns where a value is that is in memory.
func (v *value) place() Mem {
	if v.array != nil {
		return v.array.at(v.vector * v.bytes())
	}
	return v.mem
}

// inputs returns the arguments, each once.
func (v *value) inputs() (in []*value) {
	for _, a := range v.args {
		if !slices.Contains(in, a) {
			in = append(in, a)
		}
	}
	return in
}

// inMemory reports whether a value is not computed but found in memory.
func (v *value) inMemory() bool { return v.op == opMemory || v.op == opLoad }

// An isa is an instruction set and an element type: what differs between the four sets of kernels.
type isa struct {
	suffix string // of function names
	wide   bool   // AVX-512: 512-bit vectors, mask registers, broadcast operands, 32 registers
	double bool   // float64
	*constants
}

func (s *isa) elem() int { return map[bool]int{false: 4, true: 8}[s.double] }

func (s *isa) bytes() int { return map[bool]int{false: 32, true: 64}[s.wide] }

func (s *isa) lanes() int { return s.bytes() / s.elem() }

func (s *isa) letter() string { return map[bool]string{false: "S", true: "D"}[s.double] }

func (s *isa) integer() string { return map[bool]string{false: "D", true: "Q"}[s.double] }

func (s *isa) registers() int { return map[bool]int{false: 16, true: 32}[s.wide] }

// bitsOf returns the bits of a value of the element type.
func (s *isa) bitsOf(v float64) uint64 {
	if s.double {
		return math.Float64bits(v)
	}
	if float64(float32(v)) != v {
		panic(fmt.Sprintf("%v is no float32", v))
	}
	return uint64(math.Float32bits(float32(v)))
}

func (s *isa) signBit() uint64 { return 1 << (8*s.elem() - 1) }
