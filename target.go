package focal

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/gofocal/focal/internal/abi"
)

// Target says what each row is, made by [Labels] or [ZeroBased], or what each element is, made by [Dense]. It refers to
// their argument, which is not copied. The zero Target is [ErrTarget] in every call.
type Target struct {
	kind   targetKind
	label  []int32 // one for each row
	offset int32   // the label of column 0
	ignore int32   // the label of an ignored row

	dense32 []float32 // one for each element; that of the logits' type
	dense64 []float64
}

type targetKind uint8

const (
	noTarget targetKind = iota // the zero Target
	labelTarget
	dense32Target
	dense64Target
)

// Labels returns the target that has one label for each row, in the convention of Paddle and Caffe2: 1..C is the
// class (the positive is in column label-1), 0 is background (no positive), -1 an ignored row, whose losses and
// derivatives are 0. Any other value is [ErrLabel] when the target is used.
func Labels(label []int32) Target {
	return Target{kind: labelTarget, label: label, offset: 1, ignore: -1}
}

// ZeroBased returns the target that has one label for each row, in the convention of mmcv and mmdetection: 0..C-1 is
// the class (the positive is in column label), C is background (no positive), -1 an ignored row, whose losses and
// derivatives are 0. Any other value is [ErrLabel] when the target is used.
func ZeroBased(label []int32) Target {
	return Target{kind: labelTarget, label: label, offset: 0, ignore: -1}
}

// Dense returns the target that has one value for each element, in the convention of torchvision, Paddle 2, optax and
// Keras: t has the shape of the logits and their type; 0 is a negative, 1 a positive, and what lies between a soft target,
// for which
//
//	loss = a · (1-p_t)^gamma · BCE     p_t = p·t + (1-p)·(1-t)
//	                                   a   = (alpha·t + (1-alpha)·(1-t)) / n, or 1/n with NoAlpha
//	                                   BCE = -t·log(p) - (1-t)·log(1-p)
//
// (torchvision.ops.sigmoid_focal_loss.) A value outside [0, 1] or NaN, and a t of the other type, is [ErrTarget]. Where t
// is 0 or 1 the results have the same bits as those of [Labels].
func Dense[T Float](t []T) Target {
	switch t := any(t).(type) {
	case []float32:
		return Target{kind: dense32Target, dense32: t}
	case []float64:
		return Target{kind: dense64Target, dense64: t}
	}
	panic("unreachable: Float is float32 or float64")
}

// denseOf returns the targets of y for logits of type T, or nil if it is labels that y has, or targets of the other type.
func denseOf[T Float](y *Target) []T {
	if t, ok := any(y.dense32).([]T); ok {
		return t
	}
	return any(y.dense64).([]T)
}

// Ignoring returns t with another value for ignored rows, such as 255 or -100. It replaces the former one, as PyTorch's
// ignore_index does: -1 is then an error. The value may be one that means a class or background otherwise; rows with
// that label are ignored nevertheless. A target made by [Dense] ignores no rows, and stays as it is.
//
// [FgNum] does not know of it: if the value is 1 or more, [Partial.Foreground] has the number of foreground rows.
func (t Target) Ignoring(v int32) Target {
	t.ignore = v
	return t
}

// FgNum returns how many labels are ≥ 1, the number of foreground rows in the convention of [Labels]: Paddle's fg_num,
// usually given as [Params].Norm. It does not apply to the convention of [ZeroBased], nor where [Target.Ignoring] makes a value
// of 1 or more mean ignored: [Partial.Foreground] is right for all of them.
func FgNum(label []int32) int {
	n := 0
	for _, v := range label {
		if v >= 1 {
			n++
		}
	}
	return n
}

