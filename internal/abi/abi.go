// Package abi is the contract between the public functions and the kernels: what one kernel call is told, and what it
// leaves behind. Every path fulfils it with the same bits. The generator of the amd64 assembly takes the offsets of
// the fields from here.
package abi

const (
	// BlockLen is the number of elements of one kernel call. Assembly cannot be preempted, so this bounds how
	// long the garbage collector may wait for us; and sums are formed per block, so it is part of their definition.
	BlockLen = 8192

	// Lanes is the number of virtual lanes of a sum: element i of a block is added to lane i mod Lanes.
	Lanes = 16
)

// NarrowRow is the length up to which rows have their masks made by assembly, 16 rows at a time.
const NarrowRow = 15

// LaneSums holds the partial sums of a block. The sum of a block is that of all 2·Lanes numbers; Lo collects the
// rounding errors of Hi (float64 elements only: float32 losses are short enough to need none).
type LaneSums struct {
	Hi, Lo [Lanes]float64
}

// Plan is what gamma comes to. It is the same for all elements.
type Plan[T float32 | float64] struct {
	Gamma                T // bounded, see coef.Layout
	GammaMinus1          T
	GammaLn2, GammaLn2Lo T // Gamma·ln2, in two parts
	GammaSquareLn2       T // Gamma²·ln2
	HessOne              T // 1 + 2·Gamma

	PowHi, PowLo T // gamma as an exponent, PowHi + PowLo: PowHi has half of T's bits
	PowHiDown    T // PowHi·2^-Shift

	HessPow, HessBracket T // what s^γ and the bracket are multiplied with in the Hessian, together 2^-Shift
}
