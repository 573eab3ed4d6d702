package focal

import (
	"fmt"
	"math"
	"math/bits"
	"unsafe"

	"github.com/gofocal/focal/internal/race"
)

// Target says what each row is ([Labels], [ZeroBased]) or what each element is ([Dense]). Options such as [Target.Ignoring] and
// [WeighRows] say more; they combine in any order. A Target refers to the slices that it is made of and copies none. A mistake in
// it is an error of the call that uses it. The zero Target is [ErrTarget] in every call.
type Target struct {
	kind      targetKind
	planar    bool  // planes has been set
	counted   bool  // and classes
	ignoring  bool  // Dense: elements whose target is ignore are ignored
	ignoreNaN bool  // Dense: and those whose target is NaN
	allKept   bool  // no label is ignore; checkLabels finds out
	offset    int32 // the label of column 0
	ignore    int32 // the label of an ignored row
	planes    int   // logits are [N, C, planes], labels [N, planes]; 0 counts as 1
	classes   int   // C, or 0 if it has not been said
	quality   Quality

	targetInputs
}

// targetInputs are all slices that a target may have. What is not given is the zero numbers.
type targetInputs struct {
	label numbers // one for each row, of an integer type
	dense numbers // one for each element, of the logits' type, as all that follow

	score   numbers // one for each row: the target of its positive
	row     numbers // weights, one for each row
	neg     numbers // one for each class: those of its negatives
	pos     numbers // and of its positives
	element numbers // one for each element
}

// inputs returns them as an array. Their names are apart from them: what goes into an error goes to the heap, and so would the
// target.
func (t *targetInputs) inputs() *[inputCount]numbers {
	return (*[inputCount]numbers)(unsafe.Pointer(t))
}

var _ [1]struct{} = [unsafe.Sizeof(targetInputs{}) / unsafe.Sizeof([inputCount]numbers{})]struct{}{}

// optional reports whether there are slices besides labels or targets.
func (t *Target) optional() bool {
	return t.score.of|t.row.of|t.neg.of|t.pos.of|t.element.of != noNumbers
}

const (
	labelInput = iota
	denseInput
	scoreInput
	rowInput
	negInput
	posInput
	elementInput
	inputCount
)

// inputNames are the names of slices in errors: with the option that they are given by, as an overlap names them, and as the
// argument of its function.
var inputNames = [...]struct{ of, argument string }{
	{"label", "label"}, {"t", "t"}, {"score of Scored", "Scored: score"}, {"w of WeighRows", "WeighRows: w"},
	{"neg of WeighClasses", "WeighClasses: neg"}, {"pos of WeighClasses", "WeighClasses: pos"}, {"w of WeighElements", "WeighElements: w"},
}

type targetKind uint8

const (
	noTarget targetKind = iota // the zero Target
	labelTarget
	denseTarget
)

// Labels returns a target with one label for each row, in the convention of Paddle and Caffe2: 1..C is a class, whose positive is
// in column label-1; 0 is background, a row without a positive; -1 is an ignored row, whose losses and derivatives are 0. Any other
// value is [ErrLabel] when the target is used.
//
// The labels may be of any integer type. The slice is neither copied nor converted as a whole; int32 is the fastest. An unsigned
// label is never -1: see [Target.Ignoring].
func Labels[L Integer](label []L) Target {
	return Target{kind: labelTarget, targetInputs: targetInputs{label: numbersOf(label)}, offset: 1, ignore: -1}
}

// ZeroBased returns a target with one label for each row, in the convention of mmcv and mmdetection: 0..C-1 is a class, whose
// positive is in column label; C is background, a row without a positive; -1 is an ignored row, whose losses and derivatives are
// 0. Any other value is [ErrLabel] when the target is used. The labels may be of any integer type, as those of [Labels].
func ZeroBased[L Integer](label []L) Target {
	return Target{kind: labelTarget, targetInputs: targetInputs{label: numbersOf(label)}, offset: 0, ignore: -1}
}

// Dense returns a target with one value for each element, in the convention of torchvision, Paddle 2, optax and Keras. The slice
// t has the shape and the type of the logits. 0 is a negative, 1 is a positive, and anything between is a soft target, whose loss
// is
//
//	loss = a · (1-p_t)^gamma · BCE     p_t = p·t + (1-p)·(1-t)
//	                                   a   = (alpha·t + (1-alpha)·(1-t)) / n, or 1/n with NoAlpha
//	                                   BCE = -t·log(p) - (1-t)·log(1-p)
//
// (torchvision.ops.sigmoid_focal_loss.) A value outside [0, 1], a NaN, or a t of the other type is [ErrTarget], unless an option
// ignores the value. Where t is 0 or 1 the results have the bits of those of [Labels].
func Dense[T Float](t []T) Target {
	return Target{kind: denseTarget, targetInputs: targetInputs{dense: numbersOf(t)}}
}

