//go:build !purego

//lint:file-ignore U1000 the constants and variables are for kernel_arm64.s, which staticcheck does not read

package focal

import (
	"math"
	"unsafe"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/coef"
)

// Advanced SIMD is part of every arm64 CPU: there is nothing to check for.
func bestPath() kernelPath { return pathNEON }

<<<<<<< HEAD
// A kernel's loop takes as many bytes of float64, but that is a multiple of it.
func groupF32(kernelPath) int { return 16 }
func groupF64(kernelPath) int { return 16 }

func kernelF32(_ kernelPath, k abi.Kernel, a *abi.Args[float32]) bool {
	switch k {
	case abi.KernelOf(abi.Loss, abi.Zero):
		lossZeroF32NEON(a)
	case abi.KernelOf(abi.Grad, abi.Zero):
		gradZeroF32NEON(a)
	case abi.KernelOf(abi.Hess, abi.Zero):
		hessZeroF32NEON(a)
	case abi.KernelOf(abi.Loss, abi.Square):
		lossSquareF32NEON(a)
	case abi.KernelOf(abi.Grad, abi.Square):
		gradSquareF32NEON(a)
	case abi.KernelOf(abi.Hess, abi.Square):
		hessSquareF32NEON(a)
	case abi.KernelOf(abi.Frozen, abi.Square):
		frozenSquareF32NEON(a)
	case abi.KernelOf(abi.Loss, abi.Power):
		lossPowerF32NEON(a)
	case abi.KernelOf(abi.Grad, abi.Power):
		gradPowerF32NEON(a)
	case abi.KernelOf(abi.Hess, abi.Power):
		hessPowerF32NEON(a)
	case abi.KernelOf(abi.Frozen, abi.Power):
		frozenPowerF32NEON(a)
	case abi.KernelOf(abi.Loss, abi.SoftSquare):
		softLossSquareF32NEON(a)
	case abi.KernelOf(abi.Grad, abi.SoftSquare):
		softGradSquareF32NEON(a)
	case abi.KernelOf(abi.Hess, abi.SoftSquare):
		softHessSquareF32NEON(a)
	case abi.KernelOf(abi.Frozen, abi.SoftSquare):
		softFrozenSquareF32NEON(a)
	case abi.KernelOf(abi.Loss, abi.SoftPower):
		softLossPowerF32NEON(a)
	case abi.KernelOf(abi.Grad, abi.SoftPower):
		softGradPowerF32NEON(a)
	case abi.KernelOf(abi.Hess, abi.SoftPower):
		softHessPowerF32NEON(a)
	case abi.KernelOf(abi.Frozen, abi.SoftPower):
		softFrozenPowerF32NEON(a)
	default:
		return false
	}
	return true
}

func kernelF64(_ kernelPath, k abi.Kernel, a *abi.Args[float64]) bool {
	switch k {
	case abi.KernelOf(abi.Loss, abi.Zero):
		lossZeroF64NEON(a)
	case abi.KernelOf(abi.Grad, abi.Zero):
		gradZeroF64NEON(a)
	case abi.KernelOf(abi.Hess, abi.Zero):
		hessZeroF64NEON(a)
	case abi.KernelOf(abi.Loss, abi.Square):
		lossSquareF64NEON(a)
	case abi.KernelOf(abi.Grad, abi.Square):
		gradSquareF64NEON(a)
	case abi.KernelOf(abi.Hess, abi.Square):
		hessSquareF64NEON(a)
	case abi.KernelOf(abi.Frozen, abi.Square):
		frozenSquareF64NEON(a)
	case abi.KernelOf(abi.Loss, abi.Power):
		lossPowerF64NEON(a)
	case abi.KernelOf(abi.Grad, abi.Power):
		gradPowerF64NEON(a)
	case abi.KernelOf(abi.Hess, abi.Power):
		hessPowerF64NEON(a)
	case abi.KernelOf(abi.Frozen, abi.Power):
		frozenPowerF64NEON(a)
	case abi.KernelOf(abi.Loss, abi.SoftSquare):
		softLossSquareF64NEON(a)
	case abi.KernelOf(abi.Grad, abi.SoftSquare):
		softGradSquareF64NEON(a)
	case abi.KernelOf(abi.Hess, abi.SoftSquare):
		softHessSquareF64NEON(a)
	case abi.KernelOf(abi.Frozen, abi.SoftSquare):
		softFrozenSquareF64NEON(a)
	case abi.KernelOf(abi.Loss, abi.SoftPower):
		softLossPowerF64NEON(a)
	case abi.KernelOf(abi.Grad, abi.SoftPower):
		softGradPowerF64NEON(a)
	case abi.KernelOf(abi.Hess, abi.SoftPower):
		softHessPowerF64NEON(a)
	case abi.KernelOf(abi.Frozen, abi.SoftPower):
		softFrozenPowerF64NEON(a)
	default:
		return false
	}
	return true
}

