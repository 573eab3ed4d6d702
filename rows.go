package focal

import "fmt"

// Rows writes the loss of each row to dst: the sum of what [Loss] would write for the elements of the row. It finds the hardest
// rows of a data set. The logits x are row-major [N, C], and dst has N elements. Targets made by [Dense] have no rows of their
// own: len(dst) is their number.
//
// A row's sum is formed in float64, in the order of the columns and with the rounding errors, and rounded to T at the end: the
// bits depend on the row's own logits and target alone. An ignored row has a loss of 0. A row with a NaN is NaN, otherwise one
// with an infinite loss is +Inf.
//
// Rows reads x and y and writes every element of dst. The slice dst may be exactly x if C is 1; any other overlap of
// dst with x or with the targets is [ErrOverlap]. The other errors are [ErrParam], [ErrShape], [ErrTarget] and
// [ErrLabel]; on an error dst is untouched.
func Rows[T Float](dst, x []T, y Target, p Params) error {
	j := job[T]{op: "Rows", x: x, y: y, perRow: output[T]{"dst", dst}}
	if err := j.prepare(p); err != nil || len(dst) == 0 {
		return err
	}
	j.c = len(x) / len(dst)
	j.run((len(dst)-1)/j.unitRows() + 1)
	return nil
}

// checkRows returns an error unless the output of Rows, if it is wanted, has an element for each row.
func (j *job[T]) checkRows() error {
	rows, logits := len(j.perRow.data), len(j.x)
	switch {
	case !j.perRow.wanted():
		return nil
	case j.y.kind == labelTarget && rows != j.y.label.len:
		return fmt.Errorf("focal: %s: len(dst) = %d, want len(label) = %d: %w", j.op, rows, j.y.label.len, ErrShape)
	case (rows == 0) != (logits == 0) || rows > 0 && logits%rows != 0:
		return fmt.Errorf("focal: %s: len(dst) = %d, want a number of rows that len(x) = %d is a multiple of: %w", j.op, rows, logits, ErrShape)
	}
	return nil
}

// unitRows returns how many rows are a unit of work: as many as a block has, one at least.
func (j *job[T]) unitRows() int { return max(1, blockLen/j.c) }

// sumRows sums up the rows of the units that it takes.
func (j *job[T]) sumRows(s *scratch[T]) {
	dst, unit := j.perRow.data, j.unitRows()
	units := int64((len(dst)-1)/unit + 1)
	for u := j.taken.take(); u < units; u = j.taken.take() {
		row := int(u) * unit
		last := min(row+unit, len(dst))
		left := j.c // of the row, elements to come
		var sum accumulator
		s.begin(row*j.c, last*j.c)
		for loss := s.next(j); loss != nil; loss = s.next(j) {
			for len(loss) > 0 {
				n := min(left, len(loss))
				sum = plus(sum, loss[:n])
				loss = loss[n:]
				if left -= n; left == 0 {
					dst[row] = T(sum.result())
					row, left, sum = row+1, j.c, accumulator{}
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
