package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/reg"
)

// compile is Avo's pass.Compile, with another register allocation, since Avo gives any vector register out that AVX-512
// machines have, but AVX2 must do with the first sixteen.
var compile = pass.Concat(
	pass.Verify,
	pass.FunctionPass(pass.PruneDanglingLabels),
	pass.FunctionPass(pass.LabelTarget),
	pass.FunctionPass(pass.CFG),
	pass.InstructionPass(pass.ZeroExtend32BitOutputs),
	pass.FunctionPass(pass.Liveness),
	pass.FunctionPass(allocateRegisters),
	pass.FunctionPass(pass.BindRegisters),
	pass.FunctionPass(pass.VerifyAllocation),
	pass.FunctionPass(pass.EnsureBasePointerCalleeSaved),
	pass.Func(includeHeaders),
	pass.FunctionPass(pass.RequiredISAExtensions),
)

// includeHeaders includes what has NO_LOCAL_POINTERS too.
func includeHeaders(f *ir.File) error {
	f.Includes = append(f.Includes, "textflag.h", "funcdata.h")
	return nil
}

// allocateRegisters makes virtual registers physical: those of the simple functions.
func allocateRegisters(fn *ir.Function) error {
	allocators := map[reg.Kind]*pass.Allocator{}
	for _, kind := range []reg.Kind{reg.KindGP, reg.KindVector, reg.KindOpmask} {
		a, err := pass.NewAllocator(registers(fn, kind))
		if err != nil {
			return err
		}
		allocators[kind] = a
	}
	fn.Allocation = reg.NewEmptyAllocation()
	if !slices.ContainsFunc(fn.Instructions(), func(i *ir.Instruction) bool {
		return slices.ContainsFunc(i.Registers(), func(r reg.Register) bool { return reg.ToVirtual(r) != nil })
	}) {
		return nil
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

// registers returns those that a function may use. BP is not among them: it is the caller's, for stack traces.
func registers(fn *ir.Function, kind reg.Kind) (rs []reg.Physical) {
	for _, r := range reg.FamilyOfKind(kind).Registers() {
		switch {
		case r.Info()&reg.BasePointer != 0:
		case kind == reg.KindGP && r.PhysicalIndex() >= 14: // g and, in shared libraries, a pointer to data
		case kind == reg.KindVector && strings.HasSuffix(fn.Name, "AVX2") && r.PhysicalIndex() > 15:
		default:
			rs = append(rs, r)
		}
	}
	return rs
}