func sigmoidF32(_ kernelPath, dst, x *float32, n int) bool {
	sigmoidF32NEON(dst, x, n)
	return true
}

func sigmoidF64(_ kernelPath, dst, x *float64, n int) bool {
	sigmoidF64NEON(dst, x, n)
	return true
}

func softplusF32(_ kernelPath, dst, x *float32, n int) bool {
	softplusF32NEON(dst, x, n)
	return true
}

func softplusF64(_ kernelPath, dst, x *float64, n int) bool {
	softplusF64NEON(dst, x, n)
	return true
}

func sumF32(_ kernelPath, s *laneSums, loss *float32, n int) bool {
	sumF32NEON(s, loss, n)
	return true
}

func sumF64(_ kernelPath, s *laneSums, loss *float64, n int) bool {
	sumF64NEON(s, loss, n)
	return true
}

func mulF32(_ kernelPath, dst, dout *float32, n int) bool {
	mulF32NEON(dst, dout, n)
	return true
}

func mulF64(_ kernelPath, dst, dout *float64, n int) bool {
	mulF64NEON(dst, dout, n)
	return true
}

func expandF32(_ kernelPath, u, w, x *float32, pos, keep *uint64, n int, wNeg, wPos float32) bool {
	expandF32NEON(u, w, x, pos, keep, n, wNeg, wPos)
	return true
}

func expandF64(_ kernelPath, u, w, x *float64, pos, keep *uint64, n int, wNeg, wPos float64) bool {
	expandF64NEON(u, w, x, pos, keep, n, wNeg, wPos)
	return true
}

func flipF32(_ kernelPath, dst *float32, pos *uint64, n int) bool {
	flipF32NEON(dst, pos, n)
	return true
}

func flipF64(_ kernelPath, dst *float64, pos *uint64, n int) bool {
	flipF64NEON(dst, pos, n)
	return true
}

=======
>>>>>>> f118248 (amd64: kernels by the new generator: loss and gradient at γ = 2 and any γ, and what is around them)
// Labels and targets are checked, and masks made, in Go.
func hasLabelKernels() bool { return false }

func labelsValid(_ kernelPath, label *int32, n int, limit uint32, ignore int32) bool { return false }

func labelMasks(_ kernelPath, pos, keep *uint64, label *int32, rows, c int, offset, ignore int32) (ignored bool) {
	return false
}

func targetsValidF32(_ kernelPath, t *float32, n int) bool { return false }
func targetsValidF64(_ kernelPath, t *float64, n int) bool { return false }

func targetMasksF32(_ kernelPath, pos, soft *uint64, t *float32, n int) (softs bool) { return false }
func targetMasksF64(_ kernelPath, pos, soft *uint64, t *float64, n int) (softs bool) { return false }

<<<<<<< HEAD
//go:noescape
func lossZeroF32NEON(a *abi.Args[float32])

//go:noescape
func gradZeroF32NEON(a *abi.Args[float32])

//go:noescape
func hessZeroF32NEON(a *abi.Args[float32])

//go:noescape
func lossSquareF32NEON(a *abi.Args[float32])

//go:noescape
func gradSquareF32NEON(a *abi.Args[float32])

//go:noescape
func hessSquareF32NEON(a *abi.Args[float32])

//go:noescape
func frozenSquareF32NEON(a *abi.Args[float32])

//go:noescape
func lossPowerF32NEON(a *abi.Args[float32])

//go:noescape
func gradPowerF32NEON(a *abi.Args[float32])

//go:noescape
func hessPowerF32NEON(a *abi.Args[float32])

//go:noescape
func frozenPowerF32NEON(a *abi.Args[float32])

//go:noescape
func lossZeroF64NEON(a *abi.Args[float64])

//go:noescape
func gradZeroF64NEON(a *abi.Args[float64])

//go:noescape
func hessZeroF64NEON(a *abi.Args[float64])

//go:noescape
func lossSquareF64NEON(a *abi.Args[float64])

//go:noescape
func gradSquareF64NEON(a *abi.Args[float64])

//go:noescape
func hessSquareF64NEON(a *abi.Args[float64])

//go:noescape
func frozenSquareF64NEON(a *abi.Args[float64])

//go:noescape
func lossPowerF64NEON(a *abi.Args[float64])

//go:noescape
func gradPowerF64NEON(a *abi.Args[float64])

//go:noescape
func hessPowerF64NEON(a *abi.Args[float64])

//go:noescape
func frozenPowerF64NEON(a *abi.Args[float64])

