//go:build !purego

package focal

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:generate go run ./asm -out kernel_amd64.s

// bestPath returns the best path that this machine has. Its predicates cover every feature that the assembly requires
// (dispatch_test.go holds them against it), the support of the operating system, and, for AVX-512, the path below, so
// that switching that one off switches off both.
func bestPath() kernelPath {
	switch {
	case hasAVX2() && hasAVX512():
		return pathAVX512
	case hasAVX2():
		return pathAVX2
	}
	return pathGeneric
}

func hasAVX2() bool { return cpu.X86.HasAVX && cpu.X86.HasAVX2 && cpu.X86.HasFMA }

func hasAVX512() bool {
	return cpu.X86.HasAVX512 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
}

// assemblyBlock calls a kernel of an assembly path. It is a switch because a call through a function variable would
// make the block escape to the heap.
func assemblyBlock(p kernelPath, id kernelID, b unsafe.Pointer) bool {
	if p == pathAVX512 {
		switch id {
		case lossSquare:
			lossSquareF32AVX512(b)
		case lossPower:
			lossPowerF32AVX512(b)
		case gradSquare:
			gradSquareF32AVX512(b)
		case gradPower:
			gradPowerF32AVX512(b)
		case hessSquare:
			hessSquareF32AVX512(b)
		case hessPower:
			hessPowerF32AVX512(b)
		case softLossSquare:
			softLossSquareF32AVX512(b)
		case softLossPower:
			softLossPowerF32AVX512(b)
		case softGradSquare:
			softGradSquareF32AVX512(b)
		case softGradPower:
			softGradPowerF32AVX512(b)
		case softHessSquare:
			softHessSquareF32AVX512(b)
		case softHessPower:
			softHessPowerF32AVX512(b)
		case kernelIDs + lossSquare:
			lossSquareF64AVX512(b)
		case kernelIDs + lossPower:
			lossPowerF64AVX512(b)
		case kernelIDs + gradSquare:
			gradSquareF64AVX512(b)
		case kernelIDs + gradPower:
			gradPowerF64AVX512(b)
		case kernelIDs + hessSquare:
			hessSquareF64AVX512(b)
		case kernelIDs + hessPower:
			hessPowerF64AVX512(b)
		case kernelIDs + softLossSquare:
			softLossSquareF64AVX512(b)
		case kernelIDs + softLossPower:
			softLossPowerF64AVX512(b)
		case kernelIDs + softGradSquare:
			softGradSquareF64AVX512(b)
		case kernelIDs + softGradPower:
			softGradPowerF64AVX512(b)
		case kernelIDs + softHessSquare:
			softHessSquareF64AVX512(b)
		case kernelIDs + softHessPower:
			softHessPowerF64AVX512(b)
		default:
			return false
		}
		return true
	}
	switch id {
	case lossSquare:
		lossSquareF32AVX2(b)
	case lossPower:
		lossPowerF32AVX2(b)
	case gradSquare:
		gradSquareF32AVX2(b)
	case gradPower:
		gradPowerF32AVX2(b)
	case hessSquare:
		hessSquareF32AVX2(b)
	case hessPower:
		hessPowerF32AVX2(b)
	case softLossSquare:
		softLossSquareF32AVX2(b)
	case softLossPower:
		softLossPowerF32AVX2(b)
	case softGradSquare:
		softGradSquareF32AVX2(b)
	case softGradPower:
		softGradPowerF32AVX2(b)
	case softHessSquare:
		softHessSquareF32AVX2(b)
	case softHessPower:
		softHessPowerF32AVX2(b)
	case kernelIDs + lossSquare:
		lossSquareF64AVX2(b)
	case kernelIDs + lossPower:
		lossPowerF64AVX2(b)
	case kernelIDs + gradSquare:
		gradSquareF64AVX2(b)
	case kernelIDs + gradPower:
		gradPowerF64AVX2(b)
	case kernelIDs + hessSquare:
		hessSquareF64AVX2(b)
	case kernelIDs + hessPower:
		hessPowerF64AVX2(b)
	case kernelIDs + softLossSquare:
		softLossSquareF64AVX2(b)
	case kernelIDs + softLossPower:
		softLossPowerF64AVX2(b)
	case kernelIDs + softGradSquare:
		softGradSquareF64AVX2(b)
	case kernelIDs + softGradPower:
		softGradPowerF64AVX2(b)
	case kernelIDs + softHessSquare:
		softHessSquareF64AVX2(b)
	case kernelIDs + softHessPower:
		softHessPowerF64AVX2(b)
	default:
		return false
	}
	return true
}

