package main

import (
	"fmt"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/gofocal/focal/internal/abi"
)

// A generator writes instructions and data, through Avo.
type generator struct {
	*build.Context
	globals     map[string]Mem
	sharedLoops map[string]*instructions
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

// global returns read-only data of the given size, which fill writes unless it is there already.
func (g *generator) global(name string, fill func()) Mem {
	if m, ok := g.globals[name]; ok {
		return m
	}
	m := g.StaticGlobal(name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	fill()
	g.globals[name] = m
	return m
}

// constant returns 32 bytes of an element's bits; AVX-512 uses the first.
func (g *generator) constant(s *isa, name string, bits uint64) Mem {
	return g.global(name, func() {
		if !s.double {
			bits |= bits << 32
		}
		for i := range 4 {
			g.AddDatum(8*i, U64(bits))
		}
	})
}

// words returns a table of elements.
func (g *generator) words(s *isa, words []uint64) Mem {
	name := ""
	for i, w := range words {
		if i < 8 {
			name += fmt.Sprintf("_%x", w)
		}
	}
	name = fmt.Sprintf("table%d%s", s.elem()*len(words), name)
	return g.global(name, func() {
		for i := 0; i < len(words); i++ {
			if s.double {
				g.AddDatum(8*i, U64(words[i]))
			} else if i%2 == 1 {
				g.AddDatum(4*(i-1), U64(words[i-1]|words[i]<<32))
			}
		}
	})
}

// signature declares parameters and results, as Go does.
func (g *generator) signature(params string) {
	pkg := types.NewPackage("focal", "focal")
	pkg.Scope().Insert(types.NewPkgName(token.NoPos, pkg, "unsafe", types.Unsafe))
	s, err := gotypes.ParseSignatureInPackage(pkg, "func"+params)
	if err != nil {
		panic(err)
	}
	g.Signature(s)
}

// address returns where a parameter is.
func (g *generator) address(name string) Mem { return g.resolve(g.Param(name)) }

// result returns where a result is.
func (g *generator) result(name string) Mem { return g.resolve(g.Return(name)) }

func (g *generator) resolve(c gotypes.Component) Mem {
	v, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return v.Addr
}

// A frame is a function's memory on the stack, from a multiple of 64 on: Go aligns to words only, and a store across two
// cache lines costs several times one inside.
type frame struct {
	base reg.GPPhysical
	size int
	idle []Mem // slots for a vector that are not in use
}

// room returns a place of its own.
func (f *frame) room(bytes int) Mem {
	m := Mem{Base: f.base, Disp: f.size}
	f.size += (bytes + 63) &^ 63
	return m
}

// slot returns a place for a vector until it is released.
func (f *frame) slot(bytes int) Mem {
	if n := len(f.idle); n > 0 {
		m := f.idle[n-1]
		f.idle = f.idle[:n-1]
		return m
	}
	return f.room(bytes)
}

func (f *frame) release(m Mem) { f.idle = append(f.idle, m) }

// An array is what loops read or write in turn: a field of abi.Args, or a part of the frame by which one loop hands something on to
// the next.
type array struct {
	name  string
	base  reg.GPPhysical
	index reg.GPPhysical // nil: the base moves on, by a step that is 0 if there is one number for all elements
	disp  int
	step  Mem
}

func (a *array) at(disp int) Mem {
	m := Mem{Base: a.base, Disp: a.disp + disp}
	if a.index != nil {
		m.Index, m.Scale = a.index, 1
	}
	return m
}

// A loop evaluates stages, all of a function or some.
type loop struct {
	tuning
	stages []stage
}

// A function is one kernel.
type function struct {
	*generator
	*isa
	name   string
	direct bool // the arguments are not an abi.Args but dst, x and n: Loss, U and N
	frame  *frame
	arrays map[string]*array
	fields []*array       // those of the arguments, in order of use
	params map[string]Mem // of the plan, broadcast
	names  []string       // of params, in order of use

	i, end, left, args reg.GPPhysical // the first byte of the present group; the end of it all, or of this turn; what is left
	free               []reg.GPPhysical
	chunk              int // bytes of one turn of several loops; 0: there is one loop
	turns              int // where the arrays of the turns begin in the frame
}

// The registers that a function may use: neither those of the stack nor R15, which shared libraries use for addresses of data.
var pool = []reg.GPPhysical{reg.RAX, reg.RCX, reg.RDX, reg.RBX, reg.RSI, reg.RDI, reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R14}

func (f *function) gp() reg.GPPhysical {
	r := f.free[0]
	f.free = f.free[1:]
	return r
}

func isField(name string) bool {
	_, ok := reflect.TypeFor[abi.Args[float32]]().FieldByName(name)
	return ok
}

// offset returns the offset of a field of abi.Args, or of abi.Plan.
func (s *isa) offset(plan bool, field string) int {
	t := reflect.TypeFor[abi.Args[float32]]()
	switch {
	case plan && s.double:
		t = reflect.TypeFor[abi.Plan[float64]]()
	case plan:
		t = reflect.TypeFor[abi.Plan[float32]]()
	case s.double:
		t = reflect.TypeFor[abi.Args[float64]]()
	}
	x, ok := t.FieldByName(field)
	if !ok {
		panic("no field " + field)
	}
	return int(x.Offset)
}

// array returns an array of the arguments or, by any other name, one in the frame.
func (f *function) array(name string) *array {
	a := f.arrays[name]
	if a != nil {
		return a
	}
	a = &array{name: name, base: f.frame.base, index: f.i}
	f.arrays[name] = a
	if !isField(name) {
		a.disp = f.place(name)
	} else {
		a.base = f.gp()
		if name == "W" || name == "WPos" {
			a.index = nil
		}
		f.fields = append(f.fields, a)
	}
	return a
}

// param returns a number of the plan.
func (f *function) param(b *body, field string) *value {
	m, ok := f.params[field]
	if !ok {
		m = f.frame.room(f.bytes())
		f.params[field] = m
	}
	if !slices.Contains(f.names, field) {
		f.names = append(f.names, field)
	}
	return b.fromMemory(field, &value{mem: m, whole: true})
}

// kernel writes a function of the given loops. Several take turns over so many elements that what they hand on stays in the
// first-level cache. All but the last are functions of their own, which kernels share.
func (g *generator) kernel(s *isa, name string, loops ...loop) {
	f := &function{generator: g, isa: s, name: name + s.suffix, arrays: map[string]*array{}, params: map[string]Mem{},
		free: slices.Clone(pool), direct: strings.HasPrefix(name, "sigmoid") || strings.HasPrefix(name, "softplus")}
	f.args, f.i, f.end = f.gp(), f.gp(), f.gp()
	f.frame = &frame{base: f.gp()}
	if len(loops) > 1 {
		f.chunk = chunkBytes
		f.left = f.gp()
		f.layOut()
	}
	bodies := make([]*body, len(loops))
	for n, l := range loops {
		b := &body{isa: s, fn: f, memory: map[string]*value{}, computed: map[string]*value{}, handed: map[string]*value{}}
		for b.vector = range l.vectors {
			for _, stage := range l.stages {
				stage.write(b)
			}
		}
		bodies[n] = b
	}
	for _, a := range f.fields {
		if a.index == nil {
			a.step = f.frame.room(8)
		}
	}
	var code []instructions
	for n, l := range loops {
		b := bodies[n]
		if last := n == len(loops)-1; last { // nobody reads what it hands on
			b.stores = slices.DeleteFunc(b.stores, func(v *value) bool { return !isField(v.array.name) })
		}
		if s.wide {
			b.fuse()
		}
		order := b.schedule(l.spills)
		var c instructions
		a := b.allocate(order, f.frame, nil)
		if s.wide {
			a, c.before = b.withResidents(order, f.frame, a)
		}
		c.loop = a.out
		c.report = fmt.Sprintf("%d vectors, %.1f instructions each, %d spills", l.vectors, float64(len(a.out))/float64(l.vectors), a.spills)
		code = append(code, c)
	}
	var shared []string
	for n, l := range loops[:len(loops)-1] {
		shared = append(shared, f.share(l, code[n]))
	}
	f.write(shared, loops[len(loops)-1], bodies[len(loops)-1], code[len(loops)-1])
}

// instructions are those of a loop, and what comes before it.
type instructions struct {
	before, loop []instruction
	report       string
}

// The frames of all kernels that take turns have the same numbers of the plan, slots and arrays in the same places, so that they
// can share loops. Sharing a place are two arrays that no kernel has both.
//
// A load waits for an earlier store if the last 12 bits of their addresses agree. So the frame begins where these bits are a
// fixed number above those of U, which the results have too as a rule, and the arrays are a quarter of 4,096 bytes apart: in such
// an order that no loop writes to where, modulo 4,096, it reads within the next 512 bytes.
var (
	turnParams = []string{"PowHi", "PowHiDown", "PowLo"}
	turnSlots  = 24
	turnArrays = [][]string{{"A"}, {"g"}, {"m"}, {"rest", "k"}, {"inverse", "f"}, {"M", "t"}, {"low", "r"}, {"R"}, {"beta"}, {"lost"}, {"dLow"}}
)

const (
	chunkBytes = 512 // how much of an array a turn is for
	aboveU     = 512 // where the arrays begin
)

// layOut makes the frame of a kernel that takes turns.
func (f *function) layOut() {
	for _, name := range turnParams {
		f.params[name] = f.frame.room(f.bytes())
	}
	for range turnSlots {
		f.frame.release(f.frame.room(f.bytes()))
	}
	slices.Reverse(f.frame.idle)
	f.turns = f.frame.size
	f.frame.size += chunkBytes * len(turnArrays)
}

// place returns where an array is in the frame.
func (f *function) place(name string) int {
	i := slices.IndexFunc(turnArrays, func(names []string) bool { return slices.Contains(names, name) })
	if i < 0 {
		panic("no place for " + name)
	}
	return f.turns + i*chunkBytes
}

// share writes a loop as a function of its own, unless there is one already, and returns its name.
func (f *function) share(l loop, c instructions) string {
	name := ""
	for _, s := range l.stages {
		name += s.name
	}
	name += f.suffix + "<>"
	if f.sharedLoops[name] == nil {
		f.sharedLoops[name] = &c
		f.Function(name)
		f.Attributes(attr.NOSPLIT)
		f.Comment(c.report)
		f.writeLoop("loop", l, nil, c)
		f.RET()
	} else if old := f.sharedLoops[name]; fmt.Sprint(*old) != fmt.Sprint(c) {
		panic(name + " is not the same")
	}
	return name
}

// writeLoop writes a loop over the bytes i to end.
func (f *function) writeLoop(label string, l loop, moving []*array, c instructions) {
	for _, i := range c.before {
		f.emit(i.name, i.operands...)
	}
	f.emit("XORL", f.i.As32(), f.i.As32())
	f.Label(label)
	for _, i := range c.loop {
		f.emit(i.name, i.operands...)
	}
	for _, a := range moving {
		f.emit("ADDQ", a.base, a.step)
	}
	f.emit("ADDQ", f.i, I32(int32(l.vectors*f.bytes())))
	f.CMPQ(f.i, f.end)
	f.JLT(LabelRef(label))
}

// write writes the function itself, around its last loop.
func (f *function) write(shared []string, l loop, b *body, c instructions) {
	f.Function(f.name)
	if f.direct {
		f.signature(fmt.Sprintf("(dst, x *%s, n int)", f.element()))
	} else {
		f.signature("(a unsafe.Pointer)")
	}
	var names []string
	for _, a := range f.fields {
		names = append(names, fmt.Sprintf("%s %s", a.base.Asm(), a.name))
	}
	f.Comment(strings.Join(names, ", ") + "; " + c.report)
	if len(shared) > 0 { // after a fault in one of these the runtime walks over this frame
		f.Instruction(&ir.Instruction{Opcode: "NO_LOCAL_POINTERS"})
	}

	// the arguments
	at := func(field string) Mem {
		if f.direct {
			return f.address(map[string]string{"N": "n", "U": "x", "Loss": "dst"}[field])
		}
		return Mem{Base: f.args, Disp: f.offset(false, field)}
	}
	if !f.direct {
		f.emit("MOVQ", f.args, f.address("a"))
	}
	n := f.end
	if f.chunk > 0 {
		n = f.left
	}
	f.emit("MOVQ", n, at("N"))
	f.emit("SHLQ", n, Imm(uint64(map[int]int{4: 2, 8: 3}[f.elem()])))
	if f.frame.size > 0 {
		f.emit("LEAQ", f.frame.base, Mem{Base: reg.StackPointer, Disp: 63})
		f.emit("ANDQ", f.frame.base, I8(-64))
	}
	v := ymm[0]
	if f.wide {
		v = zmm[0]
	}
	var moving []*array
	for n, a := range f.fields {
		f.emit("MOVQ", a.base, at(a.name))
		if n == 0 && f.chunk > 0 { // U
			f.emit("MOVQ", f.i, a.base)
			f.emit("SUBQ", f.i, f.frame.base)
			f.emit("ADDQ", f.i, I32(int32(aboveU-f.turns+8192)))
			f.emit("ANDQ", f.i, I32(4096-64))
			f.emit("ADDQ", f.frame.base, f.i)
		}
		if a.index != nil {
			continue
		}
		moving = append(moving, a)
		room := f.frame.room(l.vectors * f.bytes())
		f.emit("MOVQ", f.i, U32(uint32(l.vectors*f.bytes())))
		f.emit("TESTQ", a.base, a.base)
		f.emit("JNE", LabelRef("each"+a.name))
		f.emit("VBROADCASTS"+f.letter(), v, at(map[string]string{"W": "Weight", "WPos": "WeightPos"}[a.name]))
		for i := range l.vectors {
			f.emit("VMOVAP"+f.letter(), room.Offset(i*f.bytes()), v)
		}
		f.emit("LEAQ", a.base, room)
		f.emit("XORL", f.i.As32(), f.i.As32())
		f.Label("each" + a.name)
		f.emit("MOVQ", a.step, f.i)
	}
	if len(f.names) > 0 {
		f.emit("MOVQ", f.args, at("Plan"))
	}
	for _, name := range f.names {
		f.emit("VBROADCASTS"+f.letter(), v, Mem{Base: f.args, Disp: f.offset(true, name)})
		f.emit("VMOVAP"+f.letter(), f.params[name], v)
	}

	if f.chunk > 0 {
		f.Label("turn")
		f.emit("MOVQ", f.end, U32(uint32(f.chunk)))
		f.CMPQ(f.left, f.end)
		f.CMOVQLT(f.left, f.end)
	}
	for _, name := range shared {
		f.Instruction(&ir.Instruction{Opcode: "CALL", Operands: []Op{LabelRef("·" + name + "(SB)")}})
	}
	f.writeLoop("loop", l, moving, c)
	if f.chunk > 0 {
		for _, a := range f.fields {
			if a.index != nil {
				f.emit("ADDQ", a.base, f.end)
			}
		}
		f.emit("SUBQ", f.left, f.end)
		f.JGT(LabelRef("turn"))
	}
	f.VZEROUPPER()
	f.RET()
	if f.frame.size > 0 {
		size := f.frame.size + 64
		if f.chunk > 0 {
			size += 4096
		}
		f.AllocLocal(size)
	}
}
