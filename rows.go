package focal

import "fmt"

// Rows writes the loss of each row to dst: the sum of what [Loss] would write for its elements. The hardest rows of a data set have
// the largest. The logits x are row-major [N, C], and dst has N elements; with [Target.Planes] it has the shape of the labels,
// [N, size]. Of a target made by [Dense] len(dst) says how many rows there are.
//
// A row's sum is formed in float64, in the order of the columns and with the rounding errors, and rounded to T at the end: the
// bits depend on the row's own logits, target and weights alone. An ignored row has a loss of 0. A row with a NaN is NaN,
// otherwise one with an infinite loss is +Inf.
//
// Rows reads x and y and writes every element of dst. The slice dst may be exactly x if C is 1; any other overlap of
// dst with x or with a slice of y is [ErrOverlap]. The other errors are [ErrParam], [ErrShape], [ErrTarget] and
// [ErrLabel]; on an error dst is untouched.
func Rows[T Float](dst, x []T, y Target, p Params) error {
	var j job[T]
	j.call("Rows", x, &y)
	j.perRow.want("dst", dst)
	if err := j.prepare(p); err != nil || len(dst) == 0 {
		return err
	}
	j.c = len(x) / len(dst)
	j.run(j.rowUnits())
	return nil
}

// checkRows returns an error unless the output of Rows has an element for each row.
func (j *job[T]) checkRows() error {
	rows, logits, size := len(j.perRow.data), len(j.x), j.y.size()
	switch {
	case j.y.kind == labelTarget && rows != j.y.label.len:
		return fmt.Errorf("focal: %s: len(dst) = %d, want len(label) = %d: %w", j.op, rows, j.y.label.len, ErrShape)
	case j.y.kind == denseTarget && j.c > 0 && rows != logits/j.c:
		return fmt.Errorf("focal: %s: len(dst) = %d, want %d, the rows of C = %d logits that len(x) = %d has: %w",
			j.op, rows, logits/j.c, j.c, logits, ErrShape)
	case (rows == 0) != (logits == 0) || rows > 0 && logits%rows != 0:
		return fmt.Errorf("focal: %s: len(dst) = %d, want a number of rows that divides len(x) = %d: %w", j.op, rows, logits, ErrShape)
	case rows%size != 0:
		return fmt.Errorf("focal: %s: len(dst) = %d, want a multiple of Planes' size = %d: %w", j.op, rows, size, ErrShape)
	}
	return nil
}

// The rows of an image, whose logits are C planes of size elements, are summed up side by side, rowTile of them at most. (Without
// planes size is 1, and an image a row.) A unit of work are some whole images, or a tile of one.
const rowTile = 512

// unitImages returns how many images are a unit: as many as a block has, one at least.
func (j *job[T]) unitImages() int { return max(1, blockLen/j.y.size()/j.c) }

// imageTiles returns how many units an image is. If there are several images in a unit it is 1.
func (j *job[T]) imageTiles() int { return (j.y.size()-1)/rowTile + 1 }

// rowUnits returns how many units there are.
func (j *job[T]) rowUnits() int {
	images := len(j.perRow.data) / j.y.size()
	if tiles := j.imageTiles(); tiles > 1 {
		return images * tiles
	}
	return (images-1)/j.unitImages() + 1
}

// sumRows sums up the rows of the units that it takes.
func (j *job[T]) sumRows(s *scratch[T]) {
	units, size, tiles := int64(j.rowUnits()), j.y.size(), j.imageTiles()
	for u := j.taken.take(); u < units; u = j.taken.take() {
		switch {
		case size == 1:
			first := int(u) * j.unitImages()
			j.sumWholeRows(s, first, min(first+j.unitImages(), len(j.perRow.data)))
		case tiles == 1:
			first := int(u) * j.unitImages()
			last := min(first+j.unitImages(), len(j.perRow.data)/size)
			for image := first; image < last; image++ {
				j.sumTile(s, image, 0, size)
			}
		default:
			image, tile := int(u)/tiles, int(u)%tiles
			j.sumTile(s, image, tile*rowTile, min((tile+1)*rowTile, size))
		}
	}
}

// sumWholeRows sums up the rows first..last-1, which have no planes.
func (j *job[T]) sumWholeRows(s *scratch[T], first, last int) {
	row, left := first, j.c // of the row, elements to come
	var sum accumulator
	s.begin(first*j.c, last*j.c)
	for loss := s.next(j); loss != nil; loss = s.next(j) {
		for len(loss) > 0 {
			n := min(left, len(loss))
			sum = plus(sum, loss[:n])
			loss = loss[n:]
			if left -= n; left == 0 {
				j.perRow.data[row] = T(sum.result())
				row, left, sum = row+1, j.c, accumulator{}
			}
		}
	}
}

// sumTile sums up the rows at the positions from..to-1 of an image.
func (j *job[T]) sumTile(s *scratch[T], image, from, to int) {
	var room [rowTile]accumulator
	sums, size := room[:to-from], j.y.size()
	parts, length := j.c, to-from // the tile's elements are in so many parts of this length
	if length == size {
		parts, length = 1, j.c*size
	}
	for part := range parts {
		start := (image*j.c+part)*size + from
		s.begin(start, start+length)
		k := 0
		for loss := s.next(j); loss != nil; loss = s.next(j) {
			for _, v := range loss {
				sums[k].add(float64(v))
				if k++; k == len(sums) {
					k = 0
				}
			}
		}
	}
	for k := range sums {
		j.perRow.data[image*size+from+k] = T(sums[k].result())
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
