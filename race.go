//go:build race

package focal

import (
	"runtime"
	"unsafe"

	"github.com/gofocal/focal/internal/abi"
)

// The race detector does not see what assembly reads and writes: it is told here. What only one goroutine knows, such as
// masks and sums on its stack, does not matter.

const raceEnabled = true

// raceKernel tells about a call of a kernel.
func raceKernel[T Float](k abi.Kernel, a *abi.Args[T]) {
	for _, p := range []*T{a.U, a.Target, a.W, a.WPos} {
		raceRead(p, a.N)
	}
	op := k.Operation()
	raceWrite(a.Loss, a.N)
	if op != abi.Loss {
		raceWrite(a.Grad, a.N)
	}
	if op == abi.Hess {
		raceWrite(a.Hess, a.N)
	}
	if op == abi.Hess || op == abi.Frozen {
		raceWrite(a.Curv, a.N)
	}
}

// raceRead tells that n elements from p on are read; p may be nil.
func raceRead[E any](p *E, n int) {
	if p != nil {
		runtime.RaceReadRange(hidden(p), n*int(unsafe.Sizeof(*p)))
	}
}

// raceWrite tells that n elements from p on are written; p may be nil.
func raceWrite[E any](p *E, n int) {
	if p != nil {
		runtime.RaceWriteRange(hidden(p), n*int(unsafe.Sizeof(*p)))
	}
}

// hidden keeps what p points to from escaping to the heap because the runtime's functions take its address.
func hidden[E any](p *E) unsafe.Pointer {
	address := uintptr(unsafe.Pointer(p))
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}
