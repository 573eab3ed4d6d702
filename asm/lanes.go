package main

import (
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/gofocal/focal/internal/coef"
)

// An isa is an instruction set and an element type: what differs between the four sets of kernels.
type isa struct {
	suffix   string // of function names
	wide     bool   // AVX-512: 512-bit vectors, mask registers, broadcast operands
	double   bool   // float64
	table    constants
	inFlight flight

	softInFlight flight
}

// flight is how many vectors have their operations interleaved in the main loop, for each order at γ = 2 and at any γ:
// as many as there are registers for.
type flight [4][2]int

func (s *isa) elem() int      { return map[bool]int{false: 4, true: 8}[s.double] }
func (s *isa) bytes() int     { return map[bool]int{false: 32, true: 64}[s.wide] }
func (s *isa) lanes() int     { return s.bytes() / s.elem() }
func (s *isa) letter() string { return map[bool]string{false: "S", true: "D"}[s.double] }

// constants are those of package coef as float64, exact for either type.
type constants struct {
	coef.Layout
	scale, scaleLo                           float64
	exp, expRest, recip, log, log8Hi, log8Lo [8]float64
	exp2m1, log1p                            []float64
}

func constantsOf[T float32 | float64](t *coef.Table[T], l coef.Layout) constants {
	slice := func(v []T) []float64 {
		var r []float64
		for _, x := range v {
			r = append(r, float64(x))
		}
		return r
	}
	table := func(v [8]T) [8]float64 { return [8]float64(slice(v[:])) }
	return constants{
		Layout: l, scale: float64(t.Scale), scaleLo: float64(t.ScaleLo),
		exp: table(t.Exp), expRest: table(t.ExpRest), recip: table(t.Recip),
		log: table(t.Log), log8Hi: table(t.Log8Hi), log8Lo: table(t.Log8Lo),
		exp2m1: slice(t.Exp2m1), log1p: slice(t.Log1p),
	}
}

// A generator writes kernels. Its vector type is the group: the same value of several vectors, whose instructions are
// interleaved so that the latency of one hides behind the others.
type generator struct {
	*build.Context
	*isa
	n      int // vectors of a group at present
	params map[string]scalar
	zeros  reg.VecVirtual // AVX-512
	frame  reg.Register   // where spilled vectors are; AVX-512: only if parking
	used   int            // slots there

	parking bool // AVX-512: registers are so short that something is spilled
}

type (
	group  []reg.VecVirtual    // a value of each vector
	masks  []reg.OpmaskVirtual // a mask of each vector; AVX-512 only
	slots  []Mem               // a value of each vector, on the stack: AVX2 has few registers
	scalar struct{ Mem }       // one constant for all elements: broadcast by the instruction, or stored so often
)

func (g *generator) vector() reg.VecVirtual {
	if g.wide {
		return g.ZMM()
	}
	return g.YMM()
}

func (g *generator) group() group {
	v := make(group, g.n)
	for i := range v {
		v[i] = g.vector()
	}
	return v
}

// slot returns a place on the stack that is like no other; which of them can be the same is for allocateSlots.
func (g *generator) slot() Mem {
	m := Mem{Base: g.frame, Disp: g.used * g.bytes()}
	g.used++
	return m
}

// align makes frame, if anything is spilled, the beginning of the slots, on a multiple of their size: a store across two
// cache lines costs several times one inside. Go aligns its stack to words only.
func (g *generator) align() {
	g.frame, g.used = nil, 0
	if g.wide && !g.parking {
		return
	}
	m := g.AllocLocal(g.bytes()) // to be skipped
	g.frame = g.GP64()
	g.LEAQ(m.Offset(g.bytes()-1), g.frame)
	g.ANDQ(I8(-int8(g.bytes())), g.frame)
}

// spill stores a group on the stack.
func (g *generator) spill(v group) slots {
	s := make(slots, g.n)
	for i := range s {
		s[i] = g.slot()
	}
	g.do("VMOVUP.", s, v)
	return s
}

// park puts what must wait for longest on the stack, if registers are short.
func (g *generator) park(v group) value {
	if g.wide && !g.parking {
		return v
	}
	return g.spill(v)
}

// fill loads a group from the stack.
func (g *generator) fill(s slots) group {
	v := g.group()
	g.do("VMOVUP.", v, s)
	return v
}

func (g *generator) masks() masks {
	v := make(masks, g.n)
	for i := range v {
		v[i] = g.K()
	}
	return v
}

// emit writes an instruction by name, operands in Intel's order: the destination first.
func (g *generator) emit(name string, ops ...Op) {
	args := make([]reflect.Value, len(ops))
	for i, op := range ops {
		args[len(ops)-1-i] = reflect.ValueOf(op)
	}
	m := reflect.ValueOf(g.Context).MethodByName(name)
	if !m.IsValid() {
		panic("avo has no " + name)
	}
	m.Call(args)
}