// denseOf returns the targets of y for logits of type T, or nil if it is labels that y has, or targets of the other type.
func denseOf[T Float](y *Target) []T { return sliceOf[T](&y.dense) }

// FgNum returns how many labels are ≥ 1: Paddle's fg_num, the number of foreground rows in the convention of [Labels].
// [Target.Foreground] is right for the other conventions too, and where a value of 1 or more means ignored.
func FgNum(label []int32) int {
	n := 0
	for _, v := range label {
		if v >= 1 {
			n++
		}
	}
	return n
}

// Foreground returns the number of rows that have a class, which are neither background nor ignored. With [Dense] it is the number
// of elements that have a target above 0 and are not ignored. The paper and Paddle divide by it; it is the usual [Params].Norm:
//
//	p.Norm = float64(y.Foreground())
//
// The background of [ZeroBased] is C, which its labels do not tell. [Target.Classes] or [WeighClasses] tells it; without them the
// result is -1, which is an error as a Norm.
//
// Foreground reads the labels or targets, and does not check them: where C is not known, every label ≥ 1 of [Labels] counts.
func (t Target) Foreground() int {
	fore, _ := t.count(t.columns())
	return fore
}

// Kept returns the number of rows, or with [Dense] of elements, that are not ignored: the divisor of a mean.
//
// Kept reads the labels or targets, and does not check them.
func (t Target) Kept() int {
	_, ignored := t.count(0)
	return t.label.len + t.dense.len - ignored
}

// columns returns C as far as the target knows it, otherwise 0.
func (t *Target) columns() int {
	switch {
	case t.classes > 0:
		return t.classes
	case t.neg.given():
		return t.neg.len
	}
	return t.pos.len
}

// count returns how many rows, or elements, are foreground, and how many are ignored, which none of the former is. If the
// number of columns c is 0 it is not known; the former is -1 where it depends on that.
func (t *Target) count(c int) (fore, ignored int) {
	switch {
	case t.dense.of == float32s:
		return countDense(t, sliceOf[float32](&t.dense))
	case t.dense.of == float64s:
		return countDense(t, sliceOf[float64](&t.dense))
	}
	highest := int64(math.MaxInt64)
	if c > 0 {
		highest = int64(c) - 1 + int64(t.offset)
	}
	var room [512]int32
	for start := 0; start < t.label.len; start += len(room) {
		n := min(len(room), t.label.len-start)
		fit := t.label.of == int32s || t.label.allUpTo(math.MaxInt32, t.ignore, start, n)
		part := t.label.asInt32(room[:], start, n)
		for i := range part {
			v := int64(part[i])
			if !fit {
				v = t.label.integer(start + i)
			}
			if v == int64(t.ignore) {
				ignored++
			} else if v >= int64(t.offset) && v <= highest {
				fore++
			}
		}
	}
	if c == 0 && t.offset == 0 && fore > 0 {
		fore = -1
	}
	return fore, ignored
}

func countDense[T Float](y *Target, t []T) (fore, ignored int) {
	for _, v := range t {
		if isIgnored(y, v) {
			ignored++
		} else if v > 0 {
			fore++
		}
	}
	return fore, ignored
}

// isIgnored reports whether elements whose target is v are ignored.
func isIgnored[T Float](y *Target, v T) bool {
	return y.ignoring && float64(v) == float64(y.ignore) || y.ignoreNaN && v != v
}