//go:noescape
func softLossSquareF32NEON(a *abi.Args[float32])

//go:noescape
func softGradSquareF32NEON(a *abi.Args[float32])

//go:noescape
func softHessSquareF32NEON(a *abi.Args[float32])

//go:noescape
func softFrozenSquareF32NEON(a *abi.Args[float32])

//go:noescape
func softLossPowerF32NEON(a *abi.Args[float32])

//go:noescape
func softGradPowerF32NEON(a *abi.Args[float32])

//go:noescape
func softHessPowerF32NEON(a *abi.Args[float32])

//go:noescape
func softFrozenPowerF32NEON(a *abi.Args[float32])

//go:noescape
func softLossSquareF64NEON(a *abi.Args[float64])

//go:noescape
func softGradSquareF64NEON(a *abi.Args[float64])

//go:noescape
func softHessSquareF64NEON(a *abi.Args[float64])

//go:noescape
func softFrozenSquareF64NEON(a *abi.Args[float64])

//go:noescape
func softLossPowerF64NEON(a *abi.Args[float64])

//go:noescape
func softGradPowerF64NEON(a *abi.Args[float64])

//go:noescape
func softHessPowerF64NEON(a *abi.Args[float64])

//go:noescape
func softFrozenPowerF64NEON(a *abi.Args[float64])

//go:noescape
func sigmoidF32NEON(dst, x *float32, n int)

//go:noescape
func sigmoidF64NEON(dst, x *float64, n int)

//go:noescape
func softplusF32NEON(dst, x *float32, n int)

//go:noescape
func softplusF64NEON(dst, x *float64, n int)

//go:noescape
func sumF32NEON(s *laneSums, loss *float32, n int)

//go:noescape
func sumF64NEON(s *laneSums, loss *float64, n int)

//go:noescape
func mulF32NEON(dst, dout *float32, n int)

//go:noescape
func mulF64NEON(dst, dout *float64, n int)

//go:noescape
func expandF32NEON(u, w, x *float32, pos, keep *uint64, n int, wNeg, wPos float32)

//go:noescape
func expandF64NEON(u, w, x *float64, pos, keep *uint64, n int, wNeg, wPos float64)

//go:noescape
func flipF32NEON(dst *float32, pos *uint64, n int)

//go:noescape
func flipF64NEON(dst *float64, pos *uint64, n int)

=======
>>>>>>> f118248 (amd64: kernels by the new generator: loss and gradient at γ = 2 and any γ, and what is around them)
// What the assembly knows of the arguments: these constants, and the offsets of the fields of neon, come to it by go_asm.h,
// which the go command makes. Pointers are where they are for either element type, up to the weights. The plan's fields
// are counted in elements.
const (
	argsN      = unsafe.Offsetof(abi.Args[float32]{}.N)
	argsU      = unsafe.Offsetof(abi.Args[float32]{}.U)
	argsTarget = unsafe.Offsetof(abi.Args[float32]{}.Target)
	argsW      = unsafe.Offsetof(abi.Args[float32]{}.W)
	argsWPos   = unsafe.Offsetof(abi.Args[float32]{}.WPos)
	argsWeight = unsafe.Offsetof(abi.Args[float32]{}.Weight)

	argsWeightPos32 = unsafe.Offsetof(abi.Args[float32]{}.WeightPos)
	argsLoss32      = unsafe.Offsetof(abi.Args[float32]{}.Loss)
	argsGrad32      = unsafe.Offsetof(abi.Args[float32]{}.Grad)
	argsHess32      = unsafe.Offsetof(abi.Args[float32]{}.Hess)
	argsCurv32      = unsafe.Offsetof(abi.Args[float32]{}.Curv)
	argsPlan32      = unsafe.Offsetof(abi.Args[float32]{}.Plan)

	argsWeightPos64 = unsafe.Offsetof(abi.Args[float64]{}.WeightPos)
	argsLoss64      = unsafe.Offsetof(abi.Args[float64]{}.Loss)
	argsGrad64      = unsafe.Offsetof(abi.Args[float64]{}.Grad)
	argsHess64      = unsafe.Offsetof(abi.Args[float64]{}.Hess)
	argsCurv64      = unsafe.Offsetof(abi.Args[float64]{}.Curv)
	argsPlan64      = unsafe.Offsetof(abi.Args[float64]{}.Plan)

	planGamma   = unsafe.Offsetof(plan[float32]{}.Gamma) / 4
	planHessOne = unsafe.Offsetof(plan[float32]{}.HessOne) / 4
	planPowHi   = unsafe.Offsetof(plan[float32]{}.PowHi) / 4
	planPowLo   = unsafe.Offsetof(plan[float32]{}.PowLo) / 4
	sumsLo      = unsafe.Offsetof(laneSums{}.Lo)

	planPowHiDown   = unsafe.Offsetof(plan[float32]{}.PowHiDown) / 4
	planHessPow     = unsafe.Offsetof(plan[float32]{}.HessPow) / 4
	planHessBracket = unsafe.Offsetof(plan[float32]{}.HessBracket) / 4
)