// do writes an instruction for each vector of a group. A name that ends in a dot gets the suffix of the element type:
// "VADDP." is VADDPS or VADDPD. The operands are groups, masks, scalars, or the same for all vectors.
func (g *generator) do(name string, operands ...any) {
	name, zeroing := strings.CutSuffix(name, "_Z")
	if n, ok := strings.CutSuffix(name, "."); ok {
		name = n + g.letter()
	}
	for i := range g.n {
		var ops []Op
		full := name
		for _, o := range operands {
			switch o := o.(type) {
			case group:
				ops = append(ops, o[i])
			case masks:
				ops = append(ops, o[i])
			case slots:
				ops = append(ops, o[i])
			case scalar:
				ops = append(ops, o.Mem)
				if g.wide {
					full += "_BCST"
				}
			case Op:
				ops = append(ops, o)
			default:
				panic(fmt.Sprintf("operand %T", o))
			}
		}
		if zeroing {
			full += "_Z"
		}
		g.emit(full, ops...)
	}
}

// broadcast returns a register with every element set to a constant.
func (g *generator) broadcast(c scalar) reg.VecVirtual {
	v := g.vector()
	switch {
	case !g.wide:
		g.emit("VMOVUPS", v, c.Mem)
	case g.double:
		g.emit("VBROADCASTSD", v, c.Mem)
	default:
		g.emit("VBROADCASTSS", v, c.Mem)
	}
	return v
}

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

var globals = map[string]Mem{}

// words returns a read-only global of the given bits, one for each element.
func (g *generator) words(name string, values []uint64) Mem {
	name += "_f" + fmt.Sprint(8*g.elem())
	if m, ok := globals[name]; ok {
		return m
	}
	m := g.StaticGlobal(name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i, v := range values {
		if g.double {
			g.AddDatum(8*i, U64(v))
		} else {
			g.AddDatum(4*i, U32(uint32(v)))
		}
	}
	globals[name] = m
	return m
}

// bits returns a constant given by its bits, for every element of a 256-bit vector.
func (g *generator) bits(name string, v uint64) scalar {
	values := make([]uint64, 32/g.elem())
	for i := range values {
		values[i] = v
	}
	return scalar{g.words(name, values)}
}

func (g *generator) float(name string, v float64) scalar { return g.bits(name, g.bitsOf(v)) }

// A table has eight entries. AVX2 has no permutation of eight float64: it has their upper and lower halves apart, the lower
// ones only if not all are 0.
type table struct {
	Mem
	lower *Mem // AVX2, float64
}

func (g *generator) entries(name string, v [8]uint64) table {
	if !g.double {
		return table{Mem: g.words(name, append(v[:], v[:]...))} // 64 bytes
	}
	if g.wide {
		return table{Mem: g.words(name, v[:])}
	}
	var lower, upper [4]uint64
	for i, x := range v {
		lower[i/2] |= x & 0xffffffff << (i % 2 * 32)
		upper[i/2] |= x >> 32 << (i % 2 * 32)
	}
	t := table{Mem: g.words(name+"_upper", upper[:])}
	if lower != [4]uint64{} {
		m := g.words(name+"_lower", lower[:])
		t.lower = &m
	}
	return t
}

func (g *generator) floats(name string, v [8]float64) table {
	var b [8]uint64
	for i, x := range v {
		b[i] = g.bitsOf(x)
	}
	return g.entries(name, b)
}

// load returns a new group with every element set to a constant.
func (g *generator) load(c scalar) group {
	r := g.group()
	r[0] = g.broadcast(c)
	for _, v := range r[1:] {
		g.emit("VMOVAPS", v, r[0])
	}
	return r
}

func (g *generator) copy(v group) group {
	r := g.group()
	g.do("VMOVAP.", r, v)
	return r
}

// index prepares v to select entries of tables of eight by the last three bits of each element. It consumes v.
func (g *generator) index(v group) group {
	if !g.wide && g.double {
		g.do("VPSHUFD", v, v, Imm(0xa0)) // for each half of an entry
	}
	return v
}

// lookup returns the entries of a table that an index selects.
func (g *generator) lookup(t table, index group) group {
	r := g.group()
	if g.wide || !g.double {
		g.do("VPERMP.", r, index, t.Mem)
		return r
	}
	g.do("VPERMPS", r, index, t.Mem)
	if t.lower == nil {
		g.do("VANDPS", r, r, g.bits("upper", 0xffffffff<<32))
		return r
	}
	lower := g.group()
	g.do("VPERMPS", lower, index, *t.lower)
	g.do("VBLENDPS", r, lower, r, Imm(0xaa))
	return r
}

// polynomial returns c[0] + c[1]·x + c[2]·x² + …, a long one by even and odd powers apart, which needs x².
func (g *generator) polynomial(name string, c []float64, x group, square func() group) group {
	at := func(i int) scalar { return g.float(fmt.Sprintf("%s%d", name, i), c[i]) }
	n := len(c)
	q := g.load(at(n - 1))
	if n <= coef.ShortPolynomial {
		for i := n - 2; i >= 0; i-- {
			g.do("VFMADD213P.", q, x, at(i))
		}
		return q
	}
	xx := square()
	p := g.load(at(n - 2))
	for i := n - 3; i > 0; i -= 2 {
		g.do("VFMADD213P.", q, xx, at(i))
		g.do("VFMADD213P.", p, xx, at(i-1))
	}
	if n%2 == 0 {
		g.do("VFMADD213P.", q, x, p)
		return q
	}
	g.do("VFMADD213P.", q, xx, at(0)) // q has the even powers
	g.do("VFMADD213P.", p, x, q)
	return p
}