// Fits returns an error unless t is a target for logits of the given numbers of rows and columns: one label for each
// row, or one value for each element, and weights, scores and [Target.Classes] to match. With [Target.Planes] the matrix is
// [N, C·size]. The functions of this package see the logits as a slice, whose rows they count by the labels; Fits is for those who
// have a matrix. The errors are [ErrShape] and [ErrTarget].
func (t Target) Fits(rows, cols int) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("focal: %d×%d logits: %s: %w", rows, cols, fmt.Sprintf(format, args...), ErrShape)
	}
	switch {
	case t.kind == noTarget:
		return fmt.Errorf("focal: the zero Target, want one made by Labels, ZeroBased or Dense: %w", ErrTarget)
	case t.planar && t.planes < 1:
		return fmt.Errorf("focal: Planes(%d), want 1 or more: %w", t.planes, ErrTarget)
	case t.counted && t.classes < 1:
		return fmt.Errorf("focal: Classes(%d), want 1 or more: %w", t.classes, ErrTarget)
	case rows < 0 || cols < 0:
		return fail("a negative number")
	case cols%t.size() != 0:
		return fail("want a number of columns that the size of Planes = %d divides", t.planes)
	case t.kind == labelTarget && rows > 0 && cols == 0:
		return fail("no columns")
	}
	c := cols / t.size()
	if rows > 0 && c > 0 && t.counted && t.classes != c {
		return fail("which is C = %d, want %d as Classes says", c, t.classes)
	}
	for i := range t.inputs() {
		v := &t.inputs()[i]
		each, other := rows, t.size() // how many numbers there are is their product
		switch i {
		case denseInput, elementInput:
			other = cols
		case negInput, posInput:
			if each, other = 1, c; rows == 0 || c == 0 { // no logits have any number of classes
				other = v.len
			}
		}
		switch over, want := bits.Mul64(uint64(each), uint64(other)); {
		case !v.given():
		case over > 0:
			return fail("len(%s) = %d, want %d·%d", inputNames[i].of, v.len, each, other)
		case uint64(v.len) != want:
			return fail("len(%s) = %d, want %d", inputNames[i].of, v.len, want)
		}
	}
	return nil
}

// size returns how many positions each of the C planes has; without Planes it is 1.
func (t *Target) size() int { return max(1, t.planes) }

// setColumns sets C. It returns an error unless all that the target has goes with the number of logits. C is 0 if there are no logits, or
// if it is not known, as of Dense without weights.
func (j *job[T]) setColumns() (err error) {
	switch y := &j.y; {
	case y.kind == noTarget:
		return fmt.Errorf("focal: %s: y is the zero Target, want one made by Labels, ZeroBased or Dense: %w", j.op, ErrTarget)
	case y.planar && y.planes < 1:
		return fmt.Errorf("focal: %s: Planes(%d), want 1 or more: %w", j.op, y.planes, ErrTarget)
	case y.counted && y.classes < 1:
		return fmt.Errorf("focal: %s: Classes(%d), want 1 or more: %w", j.op, y.classes, ErrTarget)
	case y.kind == denseTarget:
		j.c, err = denseColumns[T](y, j.op, len(j.x))
	default:
		j.c, err = labelColumns(y, j.op, len(j.x))
	}
	if err == nil && (j.options || j.y.counted) {
		err = checkOptions[T](&j.y, j.op, len(j.x), j.c)
	}
	return err
}

// labelColumns returns C of a target that has labels.
func labelColumns(y *Target, op string, logits int) (int, error) {
	rows := y.label.len
	switch {
	case y.planes > 1 && rows%y.planes != 0:
		return 0, fmt.Errorf("focal: %s: len(label) = %d, want a multiple of Planes' size = %d: %w", op, rows, y.planes, ErrShape)
	case rows == 0 && logits == 0:
		return 0, nil
	case rows == 0:
		return 0, fmt.Errorf("focal: %s: len(x) = %d, want 0, since len(label) = 0: %w", op, logits, ErrShape)
	}
	c := logits / rows
	if c == 0 || c*rows != logits {
		return 0, fmt.Errorf("focal: %s: len(x) = %d, want a positive multiple of len(label) = %d: %w", op, logits, rows, ErrShape)
	}
	return c, nil
}

// denseColumns returns C of a target made by Dense, or 0 if nothing tells.
func denseColumns[T Float](y *Target, op string, logits int) (c int, err error) {
	if have := y.dense.of; have != typeOf[T]() {
		return 0, fmt.Errorf("focal: %s: y is Dense of %v, want it of %v, as the logits are: %w", op, have, typeOf[T](), ErrTarget)
	}
	if y.dense.len != logits {
		return 0, fmt.Errorf("focal: %s: len(t) = %d, want len(x) = %d: %w", op, y.dense.len, logits, ErrShape)
	}
	if logits%y.size() != 0 {
		return 0, fmt.Errorf("focal: %s: len(x) = %d, want a multiple of Planes' size = %d: %w", op, logits, y.planes, ErrShape)
	}
	switch c, rows := y.columns(), y.row.len; {
	case logits == 0:
		return 0, nil
	case c > 0 && logits/y.size()%c != 0:
		return 0, fmt.Errorf("focal: %s: len(x) = %d, want a multiple of C = %d: %w", op, logits, c, ErrShape)
	case c > 0:
		return c, nil
	case rows > 0 && rows%y.size() == 0 && logits%rows == 0:
		return logits / rows, nil
	case y.row.given():
		return 0, fmt.Errorf("focal: %s: WeighRows: len(w) = %d, want a number of rows that divides len(x) = %d: %w", op, rows, logits, ErrShape)
	}
	return 0, nil
}

