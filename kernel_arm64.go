//go:build !purego

//lint:file-ignore U1000 the constants and variables are for kernel_arm64.s, which staticcheck does not read

package focal

import (
	"math"
	"unsafe"
)

// Advanced SIMD is part of every arm64 CPU: there is nothing to check for.
func bestPath() kernelPath { return pathNEON }

// assemblyBlock calls a kernel in assembly, if there is one. It is a switch because a call through a function variable
// would make the block escape to the heap.
func assemblyBlock(_ kernelPath, id kernelID, b unsafe.Pointer) bool {
	switch id {
	case lossSquare:
		lossSquareF32NEON(b)
	case lossPower:
		lossPowerF32NEON(b)
	case gradSquare:
		gradSquareF32NEON(b)
	case gradPower:
		gradPowerF32NEON(b)
	case hessSquare:
		hessSquareF32NEON(b)
	case hessPower:
		hessPowerF32NEON(b)
	case softLossSquare:
		softLossSquareF32NEON(b)
	case softLossPower:
		softLossPowerF32NEON(b)
	case softGradSquare:
		softGradSquareF32NEON(b)
	case softGradPower:
		softGradPowerF32NEON(b)
	case softHessSquare:
		softHessSquareF32NEON(b)
	case softHessPower:
		softHessPowerF32NEON(b)
	case kernelIDs + lossSquare:
		lossSquareF64NEON(b)
	case kernelIDs + lossPower:
		lossPowerF64NEON(b)
	case kernelIDs + gradSquare:
		gradSquareF64NEON(b)
	case kernelIDs + gradPower:
		gradPowerF64NEON(b)
	case kernelIDs + hessSquare:
		hessSquareF64NEON(b)
	case kernelIDs + hessPower:
		hessPowerF64NEON(b)
	case kernelIDs + softLossSquare:
		softLossSquareF64NEON(b)
	case kernelIDs + softLossPower:
		softLossPowerF64NEON(b)
	case kernelIDs + softGradSquare:
		softGradSquareF64NEON(b)
	case kernelIDs + softGradPower:
		softGradPowerF64NEON(b)
	case kernelIDs + softHessSquare:
		softHessSquareF64NEON(b)
	case kernelIDs + softHessPower:
		softHessPowerF64NEON(b)
	default:
		return false
	}
	return true
}

func assemblySigmoid(_ kernelPath, double bool, dst, x unsafe.Pointer, n int) bool {
	if double {
		sigmoidF64NEON(dst, x, n)
	} else {
		sigmoidF32NEON(dst, x, n)
	}
	return true
}

// Targets are checked, and masks made, in Go.

func assemblyLabelsValid(kernelPath, []int32, uint32, int32) bool { return false }

func assemblyTargetsValid(kernelPath, bool, unsafe.Pointer, int) bool { return false }

func assemblyHardMask(kernelPath, bool, *oldBitmask, unsafe.Pointer, int) bool { return false }

func assemblyLabelMasks(_ kernelPath, _, _ *oldBitmask, _ []int32, _ int, _, _ int32) bool {
	return false
}

// The kernels in kernel_arm64.s. b is a *block of the element type.

//go:noescape
func lossSquareF32NEON(b unsafe.Pointer)

//go:noescape
func lossPowerF32NEON(b unsafe.Pointer)

//go:noescape
func gradSquareF32NEON(b unsafe.Pointer)

//go:noescape
func gradPowerF32NEON(b unsafe.Pointer)

//go:noescape
func hessSquareF32NEON(b unsafe.Pointer)

//go:noescape
func hessPowerF32NEON(b unsafe.Pointer)

//go:noescape
func softLossSquareF32NEON(b unsafe.Pointer)

//go:noescape
func softLossPowerF32NEON(b unsafe.Pointer)

//go:noescape
func softGradSquareF32NEON(b unsafe.Pointer)

//go:noescape
func softGradPowerF32NEON(b unsafe.Pointer)

//go:noescape
func softHessSquareF32NEON(b unsafe.Pointer)

//go:noescape
func softHessPowerF32NEON(b unsafe.Pointer)

//go:noescape
func sigmoidF32NEON(dst, x unsafe.Pointer, n int)

//go:noescape
func lossSquareF64NEON(b unsafe.Pointer)

//go:noescape
func lossPowerF64NEON(b unsafe.Pointer)

//go:noescape
func gradSquareF64NEON(b unsafe.Pointer)

//go:noescape
func gradPowerF64NEON(b unsafe.Pointer)