// checkShape returns an error unless y is a target for the given number of logits of type T. If it has labels, c is the
// number of columns.
func checkShape[T Float](y *Target, op string, logits int) (c int, err error) {
	switch y.kind {
	case noTarget:
		return 0, fmt.Errorf("focal: %s: y is the zero Target, want one made by Labels, ZeroBased or Dense: %w", op, ErrTarget)
	case labelTarget:
		return y.classes(op, logits)
	}
	have, want := kindOf[T](), y.kind
	if have != want {
		return 0, fmt.Errorf("focal: %s: y is Dense of %v, want it of %v, as the logits are: %w", op, want, have, ErrTarget)
	}
	if t := denseOf[T](y); len(t) != logits {
		return 0, fmt.Errorf("focal: %s: len(t) = %d, want len(x) = %d: %w", op, len(t), logits, ErrShape)
	}
	return 0, nil
}

// kindOf returns the kind of a dense target for logits of type T.
func kindOf[T Float]() targetKind {
	if unsafe.Sizeof(T(0)) == 4 {
		return dense32Target
	}
	return dense64Target
}

func (k targetKind) String() string {
	return [...]string{noTarget: "none", labelTarget: "labels", dense32Target: "float32", dense64Target: "float64"}[k]
}

// classes returns the number of columns that the given number of logits has, C.
func (t *Target) classes(op string, logits int) (int, error) {
	rows := len(t.label)
	switch {
	case rows == 0 && logits == 0:
		return 0, nil
	case rows == 0:
		return 0, fmt.Errorf("focal: %s: len(x) = %d, want 0, since len(label) = 0: %w", op, logits, ErrShape)
	case logits == 0 || logits%rows != 0:
		return 0, fmt.Errorf("focal: %s: len(x) = %d, want a positive multiple of len(label) = %d: %w", op, logits, rows, ErrShape)
	}
	return logits / rows, nil
}

// checkValues returns an error unless every label of y is in 0..c or the ignored one, or every value in [0, 1].
func checkValues[T Float](y *Target, op string, c int) error {
	if y.kind != labelTarget {
		t := denseOf[T](y)
		if i := checkDense(t); i >= 0 {
			return fmt.Errorf("focal: %s: t[%d] = %v, want it in [0, 1]: %w", op, i, t[i], ErrTarget)
		}
		return nil
	}
	return y.checkLabels(op, c)
}

// checkDense returns the index of the first value that is not in [0, 1], or -1 if there is none.
func checkDense[T Float](t []T) (firstBad int) {
	for start := 0; start < len(t); start += blockLen { // assembly cannot be preempted, see abi.BlockLen
		part := t[start:min(start+blockLen, len(t))]
		if raceEnabled {
			raceRead(&part[0], len(part))
		}
		if hasLabelKernels() && assemblyTargetsValid(path, unsafe.Sizeof(part[0]) == 8, unsafe.Pointer(&part[0]), len(part)) {
			continue
		}
		for i, v := range part {
			if !(v >= 0 && v <= 1) {
				return start + i
			}
		}
	}
	return -1
}

// hardMask makes the mask of the positives of a block if all its targets are 0 or 1, and reports whether they are. The
// mask's former contents do not matter, and its bits from len(t) on mean nothing.
func hardMask[T Float](pos *bitmask, t []T) (hard bool) {
	if hasLabelKernels() {
		return assemblyHardMask(path, unsafe.Sizeof(t[0]) == 8, pos, unsafe.Pointer(&t[0]), len(t))
	}
	clear(pos[:(len(t)+63)/64])
	for i, v := range t {
		switch v {
		case 1:
			pos[i/64] |= 1 << (i % 64)
		case 0:
		default:
			return false
		}
	}
	return true
}

// checkLabels returns an error unless every label is in 0..c or the ignored one.
func (t *Target) checkLabels(op string, c int) error {
	limit := uint32(min(c, math.MaxInt32))
	if i := checkLabels(t.label, limit, t.ignore); i >= 0 {
		return fmt.Errorf("focal: %s: label[%d] = %d, want 0..C with C = %d, or %d if ignored: %w",
			op, i, t.label[i], c, t.ignore, ErrLabel)
	}
	return nil
}

