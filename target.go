package focal

import (
	"fmt"
	"math"
	"math/bits"
)

// Target says what each row is, made by [Labels] or [ZeroBased], or what each element is, made by [Dense]. It refers to
// their argument, which is not copied. The zero Target is [ErrTarget] in every call.
type Target struct {
	kind      targetKind
	quality   Quality
	ignoring  bool  // Dense: elements whose target is ignore are ignored
	ignoreNaN bool  // Dense: and those whose target is NaN
	offset    int32 // the label of column 0
	ignore    int32 // the label of an ignored row
	planes    int   // logits are [N, C, planes], labels [N, planes]; 0 counts as 1

	label numbers // one for each row, of an integer type
	dense numbers // one for each element, of the logits' type

	// What is not given is the zero numbers. All are of the logits' type.
	score   numbers // one for each row: the target of its positive
	row     numbers // weights, one for each row
	neg     numbers // one for each class: those of its negatives
	pos     numbers // and of its positives
	element numbers // one for each element
}

type targetKind uint8

const (
	noTarget targetKind = iota // the zero Target
	labelTarget
	denseTarget
)

// Quality says what loss a [Target] with scores has.
type Quality uint8

const (
	Varifocal Quality = iota
	Aligned
	QualityFocal
)

// Labels returns the target that has one label for each row, in the convention of Paddle and Caffe2: 1..C is the
// class (the positive is in column label-1), 0 is background (no positive), -1 an ignored row, whose losses and
// derivatives are 0. Any other value is [ErrLabel] when the target is used.
//
// The labels may be of any integer type. They are neither copied nor converted as a whole; int32 is the fastest. Of
// unsigned integers none is -1: see [Target.Ignoring].
func Labels[L Integer](label []L) Target {
	return Target{kind: labelTarget, label: numbersOf(label), offset: 1, ignore: -1}
}

// ZeroBased returns the target that has one label for each row, in the convention of mmcv and mmdetection: 0..C-1 is
// the class (the positive is in column label), C is background (no positive), -1 an ignored row, whose losses and
// derivatives are 0. Any other value is [ErrLabel] when the target is used. The labels may be of any integer type, as
// those of [Labels].
func ZeroBased[L Integer](label []L) Target {
	return Target{kind: labelTarget, label: numbersOf(label), offset: 0, ignore: -1}
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
	return Target{kind: denseTarget, dense: numbersOf(t)}
}

// denseOf returns the targets of y for logits of type T, or nil if it is labels that y has, or targets of the other type.
func denseOf[T Float](y *Target) []T { return sliceOf[T](&y.dense) }

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

// countLabels returns how many labels are those of c columns, and how many are the ignored one, which none of the former is.
func (t *Target) countLabels(c int) (classes, ignored int) {
	var room [512]int32
	for start := 0; start < t.label.len; start += len(room) {
		n := min(len(room), t.label.len-start)
		part, fit := t.label.asInt32(room[:], start, n)
		for i := range part {
			v := int64(part[i])
			if !fit {
				v = t.label.integer(start + i)
			}
			if v == int64(t.ignore) {
				ignored++
			} else if uint64(v-int64(t.offset)) < uint64(c) {
				classes++
			}
		}
	}
	return classes, ignored
}

// Fits returns an error unless t is a target for logits of the given numbers of rows and columns: one label for each
// row, or one value for each element. The functions of this package see the logits as a slice, whose rows they count by
// the labels; Fits is for those who have a matrix. The errors are [ErrShape] and [ErrTarget].
func (t Target) Fits(rows, cols int) error {
	const op = "Fits"
	if t.kind == noTarget {
		return fmt.Errorf("focal: %s: the zero Target, want one made by Labels, ZeroBased or Dense: %w", op, ErrTarget)
	}
	if rows < 0 || cols < 0 {
		return fmt.Errorf("focal: %s: %d×%d logits: a negative number: %w", op, rows, cols, ErrShape)
	}
	have, want, name := t.label.len, uint64(rows), "label"
	overflow := uint64(0)
	if t.kind != labelTarget {
		have, name = t.dense.len, "t"
		overflow, want = bits.Mul64(uint64(rows), uint64(cols))
	}
	switch {
	case t.kind == labelTarget && rows > 0 && cols == 0:
		return fmt.Errorf("focal: %s: %d×%d logits: no columns: %w", op, rows, cols, ErrShape)
	case overflow > 0:
		return fmt.Errorf("focal: %s: len(%s) = %d, want rows·columns for %d×%d logits: %w", op, name, have, rows, cols, ErrShape)
	case uint64(have) != want:
		return fmt.Errorf("focal: %s: len(%s) = %d, want %d for %d×%d logits: %w", op, name, have, want, rows, cols, ErrShape)
	}
	return nil
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
	if have := y.dense.of; have != typeOf[T]() {
		return 0, fmt.Errorf("focal: %s: y is Dense of %v, want it of %v, as the logits are: %w", op, have, typeOf[T](), ErrTarget)
	}
	if t := denseOf[T](y); len(t) != logits {
		return 0, fmt.Errorf("focal: %s: len(t) = %d, want len(x) = %d: %w", op, len(t), logits, ErrShape)
	}
	return 0, nil
}