//go:noescape
func hessSquareF64NEON(b unsafe.Pointer)

//go:noescape
func hessPowerF64NEON(b unsafe.Pointer)

//go:noescape
func softLossSquareF64NEON(b unsafe.Pointer)

//go:noescape
func softLossPowerF64NEON(b unsafe.Pointer)

//go:noescape
func softGradSquareF64NEON(b unsafe.Pointer)

//go:noescape
func softGradPowerF64NEON(b unsafe.Pointer)

//go:noescape
func softHessSquareF64NEON(b unsafe.Pointer)

//go:noescape
func softHessPowerF64NEON(b unsafe.Pointer)

//go:noescape
func sigmoidF64NEON(dst, x unsafe.Pointer, n int)

// What the assembly knows of the block: these constants, and the offsets of the fields of neonConstants, come to it by
// go_asm.h, which the go command makes. Pointers are where they are for either element type.
const (
	blockN      = unsafe.Offsetof(block[float32]{}.N)
	blockX      = unsafe.Offsetof(block[float32]{}.X)
	blockDout   = unsafe.Offsetof(block[float32]{}.Dout)
	blockLoss   = unsafe.Offsetof(block[float32]{}.Loss)
	blockGrad   = unsafe.Offsetof(block[float32]{}.Grad)
	blockHess   = unsafe.Offsetof(block[float32]{}.Hess)
	blockTarget = unsafe.Offsetof(block[float32]{}.Target)
	blockPos    = unsafe.Offsetof(block[float32]{}.Pos)
	blockKeep   = unsafe.Offsetof(block[float32]{}.Keep)
	blockSums   = unsafe.Offsetof(block[float32]{}.Sums)

	blockWNeg32    = unsafe.Offsetof(block[float32]{}.Plan) + unsafe.Offsetof(plan[float32]{}.WNeg)
	blockWPos32    = unsafe.Offsetof(block[float32]{}.Plan) + unsafe.Offsetof(plan[float32]{}.WPos)
	blockGamma32   = unsafe.Offsetof(block[float32]{}.Plan) + unsafe.Offsetof(plan[float32]{}.Gamma)
	blockHessOne32 = unsafe.Offsetof(block[float32]{}.Plan) + unsafe.Offsetof(plan[float32]{}.HessOne)
	blockPowHi32   = unsafe.Offsetof(block[float32]{}.Plan) + unsafe.Offsetof(plan[float32]{}.PowHi)
	blockPowLo32   = unsafe.Offsetof(block[float32]{}.Plan) + unsafe.Offsetof(plan[float32]{}.PowLo)

	blockWNeg64    = unsafe.Offsetof(block[float64]{}.Plan) + unsafe.Offsetof(plan[float64]{}.WNeg)
	blockWPos64    = unsafe.Offsetof(block[float64]{}.Plan) + unsafe.Offsetof(plan[float64]{}.WPos)
	blockGamma64   = unsafe.Offsetof(block[float64]{}.Plan) + unsafe.Offsetof(plan[float64]{}.Gamma)
	blockHessOne64 = unsafe.Offsetof(block[float64]{}.Plan) + unsafe.Offsetof(plan[float64]{}.HessOne)
	blockPowHi64   = unsafe.Offsetof(block[float64]{}.Plan) + unsafe.Offsetof(plan[float64]{}.PowHi)
	blockPowLo64   = unsafe.Offsetof(block[float64]{}.Plan) + unsafe.Offsetof(plan[float64]{}.PowLo)

	sumsLo   = unsafe.Offsetof(laneSums{}.Lo)
	laneMask = laneCount - 1
)

// neonConstants are constants of package coef, and what is derived from them, in the form in which the kernels load
// them. What a kernel overwrites, such as the coefficient to which a product is added, is loaded for two vectors at a
// time.
type neonConstants struct {
	// For every element of two vectors
	exp2m1               [7]neonPair
	log1p                [11]neonPair
	magic, magicTiny     neonPair
	magicIndex, minusOne neonPair
	byteOfJ              neonPair // the bytes of a table's entry j are 0x04040404·j + byteOfJ
	byteOfI              neonPair // the same, for i + magic

	bits [4]neonVector // a bit for each element of four vectors

	// Tables: of float64, first the upper halves of all entries, then the lower ones, which short entries do not have.
	exp, recip                   [8]uint32
	expRest, log, log8Hi, log8Lo [16]uint32

	// For every element of a vector
	clamp, clampTiny, scale, scaleLo, index, indexTiny, one, eight, tiny, small, large, huge neonVector
	powMin, maxSoftplus, inf, fallen, magicExp, mantissa, nan, seven, times4                 neonVector
}

