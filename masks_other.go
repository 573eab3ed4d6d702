//go:build purego || !gc || !amd64

package focal

import "unsafe"

// Labels and targets are checked, and masks made, by assembly on amd64 alone; elsewhere Go does it.

// hasLabelKernels reports whether the path in use has the functions below. They are called with any n > 0.
func hasLabelKernels() bool { return false }

func labelsValid(_ kernelPath, label *int32, n int, limit uint32, ignore int32) bool { return false }

func labelMasks(_ kernelPath, pos, keep *uint64, label *int32, rows, c int, offset, ignore int32) (ignored bool) {
	return false
}

// labelPositives lists the positives of rows of c elements, of which the first begins at element first, among the elements
// 0..limit-1. It may write up to abi.Lanes numbers more. It reports whether any row is ignored.
func labelPositives(_ kernelPath, index *uint16, label *int32, rows, c, limit int, first, offset, ignore int32) (count int, ignored bool) {
	return 0, false
}

// withinF32 reports whether all elements are in lo..hi. NaN is not.
func withinF32(_ kernelPath, v *float32, n int, lo, hi float32) bool { return false }
func withinF64(_ kernelPath, v *float64, n int, lo, hi float64) bool { return false }

// targetMasksF32 makes two masks: which targets are 1, and which are neither 0 nor 1. It reports whether any is the latter.
func targetMasksF32(_ kernelPath, pos, soft *uint64, t *float32, n int) (softs bool) { return false }
func targetMasksF64(_ kernelPath, pos, soft *uint64, t *float64, n int) (softs bool) { return false }

// toInt32ByPath makes int32 of the first of n integers of a type, and returns of how many, and whether these all fit; unsigned ones
// count as signed.
func toInt32ByPath(_ kernelPath, dst *int32, src unsafe.Pointer, of numberType, n int) (done int, fit bool) {
	return 0, true
}