// allWithin reports whether all elements are known to be in lo..hi, which NaN is not. Where there is no fast way it is not known.
func allWithin[T Float](v []T, lo, hi T) bool {
	if len(v) == 0 {
		return true
	}
	if !hasLabelKernels() {
		return false
	}
	if isFloat32[T]() {
		return withinF32(path, asFloat32(&v[0]), len(v), float32(lo), float32(hi))
	}
	return withinF64(path, asFloat64(&v[0]), len(v), float64(lo), float64(hi))
}

// classes returns the number of columns that the given number of logits has, C.
func (t *Target) classes(op string, logits int) (int, error) {
	rows := t.label.len
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
		if i := firstBadTarget(t); i >= 0 {
			return fmt.Errorf("focal: %s: t[%d] = %v, want it in [0, 1]: %w", op, i, t[i], ErrTarget)
		}
		return nil
	}
	return y.checkLabels(op, c)
}

// firstBadTarget returns the index of the first value that is not in [0, 1], or -1 if there is none.
func firstBadTarget[T Float](t []T) int {
	for start := 0; start < len(t); start += blockLen { // assembly cannot be preempted, see abi.BlockLen
		part := t[start:min(start+blockLen, len(t))]
		if raceEnabled {
			raceRead(&part[0], len(part))
		}
		if allWithin(part, 0, 1) {
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

// checkLabels returns an error unless every label is in 0..c or the ignored one.
func (t *Target) checkLabels(op string, c int) error {
	limit := uint32(min(c, math.MaxInt32))
	i := -1
	if t.label.of == int32s {
		i = firstBadLabel(sliceOf[int32](&t.label), limit, t.ignore)
	} else {
		i = firstBadInteger(&t.label, limit, t.ignore)
	}
	switch {
	case i < 0:
		return nil
	case t.offset == 0:
		return fmt.Errorf("focal: %s: ZeroBased label[%d] = %s, want 0..C, where C = %d is background, or %d if ignored: %w",
			op, i, t.label.text(i), c, t.ignore, ErrLabel)
	}
	return fmt.Errorf("focal: %s: label[%d] = %s, want 0..C with C = %d, or %d if ignored: %w",
		op, i, t.label.text(i), c, t.ignore, ErrLabel)
}

// firstBadLabel returns the index of the first label that is neither in 0..limit nor ignore, or -1 if there is none.
// The limit is at most math.MaxInt32, so that negative labels, taken as unsigned, are above it.
func firstBadLabel(label []int32, limit uint32, ignore int32) int {
	for start := 0; start < len(label); start += blockLen { // assembly cannot be preempted, see abi.BlockLen
		part := label[start:min(start+blockLen, len(label))]
		if raceEnabled {
			raceRead(&part[0], len(part))
		}
		if hasLabelKernels() && labelsValid(path, &part[0], len(part), limit, ignore) {
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

// firstBadInteger does what firstBadLabel does for integers of any type.
func firstBadInteger(label *numbers, limit uint32, ignore int32) int {
	var room [512]int32
	for start := 0; start < label.len; start += len(room) {
		n := min(len(room), label.len-start)
		part, fit := label.asInt32(room[:], start, n)
		if fit && firstBadLabel(part, limit, ignore) < 0 {
			continue
		}
		for i := start; i < start+n; i++ {
			if v := label.integer(i); uint64(v) > uint64(limit) && v != int64(ignore) {
				return i
			}
		}
	}
	return -1
}
