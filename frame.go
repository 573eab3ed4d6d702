//go:build gc && !purego && (amd64 || arm64)

package focal

import (
	"unsafe"

	"github.com/gofocal/focal/internal/exact"
)

// The scratch stands on the stack, so nothing is allocated. It stands in a frame of assembly because Go would make
// zeros of it first, in every call, which takes longer than the loss of a small batch.

// frameF32 and frameF64 are the sizes of the frames, as frame.s has them: the scratch, room to align it, and arguments.
const (
	frameF32    = 46568
	frameF64    = 59304
	frameMargin = 64 + 32
)

// The scratch fits, or one of these has a negative length.
var (
	_ [frameF32 - frameMargin - unsafe.Sizeof(scratch[float32]{})]struct{}
	_ [frameF64 - frameMargin - unsafe.Sizeof(scratch[float64]{})]struct{}
)

// inFrameF32 calls workF32 with a scratch.
//
//go:noescape
func inFrameF32(j *job[float32], total *exact.Total)

//go:noescape
func inFrameF64(j *job[float64], total *exact.Total)

//lint:ignore U1000 frame.s calls it
func workF32(j *job[float32], total *exact.Total, s *scratch[float32]) { j.work(s, total) }

//lint:ignore U1000 frame.s calls it
func workF64(j *job[float64], total *exact.Total, s *scratch[float64]) { j.work(s, total) }

// withScratch does the job's work.
func withScratch[T Float](j *job[T], total *exact.Total) {
	if isFloat32[T]() {
		inFrameF32((*job[float32])(unsafe.Pointer(j)), total)
	} else {
		inFrameF64((*job[float64])(unsafe.Pointer(j)), total)
	}
}
