package main

import (
	"cmp"
	"slices"
	"strings"

	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An instruction is one line: operands in Intel's order, the destination first.
type instruction struct {
	name     string
	operands []Op
}

// An allocator turns operations into instructions: it goes through them once, in order, and knows when each value is used next.
// Where registers run out it gives up the value whose next use is farthest away (Belady).
type allocator struct {
	*body
	frame *frame
	out   []instruction

	at       int              // the operation at work
	uses     map[*value][]int // operations by which it is still to be used
	register map[*value]int   //
	holder   []*value         // of each register
	pinned   map[int]bool     // registers that the operation at work needs
	slot     map[*value]Mem   // where it is spilled
	loaded   map[*value]bool  // from an array, once at least
	store    map[int]int      // the first operation that writes a vector's result
	resident map[*value]bool  // constants that are in registers all the time
	masks    [8]*value        // AVX-512, from 1 on
	maskOf   map[*value]int   //

	spills, reloads int
}

// allocate returns the allocator that has done its work.
func (b *body) allocate(order []*value, f *frame, resident []*value) *allocator {
	a := &allocator{body: b, frame: f, uses: map[*value][]int{}, register: map[*value]int{}, holder: make([]*value, b.registers()),
		slot: map[*value]Mem{}, loaded: map[*value]bool{}, store: map[int]int{}, resident: map[*value]bool{}, maskOf: map[*value]int{}}
	for i, v := range order {
		for _, x := range v.inputs() {
			a.uses[x] = append(a.uses[x], i)
		}
		if _, ok := a.store[v.vector]; v.op == opStore && isField(v.array.name) && !ok {
			a.store[v.vector] = i
		}
	}
	for r, x := range resident {
		a.resident[x] = true
		a.hold(x, r)
	}
	for i, v := range order {
		a.at = i
		a.pinned = map[int]bool{}
		for _, x := range v.inputs() { // they stay where they are while others are fetched
			if r, ok := a.register[x]; ok {
				a.pinned[r] = true
			}
		}
		switch v.op {
		case opFma:
			a.translateFma(v)
		case opStore:
			a.emit(a.expand(v.op.name), v.place(), a.operand(v.args[0]))
		default:
			a.translate(v)
		}
		for _, x := range v.inputs() {
			a.uses[x] = a.uses[x][1:]
			if len(a.uses[x]) == 0 && !a.resident[x] {
				a.free(x)
			}
		}
	}
	return a
}

// withResidents allocates once more, with as many constants in registers throughout as there is room for, the most used ones first,
// and returns how they get there. AVX-512 has registers to spare.
func (b *body) withResidents(order []*value, f *frame, best *allocator) (*allocator, []instruction) {
	count := map[*value]int{}
	var all []*value
	for _, v := range order {
		for _, x := range v.inputs() {
			if x.op == opMemory {
				if count[x] == 0 {
					all = append(all, x)
				}
				count[x]++
			}
		}
	}
	slices.SortStableFunc(all, func(x, y *value) int { return cmp.Compare(count[y], count[x]) })
	size, idle := f.size, slices.Clone(f.idle)
	for n := min(len(all), b.registers()-4); n > 0; n-- {
		f.size, f.idle = size, slices.Clone(idle)
		a := b.allocate(order, f, all[:n])
		if a.spills <= best.spills && a.reloads == 0 {
			load := allocator{body: b, loaded: map[*value]bool{}}
			for r, x := range all[:n] {
				load.fetchTo(x, r)
			}
			return a, load.out
		}
	}
	f.size, f.idle = size, idle
	return best, nil
}

func (a *allocator) emit(name string, operands ...Op) {
	a.out = append(a.out, instruction{name, operands})
}

// expand returns the name of an instruction for the element type.
func (a *allocator) expand(name string) string {
	if n, ok := strings.CutSuffix(name, "."); ok {
		name = n + a.letter()
	}
	return strings.ReplaceAll(name, "#", a.integer())
}

func (a *allocator) vec(r int) Op {
	if a.wide {
		return zmm[r]
	}
	return ymm[r]
}

func (a *allocator) hold(x *value, r int) { a.register[x], a.holder[r] = r, x }

func (a *allocator) isHeld(x *value) bool { _, ok := a.register[x]; return ok }

// dies reports whether a value is in a register, for the last time.
func (a *allocator) dies(x *value) bool { return a.isHeld(x) && len(a.uses[x]) == 1 && !a.resident[x] }

func (a *allocator) free(x *value) {
	if r, ok := a.register[x]; ok {
		delete(a.register, x)
		a.holder[r] = nil
	}
	if k, ok := a.maskOf[x]; ok {
		a.masks[k] = nil
	}
	if m, ok := a.slot[x]; ok {
		a.frame.release(m)
		delete(a.slot, x)
	}
}

// home returns where a value is in memory, if it is.
func (a *allocator) home(x *value) (m Mem, ok bool) {
	if m, ok := a.slot[x]; ok {
		return m, true
	}
	switch {
	case x.op == opMemory:
		return x.place(), true
	case x.op != opLoad:
		return Mem{}, false
	}
	// An argument is no longer there once a result has been written, perhaps to the same place.
	first, written := a.store[x.vector]
	written = written && isField(x.array.name)
	if written && a.at >= first && !a.loaded[x] {
		panic(x.array.name + " is loaded too late")
	}
	u := a.uses[x]
	return x.place(), !a.loaded[x] || !written || u[len(u)-1] < first
}

// take returns a register that is free, or made so.
func (a *allocator) take() int {
	best, far := -1, -1
	for r, x := range a.holder {
		if a.pinned[r] || x != nil && a.resident[x] {
			continue
		}
		if x == nil {
			return r
		}
		next := 2 * a.uses[x][0]
		if _, ok := a.home(x); ok {
			next++ // nothing to be stored
		}
		if next > far {
			best, far = r, next
		}
	}
	if best < 0 {
		panic("no register")
	}
	x := a.holder[best]
	if _, ok := a.home(x); !ok {
		a.slot[x] = a.frame.slot(a.bytes())
		a.emit("VMOVAP"+a.letter(), a.slot[x], a.vec(best))
		a.spills++
	}
	delete(a.register, x)
	a.holder[best] = nil
	return best
}

// fetchTo copies a value from memory to a register.
func (a *allocator) fetchTo(x *value, r int) {
	if x.isZero() {
		a.emit(map[bool]string{false: "VXORPS", true: "VPXORQ"}[a.wide], a.vec(r), a.vec(r), a.vec(r))
		return
	}
	m, ok := a.home(x)
	if !ok {
		panic(x.op.name + " is nowhere")
	}
	if x.op != opMemory {
		a.reloads++
	}
	a.loaded[x] = true
	switch {
	case x.op == opMemory && !x.whole:
		a.emit("VBROADCASTS"+a.letter(), a.vec(r), m)
	case x.inMemory(): // data are aligned to 32 bytes only, arguments to nothing
		a.emit("VMOVUP"+a.letter(), a.vec(r), m)
	default:
		a.emit("VMOVAP"+a.letter(), a.vec(r), m)
	}
}

// operand returns a value as an operand in a register.
func (a *allocator) operand(x *value) Op {
	if x.op.mask {
		return kreg[a.maskOf[x]]
	}
	r, ok := a.register[x]
	if !ok {
		r = a.take()
		a.fetchTo(x, r)
		a.hold(x, r)
	}
	a.pinned[r] = true
	return a.vec(r)
}

// memoryOperand returns a value as an operand that may be in memory, and what that adds to the instruction's name.
func (a *allocator) memoryOperand(x *value) (o Op, suffix string) {
	if a.isHeld(x) || x.op == opLoad && len(a.uses[x]) > 1 || x.isZero() && len(a.uses[x]) > 1 {
		return a.operand(x), ""
	}
	m, _ := a.home(x)
	if x.op == opMemory && !x.whole {
		suffix = "_BCST"
	}
	return m, suffix
}

// result returns the register for a result: that of an argument which is not used again, or another.
func (a *allocator) result(v *value) Op {
	for _, x := range v.args {
		if a.dies(x) {
			return a.vec(a.become(v, a.register[x]))
		}
	}
	return a.vec(a.become(v, a.take()))
}

// copyOf returns a register that holds a value and may be overwritten.
func (a *allocator) copyOf(x *value) int {
	if a.dies(x) {
		return a.register[x]
	}
	r := a.take()
	if a.isHeld(x) {
		a.emit("VMOVAP"+a.letter(), a.vec(r), a.operand(x))
	} else {
		a.fetchTo(x, r)
	}
	return r
}

// become makes a value that of a register, whatever was there.
func (a *allocator) become(v *value, r int) int {
	if x := a.holder[r]; x != nil {
		delete(a.register, x)
	}
	a.hold(v, r)
	return r
}

// mask returns the register for a mask.
func (a *allocator) mask(v *value) Op {
	k := 1 + slices.Index(a.masks[1:], nil)
	if k == 0 {
		panic("no mask register")
	}
	a.masks[k], a.maskOf[v] = v, k
	return kreg[k]
}

// translate writes the instruction of an operation that overwrites none of its arguments.
func (a *allocator) translate(v *value) {
	op, args := v.op, slices.Clone(v.args)
	var mask []Op          // in front of the others
	var overwritten *value // nil: any
	memory := op.memory
	switch n := len(args); {
	case v.merges:
		mask, overwritten, args = []Op{a.operand(args[n-1])}, args[n-2], args[:n-2]
	case v.zeroes:
		mask, args = []Op{a.operand(args[n-1])}, args[:n-1]
	case op == opFlip:
		overwritten, args, memory = args[0], args[1:], memory-1
	}
	if op.commutes && !a.isHeld(args[0]) && a.isHeld(args[1]) {
		args[0], args[1] = args[1], args[0]
	}
	operands := make([]Op, len(args))
	for i, x := range args {
		if i != memory {
			operands[i] = a.operand(x)
		}
	}
	suffix := ""
	if i := memory; i >= 0 {
		operands[i], suffix = a.memoryOperand(args[i])
	}
	var dst Op
	switch {
	case op.mask:
		dst = a.mask(v)
	case overwritten != nil:
		dst = a.vec(a.become(v, a.copyOf(overwritten)))
	default:
		dst = a.result(v)
	}
	name := a.expand(op.name) + suffix
	if v.zeroes {
		name += "_Z"
	}
	operands = append(mask, operands...)
	switch {
	case op == opPick:
		a.emit(name, dst, operands[2], operands[0], operands[1])
	case op == opKeep:
		a.emit(name+"_Z", dst, operands[1], operands[0])
	case op.imm:
		a.emit(name, append(append([]Op{dst}, operands...), Imm(uint64(v.imm)))...)
	default:
		a.emit(name, append([]Op{dst}, operands...)...)
	}
}

// translateFma writes x·y + z. It chooses which operand is overwritten, and so the form: 132 is x·y + z into x with y in memory, 213
// into x with z in memory, 231 into z with y in memory.
func (a *allocator) translateFma(v *value) {
	x, y, z := v.args[0], v.args[1], v.args[2]
	var missing []*value // from registers
	for _, o := range v.inputs() {
		if !a.isHeld(o) && !o.op.mask {
			missing = append(missing, o)
		}
	}

	// One that is not used again is overwritten, the addend for choice; or one that has to be fetched anyway; or a copy.
	over, stays := z, (*value)(nil) // stays in memory
	held := true
	if len(v.args) > 3 && !v.zeroes { // a mask: where it is not set the addend stays
		held = a.dies(z)
		missing = slices.DeleteFunc(missing, func(o *value) bool { return o == z })
	} else if i := slices.IndexFunc([]*value{z, x, y}, a.dies); i >= 0 {
		over = []*value{z, x, y}[i]
	} else {
		held = false
		if len(missing) > 0 {
			over, missing = missing[0], missing[1:]
		}
	}
	if n := len(missing); n > 0 {
		stays = missing[n-1]
		if x == y && stays == x {
			stays = nil
		}
	}
	r := a.register[over]
	if !held {
		r = a.copyOf(over)
	}
	a.pinned[r] = true

	name := map[[2]bool]string{
		{false, false}: "VFMADD", {false, true}: "VFMSUB", {true, false}: "VFNMADD", {true, true}: "VFNMSUB",
	}[[2]bool{v.minusProduct, v.minusAddend}]
	inRegister := func(o *value) Op {
		if o == over {
			return a.vec(r)
		}
		return a.operand(o)
	}
	write := func(form string, second, third *value) {
		name, operands := name+form+"P"+a.letter(), []Op{a.vec(r)}
		if len(v.args) > 3 {
			operands = append(operands, a.operand(v.args[3]))
		}
		zeroes := map[bool]string{true: "_Z"}[v.zeroes]
		operands = append(operands, inRegister(second))
		if third == stays {
			o, suffix := a.memoryOperand(third)
			a.emit(name+suffix+zeroes, append(operands, o)...)
			return
		}
		a.emit(name+zeroes, append(operands, inRegister(third))...)
	}
	if over == y {
		x, y = y, x
	}
	switch {
	case over != x: // z
		if stays == x {
			x, y = y, x
		}
		write("231", x, y)
	case stays == y && stays != nil:
		write("132", z, y)
	default:
		write("213", y, z)
	}
	a.become(v, r)
}

var (
	ymm  [32]Op
	zmm  [32]Op
	kreg [8]Op
)

func init() {
	for _, r := range reg.Vector.Registers() {
		switch r.Size() {
		case 32:
			ymm[r.PhysicalIndex()] = r
		case 64:
			zmm[r.PhysicalIndex()] = r
		}
	}
	for _, r := range reg.Opmask.Registers() {
		kreg[r.PhysicalIndex()] = r
	}
}
