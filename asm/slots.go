package main

import (
	"fmt"
	"slices"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// slotLiveness tells which slots, where vectors are spilled to, are still to be read after an instruction. It is to memory
// what Avo's liveness is to registers. A slot is written as a whole, and given by its address relative to the frame.
type slotLiveness struct {
	frame reg.Register // the only register that gets a local's address, see align; nil if nothing is spilled
	size  int          // of a slot
	out   map[*ir.Instruction]map[operand.Mem]bool
}

func (l *slotLiveness) isSlot(o operand.Op) bool {
	m, ok := o.(operand.Mem)
	return ok && l.frame != nil && m.Base == l.frame
}

// slotOf returns the slot that holds an operand, all or part of it.
func (l *slotLiveness) slotOf(o operand.Op) operand.Mem {
	m := o.(operand.Mem)
	m.Disp -= m.Disp % l.size
	return m
}

// liveSlots works the liveness out backwards, as often as there are changes, for the loops.
func liveSlots(fn *ir.Function) (slotLiveness, error) {
	l := slotLiveness{out: map[*ir.Instruction]map[operand.Mem]bool{}}
	is := fn.Instructions()
	for _, i := range is {
		l.out[i] = map[operand.Mem]bool{}
		if i.Opcode == "LEAQ" {
			if m := i.Operands[0].(operand.Mem); m.Base == reg.StackPointer {
				if l.frame != nil {
					return l, fmt.Errorf("%s: another address of a local", fn.Name)
				}
				l.frame, l.size = i.Operands[1].(reg.Register), m.Disp+1
			}
		}
	}
	for changed := l.frame != nil; changed; {
		changed = false
		for n := len(is) - 1; n >= 0; n-- {
			out := l.out[is[n]]
			before := len(out)
			for _, next := range is[n].Succ {
				if next == nil {
					continue
				}
				for m := range l.out[next] {
					if len(next.Outputs) == 0 || next.Outputs[0] != operand.Op(m) {
						out[m] = true
					}
				}
				for _, o := range next.Inputs {
					if l.isSlot(o) {
						out[l.slotOf(o)] = true
					}
				}
			}
			changed = changed || len(out) > before
		}
	}
	return l, nil
}

// allocateSlots gives slots that are never in use together the same place.
func allocateSlots(fn *ir.Function) error {
	l, err := liveSlots(fn)
	if err != nil {
		return err
	}
	together := map[[2]operand.Mem]bool{} // one is in use when the other is written
	var slots []operand.Mem
	for _, i := range fn.Instructions() {
		for _, o := range i.Outputs {
			if !l.isSlot(o) {
				continue
			}
			m := o.(operand.Mem)
			if !slices.Contains(slots, m) {
				slots = append(slots, m)
			}
			for other := range l.out[i] {
				together[[2]operand.Mem{m, other}], together[[2]operand.Mem{other, m}] = true, true
			}
		}
	}
	place := map[operand.Mem]operand.Mem{}
	room := 0
	for n, m := range slots {
		taken := map[operand.Mem]bool{}
		for _, other := range slots[:n] {
			if together[[2]operand.Mem{m, other}] {
				taken[place[other]] = true
			}
		}
		p := operand.Mem{Base: l.frame}
		for taken[p] {
			p.Disp += l.size
		}
		place[m] = p
		room = max(room, p.Disp+l.size)
	}
	fn.AllocLocal(room)
	for _, i := range fn.Instructions() {
		for _, operands := range [][]operand.Op{i.Operands, i.Inputs, i.Outputs} {
			for n, o := range operands {
				if l.isSlot(o) {
					p, m := place[l.slotOf(o)], o.(operand.Mem)
					m.Disp = p.Disp + m.Disp%l.size
					operands[n] = m
				}
			}
		}
	}
	return nil
}