func assemblySigmoid(p kernelPath, double bool, dst, x unsafe.Pointer, n int) bool {
	switch {
	case p == pathAVX512 && double:
		sigmoidF64AVX512(dst, x, n)
	case p == pathAVX512:
		sigmoidF32AVX512(dst, x, n)
	case double:
		sigmoidF64AVX2(dst, x, n)
	default:
		sigmoidF32AVX2(dst, x, n)
	}
	return true
}

// assemblyLabelsValid reports whether all labels, one at least, are at most limit, taken as unsigned, or ignore.
func assemblyLabelsValid(p kernelPath, label []int32, limit uint32, ignore int32) bool {
	if p == pathAVX512 {
		return labelsValidAVX512(&label[0], len(label), limit, ignore)
	}
	return labelsValidAVX2(&label[0], len(label), limit, ignore)
}

// assemblyTargetsValid reports whether n > 0 targets are in [0, 1].
func assemblyTargetsValid(p kernelPath, double bool, t unsafe.Pointer, n int) bool {
	switch {
	case p == pathAVX512 && double:
		return targetsValidF64AVX512(t, n)
	case p == pathAVX512:
		return targetsValidF32AVX512(t, n)
	case double:
		return targetsValidF64AVX2(t, n)
	}
	return targetsValidF32AVX2(t, n)
}

// assemblyHardMask does what hardMask does, for n > 0 targets.
func assemblyHardMask(p kernelPath, double bool, pos *oldBitmask, t unsafe.Pointer, n int) (hard bool) {
	switch {
	case p == pathAVX512 && double:
		return hardMaskF64AVX512(&pos[0], t, n)
	case p == pathAVX512:
		return hardMaskF32AVX512(&pos[0], t, n)
	case double:
		return hardMaskF64AVX2(&pos[0], t, n)
	}
	return hardMaskF32AVX2(&pos[0], t, n)
}

// assemblyLabelMasks makes the masks of whole rows of c ≤ abi.NarrowRow elements, from bit 0 on, and reports whether any
// is ignored. The slice is not empty.
func assemblyLabelMasks(p kernelPath, pos, keep *oldBitmask, label []int32, c int, offset, ignore int32) (ignored bool) {
	if p == pathAVX512 {
		return labelMasksAVX512(&pos[0], &keep[0], &label[0], len(label), c, offset, ignore)
	}
	return labelMasksAVX2(&pos[0], &keep[0], &label[0], len(label), c, offset, ignore)
}

// The kernels in kernel_amd64.s. b is a *block of the element type.

//go:noescape
func lossSquareF32AVX512(b unsafe.Pointer)

//go:noescape
func lossPowerF32AVX512(b unsafe.Pointer)

//go:noescape
func gradSquareF32AVX512(b unsafe.Pointer)

//go:noescape
func gradPowerF32AVX512(b unsafe.Pointer)

//go:noescape
func hessSquareF32AVX512(b unsafe.Pointer)

//go:noescape
func hessPowerF32AVX512(b unsafe.Pointer)

//go:noescape
func softLossSquareF32AVX512(b unsafe.Pointer)

//go:noescape
func softLossPowerF32AVX512(b unsafe.Pointer)

//go:noescape
func softGradSquareF32AVX512(b unsafe.Pointer)

//go:noescape
func softGradPowerF32AVX512(b unsafe.Pointer)

//go:noescape
func softHessSquareF32AVX512(b unsafe.Pointer)

//go:noescape
func softHessPowerF32AVX512(b unsafe.Pointer)

//go:noescape
func sigmoidF32AVX512(dst, x unsafe.Pointer, n int)

//go:noescape
func lossSquareF64AVX512(b unsafe.Pointer)

//go:noescape
func lossPowerF64AVX512(b unsafe.Pointer)

//go:noescape
func gradSquareF64AVX512(b unsafe.Pointer)

//go:noescape
func gradPowerF64AVX512(b unsafe.Pointer)

