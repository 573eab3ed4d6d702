//go:build race

package race

import (
	"runtime"
	"unsafe"

	"github.com/gofocal/focal/internal/abi"
)

// Enabled reports whether the program is built with the race detector.
const Enabled = true

// Kernel tells what a call of a kernel reads and writes.
func Kernel[T float32 | float64](k abi.Kernel, a *abi.Args[T]) {
	for _, p := range []*T{a.U, a.Target, a.W, a.WPos} {
		Read(p, a.N)
	}
	op := k.Operation()
	Write(a.Loss, a.N)
	if op != abi.Loss {
		Write(a.Grad, a.N)
	}
	if op == abi.Hess {
		Write(a.Hess, a.N)
	}
	if op == abi.Hess || op == abi.Frozen {
		Write(a.Curv, a.N)
	}
}

// Read tells that n elements from p on are read; p may be nil.
func Read[E any](p *E, n int) {
	if p != nil {
		runtime.RaceReadRange(hidden(p), n*int(unsafe.Sizeof(*p)))
	}
}

// Write tells that n elements from p on are written; p may be nil.
func Write[E any](p *E, n int) {
	if p != nil {
		runtime.RaceWriteRange(hidden(p), n*int(unsafe.Sizeof(*p)))
	}
}

// hidden keeps what p points to from escaping to the heap because the runtime's functions take its address.
func hidden[E any](p *E) unsafe.Pointer {
	address := uintptr(unsafe.Pointer(p))
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}
