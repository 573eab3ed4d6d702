package focal

import (
	"fmt"
	"math/bits"
)

// Rows writes the loss of each row to dst: the sum of what [Loss] would write for the elements of the row, which is what
// to look at for the hardest rows of a data set. The logits x are row-major [N, C], and dst has N elements. The targets y
// have N rows; those made by [Dense] have none of their own, so that it is len(dst) that says how many there are.
//
// A row's sum is formed in float64, in the order of the columns with the rounding errors beside it, and is rounded to T
// at the end: the bits depend on nothing but the row's own logits and target. An ignored row has a loss of 0. The
// infinities and NaNs of elements show: NaN if there is one, otherwise +Inf.
//
// Rows reads x and y and writes every element of dst. The slice dst may be exactly x, where C is 1; any other overlap of
// dst with x or with the targets is [ErrOverlap]. The other errors are [ErrParam], [ErrShape], [ErrTarget] and
// [ErrLabel]; on an error dst is untouched.
func Rows[T Float](dst, x []T, y Target, p Params) error {
	j := job[T]{op: "Rows", x: x, y: y}
	out := output[T]{"dst", dst}
	c, err := j.checkRows(&out, p)
	if err != nil || len(dst) == 0 {
		return err
	}
	j.plan = newPlan[T](p)
	// A unit of work is as many rows as a block has, one at least.
	unit := max(1, blockLen/c)
	units := (len(dst)-1)/unit + 1
	if workers := p.goroutines(units); workers > 1 {
		rowsParallel(j, dst, c, unit, workers)
	} else {
		j.rowsUnits(dst, c, unit, tickets{})
	}
	return nil
}

// checkRows returns the number of columns, or the first error in the arguments.
func (j *job[T]) checkRows(dst *output[T], p Params) (c int, err error) {
	if err = p.check(j.op); err != nil {
		return 0, err
	}
	if err = checkWeights[T](j.op, p); err != nil {
		return 0, err
	}
	if err = j.checkShapes(); err != nil {
		return 0, err
	}
	rows, logits := len(dst.data), len(j.x)
	switch {
	case j.y.kind == labelTarget && rows != len(j.y.label):
		return 0, fmt.Errorf("focal: %s: len(dst) = %d, want len(label) = %d: %w", j.op, rows, len(j.y.label), ErrShape)
	case (rows == 0) != (logits == 0) || rows > 0 && logits%rows != 0:
		return 0, fmt.Errorf("focal: %s: len(dst) = %d, want a number of rows that len(x) = %d is a multiple of: %w", j.op, rows, logits, ErrShape)
	}
	if err = dst.checkOverlap(j.op, "x", j.x, true); err != nil {
		return 0, err
	}
	if err = checkDisjoint(j.op, dst, "label", j.y.label); err != nil {
		return 0, err
	}
	if err = checkDisjoint(j.op, dst, "t", denseOf[T](&j.y)); err != nil {
		return 0, err
	}
	return logits / max(rows, 1), checkValues[T](&j.y, j.op, j.c)
}

// rowsUnits does the units of rows that it takes, from those that nobody has taken yet, until there are none.
func (j *job[T]) rowsUnits(dst []T, c, unit int, taken tickets) {
	var p pieces[T]
	units := (len(dst)-1)/unit + 1
	for u := taken.take(); u < int64(units); u = taken.take() {
		row := int(u) * unit
		last := min(row+unit, len(dst))
		left := c // of the row, elements to come
		var sum accumulator
		for start, end := row*c, last*c; start < end; start += pieceLen {
			for loss := p.losses(j, start, min(pieceLen, end-start)); len(loss) > 0; {
				n := min(left, len(loss))
				sum = plus(sum, loss[:n])
				loss = loss[n:]
				if left -= n; left == 0 {
					dst[row] = T(sum.result())
					row, left, sum = row+1, c, accumulator{}
				}
			}
		}
	}
}

// plus returns a with the numbers added in turn.
func plus[T Float](a accumulator, v []T) accumulator {
	hi, lo := a.hi, a.lo // in registers
	for _, v := range v {
		sum, err := twoSum(hi, float64(v))
		hi = sum
		lo += err
	}
	return accumulator{hi, lo}
}

// rowsParallel does what rowsUnits does, with the given number of goroutines. The job is passed by value because it goes to the
// heap here.
func rowsParallel[T Float](j job[T], dst []T, c, unit, workers int) {
	share(workers, func(_ int, taken tickets) { j.rowsUnits(dst, c, unit, taken) })
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
	have, want, name := len(t.label), uint64(rows), "label"
	overflow := uint64(0)
	if t.kind != labelTarget {
		have, name = len(t.dense32)+len(t.dense64), "t"
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
