//go:build !purego && amd64

package focal

import (
	"unsafe"

	"github.com/gofocal/focal/internal/abi"
)

// Until the kernels of the second edition are there.

type kernelID uint8

const (
	lossSquare kernelID = iota
	lossPower
	gradSquare
	gradPower
	hessSquare
	hessPower
	softLossSquare
	softLossPower
	softGradSquare
	softGradPower
	softHessSquare
	softHessPower
	kernelIDs
)

func hasLabelKernels() bool { return path == pathAVX2 || path == pathAVX512 }

func groupF32(kernelPath) int { return 48 }
func groupF64(kernelPath) int { return 48 }

func kernelF32(kernelPath, abi.Kernel, *abi.Args[float32]) bool { return stubbed }
func kernelF64(kernelPath, abi.Kernel, *abi.Args[float64]) bool { return stubbed }

func sigmoidF32(_ kernelPath, dst, x *float32, n int) bool  { return false }
func sigmoidF64(_ kernelPath, dst, x *float64, n int) bool  { return false }
func softplusF32(_ kernelPath, dst, x *float32, n int) bool { return stubbed }
func softplusF64(_ kernelPath, dst, x *float64, n int) bool { return stubbed }

func sumF32(_ kernelPath, s *laneSums, loss *float32, n int) bool { return stubbed }
func sumF64(_ kernelPath, s *laneSums, loss *float64, n int) bool { return stubbed }

func mulF32(_ kernelPath, dst, dout *float32, n int) bool { return stubbed }
func mulF64(_ kernelPath, dst, dout *float64, n int) bool { return stubbed }

func expandF32(_ kernelPath, u, w, x *float32, pos, keep *uint64, n int, wNeg, wPos float32) bool {
	return false
}
func expandF64(_ kernelPath, u, w, x *float64, pos, keep *uint64, n int, wNeg, wPos float64) bool {
	return false
}

func flipF32(_ kernelPath, dst *float32, pos *uint64, n int) bool { return stubbed }
func flipF64(_ kernelPath, dst *float64, pos *uint64, n int) bool { return stubbed }

func labelsValid(p kernelPath, label *int32, n int, limit uint32, ignore int32) bool {
	return assemblyLabelsValid(p, unsafe.Slice(label, n), limit, ignore)
}

func labelMasks(p kernelPath, pos, keep *uint64, label *int32, rows, c int, offset, ignore int32) (ignored bool) {
	return assemblyLabelMasks(p, (*oldBitmask)(unsafe.Pointer(pos)), (*oldBitmask)(unsafe.Pointer(keep)), unsafe.Slice(label, rows), c, offset, ignore)
}

func targetsValidF32(p kernelPath, t *float32, n int) bool {
	return assemblyTargetsValid(p, false, unsafe.Pointer(t), n)
}
func targetsValidF64(p kernelPath, t *float64, n int) bool {
	return assemblyTargetsValid(p, true, unsafe.Pointer(t), n)
}

func targetMasksF32(_ kernelPath, pos, soft *uint64, t *float32, n int) (softs bool) {
	return goTargetMasks((*bitmask)(unsafe.Pointer(pos)), (*bitmask)(unsafe.Pointer(soft)), unsafe.Slice(t, n))
}
func targetMasksF64(_ kernelPath, pos, soft *uint64, t *float64, n int) (softs bool) {
	return goTargetMasks((*bitmask)(unsafe.Pointer(pos)), (*bitmask)(unsafe.Pointer(soft)), unsafe.Slice(t, n))
}

type oldBitmask = abi.Bitmask

func goTargetMasks[T Float](pos, soft *bitmask, t []T) (softs bool) {
	clear(pos[:words(len(t))])
	clear(soft[:words(len(t))])
	for i, v := range t {
		switch v {
		case 0:
		case 1:
			pos.set(i)
		default:
			softs = true
			soft.set(i)
		}
	}
	return softs
}

type block[T Float] = abi.Block[T]

var stubbed bool