type (
	neonVector [2]uint64
	neonPair   [4]uint64
)

// Pairs of vectors are loaded from less than 1024 bytes behind a register: one points to the structure, another one to
// its tables. These are constants only if it is so.
const (
	_ = 1023 - unsafe.Offsetof(neonConstants{}.exp)
	_ = 1023 - (unsafe.Offsetof(neonConstants{}.clamp) - unsafe.Offsetof(neonConstants{}.exp))
)

// The sigmoid kernels read the structure instead of a mask, two bytes from each byte on: it is long enough.
const _ = unsafe.Sizeof(neonConstants{}) - (blockLen/8 + 1)

var (
	neonF32 = newNEONConstants(constants32)
	neonF64 = newNEONConstants(constants64)
)

func newNEONConstants[T Float](c *constants[T]) *neonConstants {
	n := new(neonConstants)
	double := unsafe.Sizeof(T(0)) == 8
	broadcast := func(dst []uint64, bits uint64) {
		if !double {
			bits |= bits << 32
		}
		for i := range dst {
			dst[i] = bits
		}
	}
	for _, v := range []struct {
		dst   *neonVector
		value T
	}{
		{&n.scale, c.Scale}, {&n.scaleLo, c.ScaleLo}, {&n.index, c.indexScale}, {&n.indexTiny, c.indexTiny}, {&n.one, 1},
		{&n.eight, 8}, {&n.inf, c.inf}, {&n.fallen, c.fallen}, {&n.small, c.small}, {&n.large, c.large}, {&n.magicExp, c.magic + c.expHuge},
		{&n.mantissa, fromBits[T](1<<c.MantissaBits - 1)}, {&n.tiny, c.tiny}, {&n.huge, c.huge}, {&n.powMin, c.powMin}, {&n.maxSoftplus, c.maxSoftplus},
		{&n.clamp, fromBits[T](c.clamp)}, {&n.clampTiny, fromBits[T](c.clampTiny)}, {&n.nan, T(math.NaN())},
	} {
		broadcast(v.dst[:], toBits(v.value))
	}
	for i, v := range c.Exp2m1 {
		broadcast(n.exp2m1[i][:], toBits(v))
	}
	for i, v := range c.Log1p {
		broadcast(n.log1p[i][:], toBits(v))
	}
	broadcast(n.magic[:], toBits(c.magic))
	broadcast(n.magicTiny[:], toBits(c.magicTiny))
	broadcast(n.magicIndex[:], toBits(c.magicIndex))
	broadcast(n.minusOne[:], toBits(T(-1)))

	// Integers. An index is multiplied as 32 bits, which both halves of a float64 have.
	const times4 = 0x04040404
	first := uint64(0x03020100)
	magic := uint64(uint32(toBits(c.magic)))
	firstOfI := uint64(uint32(first - times4*magic))
	n.seven = neonVector{7 | 7<<32, 7 | 7<<32}
	n.times4 = neonVector{times4 | times4<<32, times4 | times4<<32}
	if double { // the lower halves are 32 bytes behind the upper ones
		const behind = 0x20202020
		first = first<<32 | (first + behind)
		firstOfI = firstOfI<<32 | uint64(uint32(firstOfI+behind))
	}
	broadcast(n.byteOfJ[:], first)
	broadcast(n.byteOfI[:], firstOfI)
	for v := range n.bits {
		if double {
			n.bits[v] = neonVector{1 << (2 * v), 2 << (2 * v)}
		} else {
			n.bits[v] = neonVector{1<<(4*v) | 2<<(4*v+32), 4<<(4*v) | 8<<(4*v+32)}
		}
	}

	for i := range 8 {
		entry := func(dst []uint32, bits uint64) {
			if double {
				if len(dst) == 16 {
					dst[i+8] = uint32(bits)
				}
				bits >>= 32
			}
			dst[i] = uint32(bits)
		}
		entry(n.exp[:], c.expBits[i])
		entry(n.recip[:], toBits(c.Recip[i]))
		entry(n.expRest[:], toBits(c.ExpRest[i]))
		entry(n.log[:], toBits(c.Log[i]))
		entry(n.log8Hi[:], toBits(c.Log8Hi[i]))
		entry(n.log8Lo[:], toBits(c.Log8Lo[i]))
	}
	return n
}
