package focal

import (
	"fmt"
	"math"
)

// Target says which elements are positives, which are negatives, and which rows are ignored. It is made by [Labels] or
// by [ZeroBased] and refers to their argument: the labels are not copied. The zero Target is [ErrTarget] in every call.
type Target struct {
	kind   targetKind
	label  []int32 // one for each row
	offset int32   // the label of column 0
	ignore int32   // the label of an ignored row
}

type targetKind uint8

const (
	noTarget targetKind = iota // the zero Target
	labelTarget
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

// Ignoring returns t with another value for ignored rows, such as 255 or -100. It replaces the former one, as PyTorch's
// ignore_index does: -1 is then an error. The value may be one that means a class or background otherwise; rows with
// that label are ignored nevertheless.
func (t Target) Ignoring(v int32) Target {
	t.ignore = v
	return t
}

// FgNum returns how many labels are ≥ 1, the number of foreground rows in the convention of [Labels]: Paddle's fg_num,
// usually given as [Params].Norm. It does not apply to the convention of [ZeroBased].
func FgNum(label []int32) int {
	n := 0
	for _, v := range label {
		if v >= 1 {
			n++
		}
	}
	return n
}

// classes returns the number of columns that the given number of logits has, C.
func (t Target) classes(op string, logits int) (int, error) {
	if t.kind == noTarget {
		return 0, fmt.Errorf("focal: %s: y is the zero Target, want one made by Labels or ZeroBased: %w", op, ErrTarget)
	}
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

// check returns an error unless every label is in 0..c or the ignored one.
func (t Target) check(op string, c int) error {
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
	for i, v := range label {
		if uint32(v) > limit && v != ignore {
			return i
		}
	}
	return -1
}

// labelMasks sets pos and ign for a block of n elements in rows of c columns: a bit of pos for each positive, and a bit
// of ign for each element of an ignored row. The block begins in column col of the row of label[0], and there is a
// label for each of its rows. It reports whether any element is ignored.
//
// The masks' former contents do not matter. Their words are written up to the one after the last element's.
func labelMasks(pos, ign *bitmask, n int, label []int32, col, c int, offset, ignore int32) (anyIgnored bool) {
	words := (n+63)/64 + 1
	clear(pos[:words])
	clear(ign[:words])
	row := -col // where the row begins, relative to the block; negative if in an earlier one
	for _, v := range label {
		if row >= n {
			break
		}
		if v == ignore {
			setRange(ign, max(row, 0), min(row+c, n))
			anyIgnored = true
		} else if j := int(v) - int(offset); uint(j) < uint(c) { // else it is background
			if i := row + j; uint(i) < uint(n) { // else the positive is in another block
				pos[i/64] |= 1 << (i % 64)
			}
		}
		row += c
	}
	return anyIgnored
}

// setRange sets the bits from..to-1. There is at least one.
func setRange(m *bitmask, from, to int) {
	first, last := from/64, (to-1)/64
	head := ^uint64(0) << (from % 64)
	tail := ^uint64(0) >> (63 - (to-1)%64)
	if first == last {
		m[first] |= head & tail
		return
	}
	m[first] |= head
	for i := first + 1; i < last; i++ {
		m[i] = ^uint64(0)
	}
	m[last] |= tail
}

// ignoreWeightless adds to ign the elements that have no weight: the positives if noPos is set, the negatives if noNeg
// is. Multiplying by a weight of 0 would not do, since it makes NaN of an infinite loss. Where the logit is NaN the
// element stays as it is, so that the NaN shows in the result.
func ignoreWeightless[T Float](pos, ign *bitmask, x []T, noPos, noNeg bool) {
	for i, v := range x {
		weightless := noNeg
		if pos[i/64]>>(i%64)&1 != 0 {
			weightless = noPos
		}
		if weightless && !math.IsNaN(float64(v)) {
			ign[i/64] |= 1 << (i % 64)
			pos[i/64] &^= 1 << (i % 64)
		}
	}
}
