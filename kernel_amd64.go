//go:build gc && !purego

package focal

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/gofocal/focal/internal/abi"
)

//go:generate go run ./asm

// bestPath returns the best path that this machine has. Its predicates cover every feature that the assembly requires
// (asm/dispatch_test.go holds them against it), the support of the operating system, and, for AVX-512, the path below, so
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

func hasAVX2() bool { return cpu.X86.HasAVX && cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasPOPCNT }

func hasAVX512() bool {
	return cpu.X86.HasAVX512 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
}

// What looks at labels and targets in assembly takes groups of abi.Lanes. The rest, n modulo that, is repeated up to a whole
// group, which changes no answer and only those bits of a mask that mean nothing.

// rest returns a whole group that ends in repetitions of the last of n > 0 elements.
func rest[T int32 | float32 | float64](v *T, n int) (group [abi.Lanes]T) {
	whole := n &^ (abi.Lanes - 1)
	left := copy(group[:], unsafe.Slice(v, n)[whole:])
	for i := left; i < abi.Lanes; i++ {
		group[i] = group[left-1]
	}
	return group
}

// wholes returns how many of n elements are in whole groups, and whether there are others.
func wholes(n int) (whole int, ragged bool) {
	whole = n &^ (abi.Lanes - 1)
	return whole, whole != n
}

// at returns the word of a mask in which the bits from a multiple of abi.Lanes on begin, not necessarily at its first bit.
func at(mask *uint64, bit int) *uint64 { return (*uint64)(unsafe.Add(unsafe.Pointer(mask), bit/8)) }

// packTable has, for each set of eight numbers, those that are in it, as bytes, and then others.
//
//lint:ignore U1000 wholeLabelListAVX2 reads it
var packTable = func() (table [256]uint64) {
	for set := range table {
		n := 0
		for e := range uint64(8) {
			if set>>e&1 != 0 {
				table[set] |= e << (8 * n)
				n++
			}
		}
	}
	return table
}()

// hasLabelKernels reports whether the path in use has the functions below.
func hasLabelKernels() bool { return path != pathGeneric }

func labelsValid(p kernelPath, label *int32, n int, limit uint32, ignore int32) bool {
	whole, ragged := wholes(n)
	if whole > 0 && !wholeLabelsValid(p, label, whole, limit, ignore) {
		return false
	}
	if !ragged {
		return true
	}
	group := rest(label, n)
	return wholeLabelsValid(p, &group[0], len(group), limit, ignore)
}

func labelMasks(p kernelPath, pos, keep *uint64, label *int32, rows, c int, offset, ignore int32) (ignored bool) {
	whole, ragged := wholes(rows)
	if whole > 0 {
		ignored = wholeLabelMasks(p, pos, keep, label, whole, c, offset, ignore)
	}
	if ragged {
		group := rest(label, rows)
		if wholeLabelMasks(p, at(pos, whole*c), at(keep, whole*c), &group[0], len(group), c, offset, ignore) {
			ignored = true
		}
	}
	return ignored
}

func labelPositives(p kernelPath, index *uint16, label *int32, rows, c, limit int, first, offset, ignore int32) (count int, ignored bool) {
	whole, ragged := wholes(rows)
	if whole > 0 {
		ignored = wholeLabelList(p, index, &count, label, whole, c, limit, first, offset, ignore)
	}
	if ragged { // the rows of repetitions begin behind the limit
		group := rest(label, rows)
		index = (*uint16)(unsafe.Add(unsafe.Pointer(index), 2*count))
		if wholeLabelList(p, index, &count, &group[0], len(group), c, limit, first+int32(whole*c), offset, ignore) {
			ignored = true
		}
	}
	return count, ignored
}

func withinF32(p kernelPath, v *float32, n int, lo, hi float32) bool {
	whole, ragged := wholes(n)
	if whole > 0 && !wholeWithinF32(p, v, whole, lo, hi) {
		return false
	}
	if !ragged {
		return true
	}
	group := rest(v, n)
	return wholeWithinF32(p, &group[0], len(group), lo, hi)
}

func withinF64(p kernelPath, v *float64, n int, lo, hi float64) bool {
	whole, ragged := wholes(n)
	if whole > 0 && !wholeWithinF64(p, v, whole, lo, hi) {
		return false
	}
	if !ragged {
		return true
	}
	group := rest(v, n)
	return wholeWithinF64(p, &group[0], len(group), lo, hi)
}

func targetMasksF32(p kernelPath, pos, soft *uint64, t *float32, n int) (softs bool) {
	whole, ragged := wholes(n)
	if whole > 0 {
		softs = wholeTargetMasksF32(p, pos, soft, t, whole)
	}
	if ragged {
		group := rest(t, n)
		if wholeTargetMasksF32(p, at(pos, whole), at(soft, whole), &group[0], len(group)) {
			softs = true
		}
	}
	return softs
}

func targetMasksF64(p kernelPath, pos, soft *uint64, t *float64, n int) (softs bool) {
	whole, ragged := wholes(n)
	if whole > 0 {
		softs = wholeTargetMasksF64(p, pos, soft, t, whole)
	}
	if ragged {
		group := rest(t, n)
		if wholeTargetMasksF64(p, at(pos, whole), at(soft, whole), &group[0], len(group)) {
			softs = true
		}
	}
	return softs
}

// toInt32ByPath makes int32 of the first of n integers of a type, and returns of how many, and whether these all fit; unsigned ones
// count as signed.
func toInt32ByPath(p kernelPath, dst *int32, src unsafe.Pointer, of numberType, n int) (done int, fit bool) {
	whole, _ := wholes(n)
	if whole == 0 {
		return 0, true
	}
	switch of {
	case int8s:
		fit = wholeFromInt8(p, dst, (*int8)(src), whole)
	case int16s:
		fit = wholeFromInt16(p, dst, (*int16)(src), whole)
	case uint8s:
		fit = wholeFromUint8(p, dst, (*uint8)(src), whole)
	case uint16s:
		fit = wholeFromUint16(p, dst, (*uint16)(src), whole)
	default:
		fit = wholeFromInt64(p, dst, (*int64)(src), whole)
	}
	return whole, fit
}
