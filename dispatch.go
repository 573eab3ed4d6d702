package focal

import (
	"slices"
	"unsafe"

	"github.com/gofocal/focal/internal/control"
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

// A kernel is named by what it computes, in the order of the constants below: for float32, and then for float64.
type kernelID uint8

const (
	lossSquare kernelID = iota // γ = 2
	lossPower                  // any γ
	gradSquare                 // loss and gradient
	gradPower
	hessSquare // loss, gradient and Hessian
	hessPower
	softLossSquare // the same for soft targets
	softLossPower
	softGradSquare
	softGradPower
	softHessSquare
	softHessPower

	kernelIDs
)

// kernelOf returns the kernel for what a block asks for.
func kernelOf[T Float](b *block[T]) kernelID {
	id := lossSquare
	switch {
	case b.Hess != nil:
		id = hessSquare
	case b.Grad != nil:
		id = gradSquare
	}
	if !b.Plan.Square {
		id++
	}
	if b.Target != nil {
		id += softLossSquare
	}
	if unsafe.Sizeof(*b.X) == 8 {
		id += kernelIDs
	}
	return id
}

// runBlock calls the kernel of the path in use.
func runBlock[T Float](b *block[T]) {
	if raceEnabled {
		raceBlock(b)
	}
	if path == pathGeneric || !assemblyBlock(path, kernelOf(b), unsafe.Pointer(b)) {
		genericBlock(b)
	}
}

// runSigmoid calls the sigmoid kernel of the path in use, for n ≤ blockLen elements.
func runSigmoid[T Float](dst, x *T, n int) {
	if raceEnabled {
		raceRead(x, n)
		raceWrite(dst, n)
	}
	if path == pathGeneric || !assemblySigmoid(path, unsafe.Sizeof(*x) == 8, unsafe.Pointer(dst), unsafe.Pointer(x), n) {
		genericSigmoid(dst, x, n)
	}
}

// hasLabelKernels reports whether the path in use checks labels and dense targets, and makes masks of narrow rows and
// of hard targets.
func hasLabelKernels() bool { return path == pathAVX2 || path == pathAVX512 }
