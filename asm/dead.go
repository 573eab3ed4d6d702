package main

import (
	"slices"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/reg"
)

// pruneDead removes what nobody reads: results in vector and mask registers, and spilled vectors. So the generator may work
// out more than a kernel needs, or spill what then never has to be filled. It leaves the liveness of what remains behind.
func pruneDead(fn *ir.Function) error {
	for {
		for _, i := range fn.Instructions() {
			i.Pred, i.Succ = nil, nil // pass.CFG adds to them
		}
		for _, p := range []func(*ir.Function) error{pass.LabelTarget, pass.CFG, pass.Liveness} {
			if err := p(fn); err != nil {
				return err
			}
		}
		spilled, err := liveSlots(fn)
		if err != nil {
			return err
		}
		before := len(fn.Nodes)
		fn.Nodes = slices.DeleteFunc(fn.Nodes, func(n ir.Node) bool {
			i, ok := n.(*ir.Instruction)
			isRead := func(o operand.Op) bool { return !isDead(o, i, spilled) }
			return ok && len(i.Outputs) > 0 && !slices.ContainsFunc(i.Outputs, isRead)
		})
		if len(fn.Nodes) == before {
			return nil
		}
	}
}

// isDead reports whether an output of an instruction is one that may be removed and is not read.
func isDead(o operand.Op, i *ir.Instruction, spilled slotLiveness) bool {
	switch o := o.(type) {
	case reg.Register:
		return (o.Kind() == reg.KindVector || o.Kind() == reg.KindOpmask) && i.LiveOut[o.ID()] == 0
	case operand.Mem:
		return spilled.isSlot(o) && !spilled.out[i][o]
	}
	return false
}
