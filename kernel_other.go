//go:build purego || !gc || (!amd64 && !arm64)

package focal

import (
	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/exact"
)

// Without assembly the reference is the only path. Of what stands here each architecture has its own, which asm writes: a function
// returns false if the path has no such kernel, and Go does it then. The pointers are those of the first of n elements.

// builtPath is the best path that is built, whatever the machine has.
const builtPath = pathGeneric

// groupF32 returns how many elements the kernels of a path process at a time: a multiple of abi.Lanes, at most maxGroup.
func groupF32(kernelPath) int { return 1 }
func groupF64(kernelPath) int { return 1 }

// kernelF32 calls a kernel. It is a switch because a call through a function variable would make the arguments escape.
func kernelF32(kernelPath, abi.Kernel, *abi.Args[float32]) bool { return false }
func kernelF64(kernelPath, abi.Kernel, *abi.Args[float64]) bool { return false }

// sigmoidF32 and softplusF32 evaluate whole groups; dst may be x.
func sigmoidF32(_ kernelPath, dst, x *float32, n int) bool  { return false }
func sigmoidF64(_ kernelPath, dst, x *float64, n int) bool  { return false }
func softplusF32(_ kernelPath, dst, x *float32, n int) bool { return false }
func softplusF64(_ kernelPath, dst, x *float64, n int) bool { return false }

// sumF32 adds losses to lanes as addToLane does. Here and below n is a positive multiple of abi.Lanes.
func sumF32(_ kernelPath, s *laneSums, loss *float32, n int) bool { return false }
func sumF64(_ kernelPath, s *laneSums, loss *float64, n int) bool { return false }

// mulF32 multiplies dst by dout; every NaN is the quiet one without a sign.
func mulF32(_ kernelPath, dst, dout *float32, n int) bool { return false }
func mulF64(_ kernelPath, dst, dout *float64, n int) bool { return false }

// expandF32 makes a kernel's arguments of bits: u = -x and w = wPos where pos is set, otherwise x and wNeg. u may be x.
func expandF32(_ kernelPath, u, w, x *float32, pos *uint64, n int, wNeg, wPos float32) bool {
	return false
}
func expandF64(_ kernelPath, u, w, x *float64, pos *uint64, n int, wNeg, wPos float64) bool {
	return false
}

// expandRowsF32 makes them of labels, as the entries of a table tell: from the given one on, and after the last the first again. If some
// is false no label is ignore, and wNeg and wPos are all weights; otherwise the table has them. If rows is not nil, w is multiplied by
// weights of rows. Each window of labels and rows is read whole.
func expandRowsF32(_ kernelPath, u, w, x *float32, label *int32, rows *float32, table *rowEntry, from, entries, n int, ignore int32, some bool, wNeg, wPos float32) bool {
	return false
}

// flipF32 changes the sign where pos is set.
func flipF32(_ kernelPath, dst *float32, pos *uint64, n int) bool { return false }
func flipF64(_ kernelPath, dst *float64, pos *uint64, n int) bool { return false }

// flipAsF32 changes the sign where those of u and x differ.
func flipAsF32(_ kernelPath, dst, u, x *float32, n int) bool { return false }

// maskF32 makes 0 of what is not kept.
func maskF32(_ kernelPath, dst *float32, keep *uint64, n int) bool { return false }
func maskF64(_ kernelPath, dst *float64, keep *uint64, n int) bool { return false }

// blendF32 writes other to dst where which is set.
func blendF32(_ kernelPath, dst, other *float32, which *uint64, n int) bool { return false }
func blendF64(_ kernelPath, dst, other *float64, which *uint64, n int) bool { return false }

// weighF32 writes src·by[r] to dst+n·r, for each row r. It takes whole vectors: up to a multiple of abi.Lanes elements, what
// stands behind the n of src is read, and what stands behind those of dst is written. n is any number above 0.
func weighF32(_ kernelPath, dst, src *float32, n int, by *float32, rows int) bool { return false }
func weighF64(_ kernelPath, dst, src *float64, n int, by *float64, rows int) bool { return false }

// labelKernels says whether there is what follows; see the end of masks.go.
const labelKernels = false

func wholeWithinF32(_ kernelPath, v *float32, n int, plus, lo, hi float32) bool   { return false }
func wholeWithinF64(_ kernelPath, v *float64, n int, plus, lo, hi float64) bool   { return false }
func wholeTargetMasksF32(_ kernelPath, pos, soft *uint64, t *float32, n int) bool { return false }
func wholeTargetMasksF64(_ kernelPath, pos, soft *uint64, t *float64, n int) bool { return false }
func wholeLabelsValid(_ kernelPath, label *int32, n int, limit uint32, ignore int32) bool {
	return false
}
func wholeLabelList(_ kernelPath, index *uint16, count *int, label *int32, n, c, limit int, first, offset, ignore int32) bool {
	return false
}
func wholeLabelMasks(_ kernelPath, pos, keep *uint64, label *int32, n, c int, offset, ignore int32) bool {
	return false
}
func wholeFromInt8(_ kernelPath, dst *int32, src *int8, n int, mask, limit uint32, ignore int32) bool {
	return false
}
func wholeFromInt16(_ kernelPath, dst *int32, src *int16, n int, mask, limit uint32, ignore int32) bool {
	return false
}
func wholeFromInt64(_ kernelPath, dst *int32, src *int64, n int, limit uint64, ignore int64) bool {
	return false
}

// withScratch does the job's work. Beside these kernels the zeros that Go makes of the scratch take no time.
func withScratch[T Float](j *job[T], total *exact.Total) {
	var s scratch[T]
	j.work(&s, total)
}