// checkTargets returns an error unless every target is in [0, 1] or ignored.
func (j *job[T]) checkTargets() error {
	t := denseOf[T](&j.y)
	if i := firstBadTarget(t, &j.y); i >= 0 {
		return fmt.Errorf("focal: %s: t[%d] = %v, want it in [0, 1]: %w", j.op, i, t[i], ErrTarget)
	}
	return nil
}

// firstOutside returns the index of the first number that is not in low..high, where low ≥ 0, or -1 if there is none.
func firstOutside[T Float](v []T, low, high T) int {
	for start := 0; start < len(v); start += blockLen { // assembly cannot be preempted, see abi.BlockLen
		part := v[start:min(start+blockLen, len(v))]
		if race.Enabled {
			race.Read(&part[0], len(part))
		}
		if allWithin(part, 0, low, high) {
			continue
		}
		for i, v := range part {
			if !(v >= low && v <= high) {
				return start + i
			}
		}
	}
	return -1
}

// firstBadTarget returns the index of the first target that is neither in [0, 1] nor ignored, or -1 if there is none.
func firstBadTarget[T Float](t []T, y *Target) int {
	if !y.ignoring && !y.ignoreNaN {
		return firstOutside(t, 0, 1)
	}
	for start := 0; start < len(t); start += pieceLen {
		part := t[start:min(start+pieceLen, len(t))]
		var pos, soft, ignored bitmask
		if !targetBits(&pos, &soft, part) {
			continue
		}
		ignoredBits(&ignored, y, part, &pos, &soft)
		for i := range words(len(part)) {
			for w := soft.word(i, len(part)) &^ ignored[i]; w != 0; w &= w - 1 {
				at := 64*i + bits.TrailingZeros64(w)
				if v := part[at]; !(v >= 0 && v <= 1) {
					return start + at
				}
			}
		}
	}
	return -1
}

// allWithin reports whether all elements, plus a number, are in lo..hi, where lo ≥ 0. NaN is not. As lo is not negative, the order
// of the numbers is that of their bits; negative ones and NaN are above. With 0 added, -0 is 0.
func allWithin[T Float](v []T, plus, lo, hi T) bool {
	switch {
	case lo > hi: // the difference of their bits would be more than any
		return false
	case hasLabelKernels() && isFloat32[T]():
		return withinF32(path, asFloat32(&v[0]), len(v), float32(plus), float32(lo), float32(hi))
	case hasLabelKernels():
		return withinF64(path, asFloat64(&v[0]), len(v), float64(plus), float64(lo), float64(hi))
	case isFloat32[T]():
		least, most := uint32(toBits(lo)), uint32(0)
		for _, x := range v {
			most = max(most, math.Float32bits(float32(x+plus))-least)
		}
		return most <= uint32(toBits(hi))-least
	}
	least, most := toBits(lo), uint64(0)
	for _, x := range v {
		most = max(most, math.Float64bits(float64(x+plus))-least)
	}
	return most <= toBits(hi)-least
}

// checkLabels returns an error unless every label is in 0..c or the ignored one.
func (t *Target) checkLabels(op string, c int) error {
	limit := uint32(min(c, math.MaxInt32))
	i := t.firstBadLabel(0, limit, 0) // as if none were ignored: 0 is in the range
	if t.allKept = i < 0 && uint32(t.ignore) > limit; i >= 0 {
		i = t.firstBadLabel(i, limit, t.ignore)
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

// firstBadLabel returns the index of the first label, from the given one on, that is neither in 0..limit nor ignore, or -1 if there is
// none. The limit is at most math.MaxInt32, so negative labels, taken as unsigned, are above it.
func (t *Target) firstBadLabel(from int, limit uint32, ignore int32) int {
	for start := from; start < t.label.len; start += blockLen { // assembly cannot be preempted, see abi.BlockLen
		n := min(blockLen, t.label.len-start)
		if t.label.of == int32s { // the usual type, without a detour
			if labelsValid((*int32)(unsafe.Add(t.label.first, 4*start)), n, limit, ignore) {
				continue
			}
		} else if t.label.allUpTo(limit, ignore, start, n) {
			continue
		}
		for i := start; i < start+n; i++ {
			if v := t.label.integer(i); uint64(v) > uint64(limit) && v != int64(ignore) {
				return i
			}
		}
	}
	return -1
}
