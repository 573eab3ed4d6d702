//go:build gc && !purego

//lint:file-ignore U1000 the constants and variables are for kernel_arm64.s, which staticcheck does not read

package focal

import (
	"math"
	"unsafe"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/coef"
)

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

	planGamma          = unsafe.Offsetof(plan[float32]{}.Gamma) / 4
	planGammaMinus1    = unsafe.Offsetof(plan[float32]{}.GammaMinus1) / 4
	planGammaLn2       = unsafe.Offsetof(plan[float32]{}.GammaLn2) / 4
	planGammaLn2Lo     = unsafe.Offsetof(plan[float32]{}.GammaLn2Lo) / 4
	planGammaSquareLn2 = unsafe.Offsetof(plan[float32]{}.GammaSquareLn2) / 4
	planHessOne        = unsafe.Offsetof(plan[float32]{}.HessOne) / 4
	planPowHi          = unsafe.Offsetof(plan[float32]{}.PowHi) / 4
	planPowLo          = unsafe.Offsetof(plan[float32]{}.PowLo) / 4
	planPowHiDown      = unsafe.Offsetof(plan[float32]{}.PowHiDown) / 4
	planHessPow        = unsafe.Offsetof(plan[float32]{}.HessPow) / 4
	planHessBracket    = unsafe.Offsetof(plan[float32]{}.HessBracket) / 4

	sumsLo = unsafe.Offsetof(laneSums{}.Lo)
)

// neon are constants of package coef, and what is derived from them, in the form in which the kernels load them: for every
// element of a vector, and tables.
type neon struct {
	magicExp, magicFar, magicPow, powMin, magicIndex neonVector
	near, far                                        neonVector
	log2E, log2ELo, ln2, ln2Down                     neonVector
	up, down, halfUp, halfDown, minusDown            neonVector
	maxSoftplus, large, recipScale                   neonVector
	one, two, minusOne                               neonVector

	exp   [8]neonVector
	log   [20]neonVector
	pow   [11]neonVector
	log1p [11]neonVector

	// The bytes of a table's entry j are times4·j + byteOfNode. Those of i are the same with what else is in magicIndex.
	nodeMask, times4, byteOfNode, byteOfEntry neonVector

	nan                                          neonVector
	magicLog, magicLog0, mantissa, sign, largest neonVector
	bits                                         [4]neonVector // a bit for each element of four vectors

	recip          [8]uint32
	node, logRecip [16]uint32 // of float64, the lower halves and then the upper ones
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
		{&n.ln2, c.Ln2}, {&n.up, c.up}, {&n.down, c.down}, {&n.minusDown, -c.down}, {&n.ln2Down, c.ln2Down}, {&n.maxSoftplus, c.maxSoftplus},
		{&n.large, c.large}, {&n.one, 1}, {&n.two, 2}, {&n.minusOne, -1}, {&n.recipScale, coef.RecipScale}, {&n.nan, T(math.NaN())},
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
	n.nodeMask = words(uint32(c.nodeMask))
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
	for i := range 8 {
		n.recip[i] = uint32(toBits(float32(c.Recip[i])))
		for table, v := range map[*[16]uint32]T{&n.node: c.Node[i], &n.logRecip: c.LogRecip[i]} {
			table[i] = uint32(toBits(v))
			if double {
				table[8+i] = uint32(toBits(v) >> 32)
			}
		}
	}
	return n
}