// neon are constants of package coef, and what is derived from them, in the form in which the kernels load them: for every
// element of a vector, and tables.
type neon struct {
	magicExp, magicFar, magicPow, powMin, magicIndex neonVector
	near, far                                        neonVector
	log2E, log2ELo, ln2, ln2Down                     neonVector
	up, down, halfUp, halfDown                       neonVector
	maxSoftplus, large, one, minusOne, recipScale    neonVector

	exp   [10]neonVector
	log   [20]neonVector
	pow   [11]neonVector
	log1p [11]neonVector

	// The bytes of a table's entry j are times4·j + byteOfNode. Those of i are the same with what else is in magicIndex.
	nodeMask, times4, byteOfNode, byteOfEntry neonVector

	nan                                          neonVector
	magicLog, magicLog0, mantissa, sign, largest neonVector
	bits                                         [4]neonVector // a bit for each element of four vectors

	node, recip [8]uint32  // node of float64: the second one, for every element
	logRecip    [16]uint32 // of float64, the lower halves and then the upper ones
}

type neonVector [2]uint64

var (
	neonF32 = newNEON(constants32)
	neonF64 = newNEON(constants64)
)

func newNEON[T Float](c *constants[T]) *neon {
	n := new(neon)
	double := unsafe.Sizeof(T(0)) == 8
	every := func(bits uint64) neonVector {
		if !double {
			bits |= bits << 32
		}
		return neonVector{bits, bits}
	}
	for _, v := range []struct {
		dst   *neonVector
		value T
	}{
		{&n.magicExp, c.magicExp}, {&n.magicFar, c.magicFar}, {&n.magicPow, c.magicPow}, {&n.powMin, c.powMin},
		{&n.magicIndex, c.magicIndex}, {&n.near, c.near}, {&n.far, c.far}, {&n.log2E, c.Log2E}, {&n.log2ELo, c.Log2ELo},
		{&n.ln2, c.Ln2}, {&n.up, c.up}, {&n.down, c.down}, {&n.ln2Down, c.ln2Down}, {&n.maxSoftplus, c.maxSoftplus},
		{&n.large, c.large}, {&n.one, 1}, {&n.minusOne, -1}, {&n.recipScale, coef.RecipScale}, {&n.nan, T(math.NaN())},
		{&n.halfUp, c.halfUp}, {&n.halfDown, c.halfDown}, {&n.magicLog, c.magicLog}, {&n.magicLog0, c.magicLog0}, {&n.largest, c.largest},
		{&n.sign, fromBits[T](c.signBit)}, {&n.mantissa, fromBits[T](1<<c.MantissaBits - 1)},
	} {
		*v.dst = every(toBits(v.value))
	}
	for _, v := range []struct {
		dst    []neonVector
		values []T
	}{{n.exp[:], c.Exp}, {n.log[:], c.Log}, {n.pow[:], c.Pow}, {n.log1p[:], c.Log1p}} {
		for i, value := range v.values {
			v.dst[i] = every(toBits(value))
		}
	}

	const times4, first = 0x04040404, 0x03020100
	words := func(w uint32) neonVector { return neonVector{uint64(w)<<32 | uint64(w), uint64(w)<<32 | uint64(w)} }
	n.nodeMask = every(c.nodeMask)
	n.times4 = words(times4)
	n.byteOfNode = words(first)
	n.byteOfEntry = words(first - times4*uint32(toBits(c.magicIndex)))
	for v := range n.bits {
		if double {
			n.bits[v] = neonVector{1 << (2 * v), 2 << (2 * v)}
		} else {
			n.bits[v] = neonVector{1<<(4*v) | 2<<(4*v+32), 4<<(4*v) | 8<<(4*v+32)}
		}
	}
	for j, v := range c.Node {
		n.node[j] = uint32(toBits(v))
	}
	for i := range 8 {
		n.recip[i] = uint32(toBits(float32(c.Recip[i])))
		n.logRecip[i] = uint32(toBits(c.LogRecip[i]))
		if double {
			n.logRecip[8+i] = uint32(toBits(c.LogRecip[i]) >> 32)
		}
	}
	if double {
		v := toBits(c.Node[1])
		for j := range 4 {
			n.node[j] = uint32(v >> (j % 2 * 32))
		}
	}
	return n
}