//go:noescape
func hessSquareF64AVX512(b unsafe.Pointer)

//go:noescape
func hessPowerF64AVX512(b unsafe.Pointer)

//go:noescape
func softLossSquareF64AVX512(b unsafe.Pointer)

//go:noescape
func softLossPowerF64AVX512(b unsafe.Pointer)

//go:noescape
func softGradSquareF64AVX512(b unsafe.Pointer)

//go:noescape
func softGradPowerF64AVX512(b unsafe.Pointer)

//go:noescape
func softHessSquareF64AVX512(b unsafe.Pointer)

//go:noescape
func softHessPowerF64AVX512(b unsafe.Pointer)

//go:noescape
func sigmoidF64AVX512(dst, x unsafe.Pointer, n int)

//go:noescape
func lossSquareF32AVX2(b unsafe.Pointer)

//go:noescape
func lossPowerF32AVX2(b unsafe.Pointer)

//go:noescape
func gradSquareF32AVX2(b unsafe.Pointer)

//go:noescape
func gradPowerF32AVX2(b unsafe.Pointer)

//go:noescape
func hessSquareF32AVX2(b unsafe.Pointer)

//go:noescape
func hessPowerF32AVX2(b unsafe.Pointer)

//go:noescape
func softLossSquareF32AVX2(b unsafe.Pointer)

//go:noescape
func softLossPowerF32AVX2(b unsafe.Pointer)

//go:noescape
func softGradSquareF32AVX2(b unsafe.Pointer)

//go:noescape
func softGradPowerF32AVX2(b unsafe.Pointer)

//go:noescape
func softHessSquareF32AVX2(b unsafe.Pointer)

//go:noescape
func softHessPowerF32AVX2(b unsafe.Pointer)

//go:noescape
func sigmoidF32AVX2(dst, x unsafe.Pointer, n int)

//go:noescape
func lossSquareF64AVX2(b unsafe.Pointer)

//go:noescape
func lossPowerF64AVX2(b unsafe.Pointer)

//go:noescape
func gradSquareF64AVX2(b unsafe.Pointer)

//go:noescape
func gradPowerF64AVX2(b unsafe.Pointer)

//go:noescape
func hessSquareF64AVX2(b unsafe.Pointer)

//go:noescape
func hessPowerF64AVX2(b unsafe.Pointer)

//go:noescape
func softLossSquareF64AVX2(b unsafe.Pointer)

//go:noescape
func softLossPowerF64AVX2(b unsafe.Pointer)

//go:noescape
func softGradSquareF64AVX2(b unsafe.Pointer)

//go:noescape
func softGradPowerF64AVX2(b unsafe.Pointer)

//go:noescape
func softHessSquareF64AVX2(b unsafe.Pointer)

//go:noescape
func softHessPowerF64AVX2(b unsafe.Pointer)

//go:noescape
func sigmoidF64AVX2(dst, x unsafe.Pointer, n int)

//go:noescape
func targetsValidF32AVX512(t unsafe.Pointer, n int) (ok bool)

//go:noescape
func targetsValidF64AVX512(t unsafe.Pointer, n int) (ok bool)

//go:noescape
func targetsValidF32AVX2(t unsafe.Pointer, n int) (ok bool)

//go:noescape
func targetsValidF64AVX2(t unsafe.Pointer, n int) (ok bool)

//go:noescape
func hardMaskF32AVX512(pos *uint64, t unsafe.Pointer, n int) (hard bool)

//go:noescape
func hardMaskF64AVX512(pos *uint64, t unsafe.Pointer, n int) (hard bool)

//go:noescape
func hardMaskF32AVX2(pos *uint64, t unsafe.Pointer, n int) (hard bool)

//go:noescape
func hardMaskF64AVX2(pos *uint64, t unsafe.Pointer, n int) (hard bool)

//go:noescape
func labelsValidAVX512(label *int32, n int, limit uint32, ignore int32) (ok bool)

//go:noescape
func labelMasksAVX512(pos, keep *uint64, label *int32, rows, c int, offset, ignore int32) (ignored bool)

//go:noescape
func labelsValidAVX2(label *int32, n int, limit uint32, ignore int32) (ok bool)

//go:noescape
func labelMasksAVX2(pos, keep *uint64, label *int32, rows, c int, offset, ignore int32) (ignored bool)
