package main

import (
	"cmp"
	"fmt"
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

// An allocator turns scheduled operations into instructions: it goes through them once, in order, and knows when each value is used
// next. Where registers run out it gives up the value whose next use is farthest away.
type allocator struct {
	*body
	frame *frame
	out   []instruction

	at       int              // the operation at work
	uses     map[*value][]int // positions at which it is still to be used
	register map[*value]int
	holder   []*value // of each register
	slot     map[*value]Mem
	masks    [8]*value
	maskOf   map[*value]int
	store    map[int]int // position of a vector's first store
	resident map[*value]bool
	loaded   map[*value]bool // once, at least
	pinned   map[int]bool    // registers that the present operation needs

	spills, fills int
	refilled      bool
}

// allocate returns the instructions of a body; those of the values in resident are in the first registers all the time.
func (b *body) allocate(order []*value, f *frame, resident []*value) *allocator {
	a := &allocator{body: b, frame: f, uses: map[*value][]int{}, register: map[*value]int{}, holder: make([]*value, b.registers()),
		slot: map[*value]Mem{}, maskOf: map[*value]int{}, store: map[int]int{}, resident: map[*value]bool{}, loaded: map[*value]bool{}}
	for i, v := range order {
		for _, x := range v.inputs() {
			a.uses[x] = append(a.uses[x], i)
		}
		if _, ok := a.store[v.vector]; v.op == opStore && isField(v.array.name) && !ok {
			a.store[v.vector] = i
		}
	}
	for r, v := range resident {
		a.resident[v] = true
		a.register[v], a.holder[r] = r, v
	}
	for i, v := range order {
		a.at = i
		a.pinned = map[int]bool{}
		for _, x := range v.inputs() { // they stay where they are while others are fetched
			if r, ok := a.register[x]; ok {
				a.pinned[r] = true
			}
		}
		a.translate(v)
		for _, x := range v.inputs() {
			a.uses[x] = a.uses[x][1:]
			if len(a.uses[x]) == 0 {
				a.free(x)
			}
		}
	}
	return a
}

func (a *allocator) free(x *value) {
	if a.resident[x] {
		return
	}
	if r, ok := a.register[x]; ok {
		a.holder[r] = nil
		delete(a.register, x)
	}
	if k, ok := a.maskOf[x]; ok {
		a.masks[k] = nil
	}
	if m, ok := a.slot[x]; ok {
		a.frame.release(m)
		delete(a.slot, x)
	}
}

// dies reports whether this is the last use of a value.
func (a *allocator) dies(x *value) bool { return len(a.uses[x]) == 1 && !a.resident[x] }

func (a *allocator) inRegister(x *value) bool { _, ok := a.register[x]; return ok }

// home returns where a value is in memory.
func (a *allocator) home(x *value) (m Mem, whole, ok bool) {
	if x.op == opMemory {
		return x.place(), x.whole, true
	}
	if m, ok := a.slot[x]; ok {
		return m, true, true
	}
	if x.op == opLoad && (!a.loaded[x] || a.mayReload(x)) {
		if first, ok := a.store[x.vector]; ok && a.at >= first && isField(x.array.name) {
			panic("loaded after a store")
		}
		return x.place(), true, true
	}
	return Mem{}, false, false
}

// mayReload reports whether all uses to come of a loaded value are before anything is stored in its place.
func (a *allocator) mayReload(x *value) bool {
	first, ok := a.store[x.vector]
	u := a.uses[x]
	return !ok || !isField(x.array.name) || len(u) > 0 && u[len(u)-1] < first
}

func (a *allocator) vec(r int) Op {
	if a.wide {
		return zmm[r]
	}
	return ymm[r]
}

// take returns a register that is free, or made so.
func (a *allocator) take() int {
	best, far := -1, -1
	for r, v := range a.holder {
		if v == nil && !a.pinned[r] {
			return r
		}
		if v == nil || a.pinned[r] || a.resident[v] {
			continue
		}
		next := 2 * a.uses[v][0]
		if _, _, ok := a.home(v); ok {
			next++ // nothing to be stored
		}
		if next > far {
			best, far = r, next
		}
	}
	if best < 0 {
		panic("no register")
	}
	v := a.holder[best]
	if _, _, ok := a.home(v); !ok {
		m := a.frame.slot(a.bytes())
		a.slot[v] = m
		a.emit("VMOVAP"+a.letter(), m, a.vec(best))
		a.spills++
	}
	delete(a.register, v)
	a.holder[best] = nil
	return best
}

func (a *allocator) hold(x *value, r int) {
	a.register[x], a.holder[r] = r, x
}

// fetch brings a value from memory to a register, and returns that.
func (a *allocator) fetch(x *value) int {
	r := a.take()
	a.fetchTo(x, r)
	a.hold(x, r)
	a.pinned[r] = true
	return r
}

func (a *allocator) fetchTo(x *value, r int) {
	if x.isZero() {
		if a.wide {
			a.emit("VPXORQ", a.vec(r), a.vec(r), a.vec(r))
		} else {
			a.emit("VXORPS", a.vec(r), a.vec(r), a.vec(r))
		}
		return
	}
	m, whole, ok := a.home(x)
	if !ok {
		panic(fmt.Sprintf("%s: nowhere", x.op.name))
	}
	if a.loaded != nil {
		a.loaded[x] = true
	}
	a.fills++
	a.refilled = a.refilled || x.op != opMemory
	switch {
	case !whole:
		a.emit("VBROADCASTS"+a.letter(), a.vec(r), m)
	case x.op == opLoad, x.op == opMemory: // data is aligned to 32 bytes only
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
		r = a.fetch(x)
	}
	a.pinned[r] = true
	return a.vec(r)
}

// memoryOperand returns a value as an operand that may be in memory, and what that adds to the instruction's name.
func (a *allocator) memoryOperand(x *value) (o Op, suffix string) {
	if a.inRegister(x) || x.op == opLoad && len(a.uses[x]) > 1 {
		return a.operand(x), ""
	}
	m, whole, _ := a.home(x)
	if !whole {
		suffix = "_BCST"
	}
	return m, suffix
}

func (a *allocator) emit(name string, operands ...Op) {
	a.out = append(a.out, instruction{name, operands})
}

func (a *allocator) nameOf(op *operation) string { return a.expand(op.name) }

func (a *allocator) expand(name string) string {
	if n, ok := strings.CutSuffix(name, "."); ok {
		name = n + a.letter()
	}
	return strings.ReplaceAll(name, "#", a.integer())
}

// result returns the register for a result: that of an argument which is not used again, or another.
func (a *allocator) result(v *value) int {
	for _, x := range v.args {
		if r, ok := a.register[x]; ok && a.dies(x) && !x.op.mask {
			delete(a.register, x)
			a.holder[r] = nil
			a.hold(v, r)
			return r
		}
	}
	r := a.take()
	a.hold(v, r)
	return r
}

func (a *allocator) translate(v *value) {
	op := v.op
	switch {
	case op == opFma:
		a.translateFma(v)
	case op == opStore:
		a.emit(a.nameOf(op), v.place(), a.operand(v.args[0]))
	case v.under != nil:
		// masked, over the last argument
		y, x := v.args[0], v.args[1]
		r := a.overwrite(x)
		o, suffix := a.memoryOperand(y)
		a.emit(a.nameOf(op)+suffix, a.vec(r), kreg[a.maskOf[v.under]], a.vec(r), o)
		a.become(v, x, r)
	default:
		a.translatePlain(v)
	}
}

func (a *allocator) translatePlain(v *value) {
	op := v.op
	args := append([]*value{}, v.args...)
	inMemory := func(x *value) bool { return !x.op.mask && !a.inRegister(x) }
	if op.commutes && inMemory(args[0]) && !inMemory(args[1]) {
		args[0], args[1] = args[1], args[0]
	}
	operands := make([]Op, len(args))
	for i, x := range args {
		if i != op.memory || args[i].isZero() && len(a.uses[x]) > 1 {
			operands[i] = a.operand(x)
		}
	}
	suffix := ""
	if i := op.memory; i >= 0 && operands[i] == nil {
		operands[i], suffix = a.memoryOperand(args[i])
		if suffix != "" && (op == opKeep || op == opPerm8) {
			panic("no broadcast")
		}
	}
	var dst Op
	if op.mask {
		dst = kreg[a.takeMask(v)]
	} else {
		dst = a.vec(a.result(v))
	}
	name := a.nameOf(op)
	switch op {
	case opPick:
		a.emit(name+suffix, dst, operands[2], operands[0], operands[1])
	case opKeep:
		a.emit(name+"_Z", dst, operands[1], operands[0])
	default:
		if op.imm {
			operands = append(operands, Imm(uint64(v.imm)))
		}
		a.emit(name+suffix, append([]Op{dst}, operands...)...)
	}
}

func (a *allocator) takeMask(v *value) int {
	for k := 1; k < len(a.masks); k++ {
		if a.masks[k] == nil {
			a.masks[k], a.maskOf[v] = v, k
			return k
		}
	}
	panic("no mask register")
}

// overwrite returns a register with the value of x that may be overwritten.
func (a *allocator) overwrite(x *value) int {
	if !a.inRegister(x) {
		r := a.take()
		a.fetchTo(x, r)
		a.pinned[r] = true
		return r
	}
	r := a.register[x]
	a.pinned[r] = true
	if a.dies(x) {
		return r
	}
	c := a.take()
	a.pinned[c] = true
	a.emit("VMOVAP"+a.letter(), a.vec(c), a.vec(r))
	return c
}

// become makes v the value of register r, in which x was.
func (a *allocator) become(v, x *value, r int) {
	if old, ok := a.register[x]; ok && old == r {
		delete(a.register, x)
	}
	a.hold(v, r)
}

// translateFma chooses the form: which operand is overwritten, and which is in memory.
func (a *allocator) translateFma(v *value) {
	x, y, z := v.args[0], v.args[1], v.args[2]
	base := map[[2]bool]string{
		{false, false}: "VFMADD", {false, true}: "VFMSUB", {true, false}: "VFNMADD", {true, true}: "VFNMSUB",
	}[[2]bool{v.minusProduct, v.minusAddend}]
	form := func(digits string) string { return base + digits + "P" + a.letter() }
	in := a.inRegister
	if v.under != nil { // z must be the one
		r := a.overwrite(z)
		if !in(x) {
			x, y = y, x
		}
		ox := a.operand(x)
		oy, suffix := a.memoryOperand(y)
		a.emit(form("231")+suffix, a.vec(r), kreg[a.maskOf[v.under]], ox, oy)
		a.become(v, z, r)
		return
	}

	// At most one may stay in memory: the one that is not worth a register of its own, the addend for choice.
	var missing []*value
	for _, o := range v.inputs() {
		if !in(o) {
			missing = append(missing, o)
		}
	}
	dying := func(o *value) bool { return in(o) && a.dies(o) }
	over := (*value)(nil) // what is overwritten
	switch {
	case dying(z) && in(z):
		over = z
	case dying(x):
		over = x
	case dying(y):
		over = y
	}
	if x == y && over == x && !in(z) && false {
		over = nil
	}
	inMemory := (*value)(nil)
	switch {
	case len(missing) == 0:
	case over != nil || len(missing) > 1:
		inMemory = missing[len(missing)-1] // the addend, if it is missing
		if x == y && inMemory == x {
			inMemory = missing[0]
			if inMemory == x { // a square of what is in memory
				inMemory = nil
			}
		}
	}
	var r int
	if over == nil {
		// a missing one is fetched to where the result will be, or something is copied
		pick := z
		for _, o := range missing {
			if o != inMemory {
				pick = o
			}
		}
		if len(missing) > 0 && pick == z && in(z) {
			pick = missing[0]
			inMemory = nil
		}
		over = pick
		if in(over) {
			r = a.take()
			a.emit("VMOVAP"+a.letter(), a.vec(r), a.vec(a.register[over]))
		} else {
			r = a.take()
			a.fetchTo(over, r)
		}
	} else {
		r = a.register[over]
	}
	a.pinned[r] = true
	reg := func(o *value) Op {
		if o == over {
			return a.vec(r)
		}
		return a.operand(o)
	}
	last := func(o *value) (Op, string) {
		if o == over {
			return a.vec(r), ""
		}
		if o != inMemory {
			return a.operand(o), ""
		}
		return a.memoryOperand(o)
	}
	switch {
	case over == z && x != z && y != z:
		if x == inMemory {
			x, y = y, x
		}
		ox := reg(x)
		oy, suffix := last(y)
		a.emit(form("231")+suffix, a.vec(r), ox, oy)
	default:
		if over == y {
			x, y = y, x
		}
		if y == inMemory && y != x { // over·memory + z
			oz := reg(z)
			oy, suffix := last(y)
			a.emit(form("132")+suffix, a.vec(r), oz, oy)
		} else {
			oy := reg(y)
			oz, suffix := last(z)
			a.emit(form("213")+suffix, a.vec(r), oy, oz)
		}
	}
	a.become(v, over, r)
}

var (
	ymm  [32]Op
	zmm  [32]Op
	xmm  [32]Op
	kreg [8]Op
)

func init() {
	for _, r := range reg.Vector.Registers() {
		i := r.PhysicalIndex()
		switch r.Size() {
		case 16:
			xmm[i] = r
		case 32:
			ymm[i] = r
		case 64:
			zmm[i] = r
		}
	}
	for _, r := range reg.Opmask.Registers() {
		kreg[r.PhysicalIndex()] = r
	}
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
	size := f.size
	for n := min(len(all), b.registers()-4); n > 0; n-- {
		f.size = size
		idle := slices.Clone(f.idle)
		a := b.allocate(order, f, all[:n])
		if a.spills <= best.spills && !a.refilled {
			var load allocator
			load.body = b
			for r, v := range all[:n] {
				load.fetchTo(v, r)
			}
			return a, load.out
		}
		f.idle = idle
	}
	return best, nil
}
