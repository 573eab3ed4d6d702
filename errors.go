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

// output is a slice to be written, with the name that the caller knows it by. Without a name it is not wanted.
type output[T Float] struct {
	name string
	data []T
}

// outputs are all slices that a call may write.
type outputs[T Float] struct {
	loss, grad, hess, curv output[T]
	perRow                 output[T] // of Rows
}

const (
	rowOutput   = 4 // perRow, in all
	outputCount = 5
)

// all returns them as an array.
func (o *outputs[T]) all() *[outputCount]output[T] {
	return (*[outputCount]output[T])(unsafe.Pointer(o))
}

var _ [1]struct{} = [unsafe.Sizeof(outputs[float32]{}) / unsafe.Sizeof([outputCount]output[float32]{})]struct{}{}

// want sets the output.
func (o *output[T]) want(name string, data []T) { o.name, o.data = name, data }

func (o *output[T]) wanted() bool { return o.name != "" }

// fits reports whether the output has n elements, or is not wanted.
func (o *output[T]) fits(n int) bool { return !o.wanted() || len(o.data) == n }

// slice returns n elements from the given one on, or nil if the output is not wanted.
func (o *output[T]) slice(from, n int) []T {
	if !o.wanted() {
		return nil
	}
	return o.data[from : from+n]
}

// checkLen returns an error if the output is wanted and has not n elements.
func (o *output[T]) checkLen(op string, n int) error {
	if !o.fits(n) {
		return fmt.Errorf("focal: %s: len(%s) = %d, want len(x) = %d: %w", op, o.name, len(o.data), n, ErrShape)
	}
	return nil
}

// checkOverlap returns an error if the output is wanted and overlaps the other slice; if inPlace is set, it may be
// exactly that slice.
func (o *output[T]) checkOverlap(op, name string, other []T, inPlace bool) error {
	if inPlace && identical(o.data, other) {
		return nil
	}
	return checkDisjoint(op, o, name, other)
}

// identical reports whether two slices are the same memory.
func identical[T Float](a, b []T) bool {
	return len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b)
}

// checkDisjoint returns an error if the output is wanted and shares memory with the other slice, which need not have
// the same type.
func checkDisjoint[T Float, E any](op string, o *output[T], name string, other []E) error {
	if !o.wanted() || !overlap(o.data, other) {
		return nil
	}
	where := "at the same byte"
	switch d := distance(o.data, other); {
	case d > 0:
		where = fmt.Sprintf("%d bytes after %s", d, o.name)
	case d < 0:
		where = fmt.Sprintf("%d bytes before %s", -d, o.name)
	}
	return fmt.Errorf("focal: %s: %s overlaps %s, which begins %s: %w", op, o.name, name, where, ErrOverlap)
}

// overlap reports whether two slices share memory. The addresses are compared in one expression, as crypto/internal
// does it: a stack that moves between would have its slices at other addresses.
func overlap[A, B any](a []A, b []B) bool {
	var sizeA, sizeB = unsafe.Sizeof(*new(A)), unsafe.Sizeof(*new(B))
	return len(a) > 0 && len(b) > 0 &&
		uintptr(unsafe.Pointer(&a[0])) < uintptr(unsafe.Pointer(&b[0]))+uintptr(len(b))*sizeB &&
		uintptr(unsafe.Pointer(&b[0])) < uintptr(unsafe.Pointer(&a[0]))+uintptr(len(a))*sizeA
}

// distance returns how many bytes b begins after a.
func distance[A, B any](a []A, b []B) int {
	return int(uintptr(unsafe.Pointer(&b[0])) - uintptr(unsafe.Pointer(&a[0])))
}
