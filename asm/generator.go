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
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/gofocal/focal/internal/abi"
)

// A generator writes instructions and data, through Avo.
type generator struct {
	*build.Context
	globals map[string]Mem
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

func (f *frame) room(bytes int) Mem {
	m := Mem{Base: f.base, Disp: f.size}
	f.size += (bytes + 63) &^ 63
	return m
}

func (f *frame) slot(bytes int) Mem {
	if n := len(f.idle); n > 0 {
		m := f.idle[n-1]
		f.idle = f.idle[:n-1]
		return m
	}
	m := Mem{Base: f.base, Disp: f.size}
	f.size += bytes
	return m
}

func (f *frame) release(m Mem) { f.idle = append(f.idle, m) }

// An array is what a loop reads or writes in turn: one of the arguments, or part of the frame.
type array struct {
	name  string
	base  reg.GPPhysical
	index reg.GPPhysical // nil: the base moves on
	disp  int
	used  bool
}

func (a *array) at(disp int) Mem {
	a.used = true
	m := Mem{Base: a.base, Disp: a.disp + disp}
	if a.index != nil {
		m.Index, m.Scale = a.index, 1
	}
	return m
}

// A function is one kernel.
type function struct {
	*generator
	*isa
	name   string
	frame  *frame
	arrays map[string]*array // of the arguments
	fields []string          // their names, in order of use
	params map[string]Mem    // of the plan, broadcast
	names  []string

	i, end, left, args reg.GPPhysical
	free               []reg.GPPhysical
	chunk              int // bytes of one turn of the passes; 0: one loop
	maxVectors         int
	body               *body // at work
	weights            map[string]Mem
	direct             bool // the arguments are not an abi.Args, but dst, x and n: Loss, U and N
	report             []string
}

// A loop is one of the loops of a function.
type loop struct {
	name string
	tuning
	write func(f *function, b *body) // the operations for one vector
}

var pool = []reg.GPPhysical{reg.RAX, reg.RCX, reg.RDX, reg.RBX, reg.RSI, reg.RDI, reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13, reg.R14}

func (f *function) gp() reg.GPPhysical {
	r := f.free[0]
	f.free = f.free[1:]
	return r
}

// offset returns the offset of a field of abi.Args, and of abi.Plan.
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

// arg returns an array of the arguments.
func (f *function) arg(field string) *array {
	a := f.arrays[field]
	if a == nil {
		a = &array{name: field, base: f.gp(), index: f.i}
		if field == "W" || field == "WPos" {
			a.index = nil
		}
		f.arrays[field] = a
		f.fields = append(f.fields, field)
	}
	return a
}

// param returns a number of the plan.
func (f *function) param(b *body, field string) *value {
	m, ok := f.params[field]
	if !ok {
		m = f.frame.room(f.bytes())
		f.params[field] = m
		f.names = append(f.names, field)
	}
	return b.inMemory(field, &value{mem: m, whole: true})
}

// scratch returns an array in the frame.
func (f *function) scratch(name string) *array {
	a := f.arrays[name]
	if a == nil {
		a = &array{name: name, base: f.frame.base, index: f.i, disp: f.frame.room(f.chunk).Disp}
		f.arrays[name] = a
	}
	return a
}

// kernel writes a function that consists of the given passes, each over chunk elements in turn; chunk 0: all, of a single one.
func (g *generator) kernel(s *isa, name string, chunk int, passes ...loop) {
	f := &function{generator: g, isa: s, name: name + s.suffix, arrays: map[string]*array{}, params: map[string]Mem{}, weights: map[string]Mem{},
		free: slices.Clone(pool), chunk: chunk * s.elem(), direct: name == "sigmoid" || name == "softplus"}
	f.args = f.gp()
	f.i, f.end = f.gp(), f.gp()
	f.frame = &frame{base: f.gp(), }
	if f.chunk > 0 {
		f.left = f.gp()
	}
	for _, p := range passes {
		f.maxVectors = max(f.maxVectors, p.vectors)
	}
	code := make([][]instruction, len(passes))
	before := make([][]instruction, len(passes))
	moving := make([][]string, len(passes))
	for n, p := range passes {
		b := &body{isa: s, memory: map[string]*value{}, gen: g}
		f.body = b
		for _, a := range f.arrays {
			a.used = false
		}
		for b.vector = range p.vectors {
			p.write(f, b)
		}
		order := b.schedule(p.tuning)
		a := b.allocate(order, f.frame, nil)
		if s.wide {
			a, before[n] = b.withResidents(order, f.frame, a)
		}
		code[n] = a.out
		f.report = append(f.report, fmt.Sprintf("%s: %d vectors, %.1f instructions per vector, %d spills, %d fills", p.name, p.vectors, float64(len(a.out))/float64(p.vectors), a.spills, a.fills))
		for _, field := range f.fields {
			if a := f.arrays[field]; a.used && a.index == nil {
				moving[n] = append(moving[n], field)
			}
		}
	}
	f.write(passes, before, code, moving)
}

func (f *function) write(passes []loop, before, code [][]instruction, moving [][]string) {
	f.Function(f.name)
	if f.direct {
		f.signature(fmt.Sprintf("(dst, x *%s, n int)", f.element()))
	} else {
		f.signature("(a unsafe.Pointer)")
	}
	bytes := f.frame.size + f.weightRoom()
	inFrame := bytes > 0
	var names []string
	for _, field := range f.fields {
		names = append(names, fmt.Sprintf("%s: %s", field, f.arrays[field].base.Asm()))
	}
	f.Comment(append([]string{strings.Join(names, ", ")}, f.report...)...)
	args := f.args
	at := func(field string) Mem {
		if f.direct {
			return f.address(map[string]string{"N": "n", "U": "x", "Loss": "dst"}[field])
		}
		return Mem{Base: args, Disp: f.offset(false, field)}
	}
	if !f.direct {
		f.emit("MOVQ", args, f.address("a"))
	}
	n := f.end
	if f.chunk > 0 {
		n = f.left
	}
	f.emit("MOVQ", n, at("N"))
	f.emit("SHLQ", n, Imm(uint64(map[int]int{4: 2, 8: 3}[f.elem()])))
	if inFrame {
		f.emit("LEAQ", f.frame.base, Mem{Base: reg.StackPointer, Disp: 63})
		f.emit("ANDQ", f.frame.base, I8(-64))
	}
	v := ymm[0]
	if f.wide {
		v = zmm[0]
	}
	for _, field := range f.fields {
		a := f.arrays[field]
		f.emit("MOVQ", a.base, at(field))
		if a.index != nil {
			continue
		}
		// one for each element, or the same for all from the frame, where it stays
		room := f.frame.room(f.maxVectors * f.bytes())
		step := f.frame.room(8)
		f.weights[field] = step
		f.emit("MOVQ", f.i, U32(uint32(f.step(passes, moving, field))))
		f.emit("TESTQ", a.base, a.base)
		f.emit("JNE", LabelRef("each"+field))
		f.emit("VBROADCASTS"+f.letter(), v, at(map[string]string{"W": "Weight", "WPos": "WeightPos"}[field]))
		for i := range f.maxVectors {
			f.emit("VMOVAP"+f.letter(), room.Offset(i*f.bytes()), v)
		}
		f.emit("LEAQ", a.base, room)
		f.emit("XORL", f.i.As32(), f.i.As32())
		f.Label("each" + field)
		f.emit("MOVQ", step, f.i)
	}
	if len(f.names) > 0 {
		f.emit("MOVQ", args, at("Plan"))
	}
	for _, name := range f.names {
		f.emit("VBROADCASTS"+f.letter(), v, Mem{Base: args, Disp: f.offset(true, name)})
		f.emit("VMOVAP"+f.letter(), f.params[name], v)
	}
	if f.chunk > 0 {
		f.Label("chunk")
		f.emit("MOVQ", f.end, U32(uint32(f.chunk)))
		f.CMPQ(f.left, f.end)
		f.CMOVQLT(f.left, f.end)
	}
	for n, p := range passes {
		for _, i := range before[n] {
			f.emit(i.name, i.operands...)
		}
		f.emit("XORL", f.i.As32(), f.i.As32())
		f.Label(p.name)
		for _, i := range code[n] {
			f.emit(i.name, i.operands...)
		}
		for _, field := range moving[n] {
			f.emit("ADDQ", f.arrays[field].base, f.weights[field])
		}
		f.emit("ADDQ", f.i, I32(int32(p.vectors*f.bytes())))
		f.CMPQ(f.i, f.end)
		f.JLT(LabelRef(p.name))
	}
	if f.chunk > 0 {
		for _, field := range f.fields {
			if a := f.arrays[field]; a.index != nil {
				f.emit("ADDQ", a.base, f.end)
			}
		}
		f.emit("SUBQ", f.left, f.end)
		f.JGT(LabelRef("chunk"))
	}
	f.VZEROUPPER()
	f.RET()
	if f.frame.size > 0 {
		f.AllocLocal(f.frame.size + 64)
	}
}

// step returns by how many bytes an array moves on in a turn of the loop that uses it.
func (f *function) step(passes []loop, moving [][]string, field string) int {
	for n, p := range passes {
		if slices.Contains(moving[n], field) {
			return p.vectors * f.bytes()
		}
	}
	panic("not used: " + field)
}

func (f *function) weightRoom() int {
	n := 0
	for _, field := range f.fields {
		if f.arrays[field].index == nil {
			n++
		}
	}
	return n
}
