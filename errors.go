package focal

import (
	"errors"
	"fmt"
	"unsafe"
)

// The errors of this package wrap one of these; test for them with [errors.Is]. On any of them no output has been
// touched.
var (
	// ErrShape: the lengths of slices do not fit each other. The text names the slice, its length and the wanted one.
	ErrShape = errors.New("shape mismatch")

	// ErrLabel: a label is neither a class, nor background, nor the ignored value. The text names row, value and C.
	ErrLabel = errors.New("label out of range")

	// ErrTarget: the target is the zero Target, has a value outside [0, 1], a weight that is negative or not finite, values of
	// another type than the logits, or options that do not go together. The text names the option, the index and the value.
	ErrTarget = errors.New("invalid target")

	// ErrParam: a field of Params is outside its range. The text names the field and its value.
	ErrParam = errors.New("parameter out of range")

	// ErrOverlap: an output overlaps an input or another output, and is not exactly x. The text names both, and how many bytes
	// apart they begin.
	ErrOverlap = errors.New("overlapping slices")

	// ErrPartial: bytes are not the encoding of a Partial, or two of them are too large to be merged.
	ErrPartial = errors.New("invalid partial sum")
)

// outputs are all slices that a call may write. What is nil is not wanted.
type outputs[T Float] struct {
	places[T]
	perRow []T // of Rows
}

const (
	rowOutput   = 4 // perRow, in all
	outputCount = 5
)

// all returns them as an array.
func (o *outputs[T]) all() *[outputCount][]T {
	return (*[outputCount][]T)(unsafe.Pointer(o))
}

var _ [1]struct{} = [unsafe.Sizeof(outputs[float32]{}) / unsafe.Sizeof([outputCount][]float32{})]struct{}{}

// given returns an output that is wanted even if it is nil.
func given[T Float](dst []T) []T {
	if dst == nil {
		return []T{}
	}
	return dst
}

// outputName returns the name that the caller knows an output by.
func (j *job[T]) outputName(i int) string {
	if j.op == "Fused" {
		return [...]string{"out.Loss", "out.Grad", "out.Hess", "out.Curv"}[i]
	}
	return "dst"
}

// errLen returns the error of a slice whose length is not that of x.
func errLen(op, name string, have, want int) error {
	return fmt.Errorf("focal: %s: len(%s) = %d, want len(x) = %d: %w", op, name, have, want, ErrShape)
}

// memory is the bytes of a slice.
type memory struct {
	first unsafe.Pointer
	size  uintptr
}

func memoryOf[E any](v []E) memory {
	return memory{unsafe.Pointer(unsafe.SliceData(v)), uintptr(len(v)) * unsafe.Sizeof(*new(E))}
}

// overlaps reports whether two memories share a byte. The addresses are compared in one expression, as crypto/internal does it: a
// stack that moves between would have its slices at other addresses.
func (m memory) overlaps(o memory) bool {
	return m.size > 0 && o.size > 0 && uintptr(m.first) < uintptr(o.first)+o.size && uintptr(o.first) < uintptr(m.first)+m.size
}

// errOverlap returns the error of an output that shares memory with something else.
func errOverlap(op, name string, out memory, otherName string, other memory) error {
	where := "at the same byte"
	switch d := int(uintptr(other.first) - uintptr(out.first)); {
	case d > 0:
		where = fmt.Sprintf("%d bytes after %s", d, name)
	case d < 0:
		where = fmt.Sprintf("%d bytes before %s", -d, name)
	}
	return fmt.Errorf("focal: %s: %s overlaps %s, which begins %s: %w", op, name, otherName, where, ErrOverlap)
}
