package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
	"github.com/mmcloughlin/avo/reg"
)

// compile is Avo's pass.Compile, with another register allocation, since Avo gives any vector register out that AVX-512
// machines have, but the AVX2 kernels must do with the first sixteen; and with what the generator leaves to be tidied up.
var compile = pass.Concat(
	pass.Verify,
	pass.FunctionPass(pass.PruneJumpToFollowingLabel),
	pass.FunctionPass(pass.PruneDanglingLabels),
	pass.InstructionPass(pass.ZeroExtend32BitOutputs),
	pass.FunctionPass(pruneDead),
	pass.FunctionPass(allocateSlots),
	pass.FunctionPass(allocateRegisters),
	pass.FunctionPass(pass.BindRegisters),
	pass.FunctionPass(pass.VerifyAllocation),
	pass.FunctionPass(pass.EnsureBasePointerCalleeSaved),
	pass.Func(pass.IncludeTextFlagHeader),
	pass.FunctionPass(pass.PruneSelfMoves),
	pass.FunctionPass(pruneVectorSelfMoves),
	pass.FunctionPass(pass.RequiredISAExtensions),
)

func allocateRegisters(fn *ir.Function) error {
	allocators := map[reg.Kind]*pass.Allocator{}
	for _, kind := range []reg.Kind{reg.KindGP, reg.KindVector, reg.KindOpmask} {
		a, err := pass.NewAllocator(registers(fn, kind))
		if err != nil {
			return err
		}
		allocators[kind] = a
	}
	for _, i := range fn.Instructions() {
		for _, r := range i.Registers() {
			if a := allocators[r.Kind()]; a != nil {
				a.Add(r.ID())
			}
		}
	}
	for _, i := range fn.Instructions() {
		for _, d := range i.OutputRegisters() {
			if a := allocators[d.Kind()]; a != nil {
				live := i.LiveOut.OfKind(d.Kind())
				live.DiscardRegister(d)
				a.AddInterferenceSet(d, live)
			}
		}
	}
	fn.Allocation = reg.NewEmptyAllocation()
	for kind, a := range allocators {
		allocation, err := a.Allocate()
		if err != nil {
			return fmt.Errorf("%s: registers of kind %d: %w", fn.Name, kind, err)
		}
		if err := fn.Allocation.Merge(allocation); err != nil {
			return err
		}
	}
	return nil
}

// pruneVectorSelfMoves removes what Avo's pass, for general-purpose registers, leaves. Whatever is above the vector is not in use.
func pruneVectorSelfMoves(fn *ir.Function) error {
	fn.Nodes = slices.DeleteFunc(fn.Nodes, func(n ir.Node) bool {
		i, ok := n.(*ir.Instruction)
		return ok && (i.Opcode == "VMOVAPS" || i.Opcode == "VMOVAPD") && len(i.Operands) == 2 && i.Operands[0] == i.Operands[1]
	})
	return nil
}

// registers returns those that a function may use. BP is not among them: it is the caller's, for stack traces.
func registers(fn *ir.Function, kind reg.Kind) (rs []reg.Physical) {
	for _, r := range reg.FamilyOfKind(kind).Registers() {
		switch {
		case r.Info()&reg.BasePointer != 0:
		case kind == reg.KindVector && strings.HasSuffix(fn.Name, "AVX2") && r.PhysicalIndex() > 15:
		default:
			rs = append(rs, r)
		}
	}
	return rs
}

// print returns the file as Go assembly.
func print(f *ir.File) ([]byte, error) {
	return printer.NewGoAsm(printer.Config{Name: "asm", Argv: []string{"asm"}}).Print(f)
}
