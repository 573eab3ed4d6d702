package focal

import (
	"math"
	"slices"
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/gofocal/focal/internal/abi"
	"github.com/gofocal/focal/internal/control"
	"github.com/gofocal/focal/internal/race"
)

type laneSums = abi.LaneSums

const (
	blockLen  = abi.BlockLen
	laneCount = abi.Lanes
)

// A path is one implementation of all kernels. Which one runs is decided once, when the program starts; they all
// return the same bits.
type kernelPath uint8

const (
	pathGeneric kernelPath = iota // kernel_generic.go
	pathNEON                      // kernel_arm64.s
	pathAVX2                      // kernel_amd64.s
	pathAVX512
)

func (p kernelPath) String() string {
	return [...]string{pathGeneric: "generic", pathNEON: "neon", pathAVX2: "avx2", pathAVX512: "avx512"}[p]
}

//go:generate go run ./asm

// bestPath returns the best path that this machine and build have. On amd64 its predicates cover every feature that the assembly
// requires (asm/dispatch_test.go holds them against it), the support of the operating system, and, for AVX-512, the path below, so
// that switching that one off switches off both.
func bestPath() kernelPath {
	if builtPath != pathAVX512 { // NEON is part of every arm64 CPU
		return builtPath
	}
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

// path is the one in use. Only tests and this project's own commands change it, the latter by package control.
var path = bestPath()

func init() {
	control.Paths = func() (names []string) {
		for _, p := range availablePaths() {
			names = append(names, p.String())
		}
		return names
	}
	control.SetPath = func(name string) (restore func()) {
		i := slices.IndexFunc(availablePaths(), func(p kernelPath) bool { return p.String() == name })
		if i < 0 {
			panic("focal: no such path: " + name)
		}
		former := path
		path = availablePaths()[i]
		return func() { path = former }
	}
}

// availablePaths returns the paths of this machine and build, the best first.
func availablePaths() (all []kernelPath) {
	for p := bestPath(); p != pathGeneric; p = p.below() {
		all = append(all, p)
	}
	return append(all, pathGeneric)
}

// below returns the path that serves the machines that lack this one.
func (p kernelPath) below() kernelPath {
	if p == pathAVX512 {
		return pathAVX2
	}
	return pathGeneric
}

// Path returns the path that the kernels take in this process: "avx512" or "avx2" on amd64, "neon" on arm64, or
// "generic". It is the best that the machine has and the build contains; the results do not depend on it.
func Path() string { return path.String() }

// The functions below go to the path in use, or else to the reference. Each asks for the type first, at compile time:
// a program that uses one of the two has no kernel of the other.

func isFloat32[T Float]() bool { return unsafe.Sizeof(T(0)) == 4 }

// asFloat32 and asFloat64 tell the compiler what T is.
func asFloat32[T Float](p *T) *float32 { return (*float32)(unsafe.Pointer(p)) }
func asFloat64[T Float](p *T) *float64 { return (*float64)(unsafe.Pointer(p)) }

// maxGroup is the most that groupOf returns.
const maxGroup = 96

// groupOf returns how many elements a kernel takes at a time; it is given whole groups only. That of an assembly path is
// a multiple of laneCount.
func groupOf[T Float]() int {
	switch {
	case path == pathGeneric:
		return 1
	case isFloat32[T]():
		return groupF32(path)
	}
	return groupF64(path)
}

// roundUp returns n > 0 rounded up to whole groups.
func roundUp[T Float](n int) int {
	group := groupOf[T]()
	if n <= group { // divisions take long
		return group
	}
	return (n + group - 1) / group * group
}

// callKernel evaluates a kernel for the whole groups of a.
func callKernel[T Float](k abi.Kernel, a *abi.Args[T]) {
	if race.Enabled {
		race.Kernel(k, a)
	}
	if path != pathGeneric {
		if isFloat32[T]() {
			if kernelF32(path, k, (*abi.Args[float32])(unsafe.Pointer(a))) {
				return
			}
		} else if kernelF64(path, k, (*abi.Args[float64])(unsafe.Pointer(a))) {
			return
		}
	}
	genericKernel(k, a)
}

// callActivation writes the sigmoid or the softplus of whole groups.
func callActivation[T Float](f activation, dst, x *T, n int) {
	if race.Enabled {
		race.Read(x, n)
		race.Write(dst, n)
	}
	if path != pathGeneric && activatedByPath(f, dst, x, n) {
		return
	}
	if f == sigmoid {
		genericSigmoid(dst, x, n)
	} else {
		genericSoftplus(dst, x, n)
	}
}

// activatedByPath does what callActivation does if the path has a kernel for it.
func activatedByPath[T Float](f activation, dst, x *T, n int) bool {
	switch {
	case isFloat32[T]() && f == sigmoid:
		return sigmoidF32(path, asFloat32(dst), asFloat32(x), n)
	case isFloat32[T]():
		return softplusF32(path, asFloat32(dst), asFloat32(x), n)
	case f == sigmoid:
		return sigmoidF64(path, asFloat64(dst), asFloat64(x), n)
	}
	return softplusF64(path, asFloat64(dst), asFloat64(x), n)
}

// addToLanes adds the losses of a block to its lanes, from the block's element first on, a multiple of laneCount.
func addToLanes[T Float](s *laneSums, loss []T) {
	whole := len(loss) &^ (laneCount - 1)
	if whole > 0 && path != pathGeneric {
		if race.Enabled {
			race.Read(&loss[0], whole)
		}
		done := false
		if isFloat32[T]() {
			done = sumF32(path, s, asFloat32(&loss[0]), whole)
		} else {
			done = sumF64(path, s, asFloat64(&loss[0]), whole)
		}
		if done {
			loss = loss[whole:]
		}
	}
	for i, v := range loss {
		addToLane(s, i%laneCount, v)
	}
}

// multiply multiplies dst by dout, see product.
func multiply[T Float](dst, dout []T) {
	whole := len(dst) &^ (laneCount - 1)
	if whole > 0 && path != pathGeneric {
		if race.Enabled {
			race.Read(&dout[0], whole)
			race.Write(&dst[0], whole)
		}
		done := false
		if isFloat32[T]() {
			done = mulF32(path, asFloat32(&dst[0]), asFloat32(&dout[0]), whole)
		} else {
			done = mulF64(path, asFloat64(&dst[0]), asFloat64(&dout[0]), whole)
		}
		if done {
			dst, dout = dst[whole:], dout[whole:]
		}
	}
	for i, d := range dout {
		dst[i] = product(dst[i], d)
	}
}

// product returns a·b. A NaN is the quiet one without a sign: of 0·Inf, or of a NaN from outside, machines make different ones.
func product[T Float](a, b T) T {
	v := T(a * b)
	if v != v {
		return nan[T]()
	}
	return v
}

// expand makes a kernel's arguments of bits, for n elements: u = -x and w = wPos where pos is set, otherwise x and wNeg; both are 0 where
// keep is clear (nil: it is set everywhere). The bits are those from shift on, a multiple of laneCount. u may be x.
func expand[T Float](u, w, x *T, n int, pos, keep *bitmask, shift int, wNeg, wPos T) {
	done := 0
	if whole := n &^ (laneCount - 1); whole > 0 && path != pathGeneric {
		if race.Enabled {
			race.Read(x, whole)
		}
		some := false
		if p := bitsAt(pos, shift); isFloat32[T]() {
			some = expandF32(path, asFloat32(u), asFloat32(w), asFloat32(x), p, whole, float32(wNeg), float32(wPos))
		} else {
			some = expandF64(path, asFloat64(u), asFloat64(w), asFloat64(x), p, whole, float64(wNeg), float64(wPos))
		}
		if some {
			done = whole
			if keep != nil {
				mask(part(u, 0, whole), keep, shift)
				mask(part(w, 0, whole), keep, shift)
			}
		}
	}
	if done == n {
		return
	}
	us, ws := part(u, 0, n), part(w, 0, n)
	for i, v := range part(x, 0, n)[done:] {
		switch i += done; {
		case keep != nil && !keep.has(shift+i):
			us[i], ws[i] = 0, 0
		case pos.has(shift + i):
			us[i], ws[i] = -v, wPos
		default:
			us[i], ws[i] = v, wNeg
		}
	}
}

// flip changes the sign of the elements whose bits, from shift on, are set.
func flip[T Float](dst []T, pos *bitmask, shift int) {
	whole := len(dst) &^ (laneCount - 1)
	if whole > 0 && path != pathGeneric {
		if race.Enabled {
			race.Write(&dst[0], whole)
		}
		p := bitsAt(pos, shift)
		done := false
		if isFloat32[T]() {
			done = flipF32(path, asFloat32(&dst[0]), p, whole)
		} else {
			done = flipF64(path, asFloat64(&dst[0]), p, whole)
		}
		if done {
			dst, shift = dst[whole:], shift+whole
		}
	}
	for i := range dst {
		if pos.has(shift + i) {
			dst[i] = -dst[i]
		}
	}
}

// flipAs changes the sign of the elements of which those of u and x differ.
func flipAs[T Float](dst, u, x []T) {
	whole := len(dst) &^ (laneCount - 1)
	if whole > 0 && path != pathGeneric && isFloat32[T]() {
		if race.Enabled {
			race.Write(&dst[0], whole)
			race.Read(&x[0], whole)
		}
		if flipAsF32(path, asFloat32(&dst[0]), asFloat32(&u[0]), asFloat32(&x[0]), whole) {
			dst, u, x = dst[whole:], u[whole:], x[whole:]
		}
	}
	for i := range dst {
		if math.Signbit(float64(u[i])) != math.Signbit(float64(x[i])) {
			dst[i] = -dst[i]
		}
	}
}

// mask makes 0 of the elements whose bits, from shift on, are clear.
func mask[T Float](dst []T, keep *bitmask, shift int) {
	whole := len(dst) &^ (laneCount - 1)
	if whole > 0 && path != pathGeneric {
		if race.Enabled {
			race.Write(&dst[0], whole)
		}
		k := bitsAt(keep, shift)
		done := false
		if isFloat32[T]() {
			done = maskF32(path, asFloat32(&dst[0]), k, whole)
		} else {
			done = maskF64(path, asFloat64(&dst[0]), k, whole)
		}
		if done {
			dst, shift = dst[whole:], shift+whole
		}
	}
	for i := range dst {
		if !keep.has(shift + i) {
			dst[i] = 0
		}
	}
}