// checkLabels returns the index of the first label that is neither in 0..limit nor ignore, or -1 if there is none.
// The limit is at most math.MaxInt32, so that negative labels, taken as unsigned, are above it.
func checkLabels(label []int32, limit uint32, ignore int32) (firstBad int) {
	for start := 0; start < len(label); start += blockLen { // assembly cannot be preempted, see abi.BlockLen
		part := label[start:min(start+blockLen, len(label))]
		if raceEnabled {
			raceRead(&part[0], len(part))
		}
		if hasLabelKernels() && assemblyLabelsValid(path, part, limit, ignore) {
			continue
		}
		for i, v := range part {
			if uint32(v) > limit && v != ignore {
				return start + i
			}
		}
	}
	return -1
}

// labelMasks makes the masks of a block of n elements in rows of c columns: pos has a bit for each positive, and keep one
// for each element of a row that is not ignored; keep is made only if any row is, which is reported. The block begins in
// column col of the row of label[0], and there is a label for each of its rows.
//
// The masks' former contents do not matter, and their bits from n on mean nothing.
func labelMasks(pos, keep *bitmask, n int, label []int32, col, c int, offset, ignore int32) (ignored bool) {
	if c <= abi.NarrowRow && hasLabelKernels() {
		rows := (col + n + c - 1) / c
		ignored = assemblyLabelMasks(path, pos, keep, label[:rows], c, offset, ignore)
		if col > 0 {
			shiftDown(pos, col, n)
			if ignored {
				shiftDown(keep, col, n)
			}
		}
		return ignored
	}
	words := (n + 63) / 64
	clear(pos[:words])
	row := -col // where the row begins, relative to the block; negative if in an earlier one
	for _, v := range label {
		if row >= n {
			break
		}
		if v == ignore {
			if !ignored {
				ignored = true
				setAll(keep, n)
			}
			clearRange(keep, max(row, 0), min(row+c, n))
		} else if j := int(v) - int(offset); uint(j) < uint(c) { // else it is background
			if i := row + j; uint(i) < uint(n) { // else the positive is in another block
				pos[i/64] |= 1 << (i % 64)
			}
		}
		row += c
	}
	return ignored
}

// shiftDown moves the bits from shift < 64 on to the beginning, at least n of them.
func shiftDown(m *bitmask, shift, n int) {
	for i := range (n + 63) / 64 {
		m[i] = m[i]>>shift | m[i+1]<<(64-shift)
	}
}

// setAll sets the first n bits, at least.
func setAll(m *bitmask, n int) {
	for i := range (n + 63) / 64 {
		m[i] = ^uint64(0)
	}
}

// clearRange clears the bits from..to-1. There is at least one.
func clearRange(m *bitmask, from, to int) {
	first, last := from/64, (to-1)/64
	head := ^uint64(0) << (from % 64)
	tail := ^uint64(0) >> (63 - (to-1)%64)
	if first == last {
		m[first] &^= head & tail
		return
	}
	m[first] &^= head
	clear(m[first+1 : last])
	m[last] &^= tail
}

// dropWeightlessDense is dropWeightless for the targets of a block: without a weight is 1 if noPos is set, 0 if noNeg is, and
// all else if both are.
func dropWeightlessDense[T Float](keep *bitmask, x, t []T, noPos, noNeg bool) {
	for i, v := range x {
		weightless := (t[i] == 0 || noPos) && (t[i] == 1 || noNeg)
		if weightless && !math.IsNaN(float64(v)) {
			keep[i/64] &^= 1 << (i % 64)
		}
	}
}

// dropWeightless takes the elements out of keep that have no weight: the positives if noPos is set, the negatives if noNeg
// is. Multiplying by a weight of 0 would not do, since it makes NaN of an infinite loss. Where the logit is NaN the
// element stays as it is, so that the NaN shows in the result.
func dropWeightless[T Float](pos, keep *bitmask, x []T, noPos, noNeg bool) {
	for i, v := range x {
		weightless := noNeg
		if pos[i/64]>>(i%64)&1 != 0 {
			weightless = noPos
		}
		if weightless && !math.IsNaN(float64(v)) {
			keep[i/64] &^= 1 << (i % 64)
			pos[i/64] &^= 1 << (i % 64)
		}
	}
}
