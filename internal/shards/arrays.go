package shards

import (
	"fmt"
	"slices"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

// MaxColumns is how many columns logits may have. Of a file whole rows are read at a time: without a bound, a header that
// nothing follows would ask for any amount of memory.
const MaxColumns = 16 << 20

// CheckShapes returns how many rows and columns the logits have, and an error if they are no matrix of at most MaxColumns,
// or if y does not fit them. If y has integers, it is the labels, one for each row; otherwise the targets, one for each
// logit.
func CheckShapes(x, y *npyfile.Reader) (rows, cols int, err error) {
	if len(x.Shape) != 2 {
		return 0, 0, fmt.Errorf("%s: has the shape %s, want [N, C]", x.Name, npyfile.ShapeString(x.Shape))
	}
	rows, cols = x.Shape[0], x.Shape[1]
	labels, shape := areLabels(y), y.Shape
	switch {
	case cols == 0 && rows > 0:
		return 0, 0, fmt.Errorf("%s: has no columns", x.Name)
	case cols > MaxColumns:
		return 0, 0, fmt.Errorf("%s: has %d columns, want at most %d", x.Name, cols, MaxColumns)
	case !labels && !slices.Equal(shape, x.Shape):
		return 0, 0, fmt.Errorf("%s: has the shape %s, want %s, that of %s", y.Name, npyfile.ShapeString(shape), npyfile.ShapeString(x.Shape), x.Name)
	case labels && len(shape) != 1 && !(len(shape) == 2 && shape[1] == 1):
		return 0, 0, fmt.Errorf("%s: has the shape %s, want [N] or [N, 1]", y.Name, npyfile.ShapeString(shape))
	case labels && shape[0] != rows:
		return 0, 0, fmt.Errorf("%s: has %d labels, want %d, one for each row of %s", y.Name, shape[0], rows, x.Name)
	}
	return rows, cols, nil
}

// areLabels reports whether y is labels, and not targets.
func areLabels(y *npyfile.Reader) bool { return y.Dtype[0] == 'i' }

// Convention is what labels mean.
type Convention struct {
	ZeroBased bool  `json:"zero_based"` // as in focal.ZeroBased, not as in focal.Labels
	Ignore    int32 `json:"ignore"`     // label of rows that are ignored
}

func (c Convention) String() string {
	if c.ZeroBased {
		return fmt.Sprintf("0..C-1 the class, C background, %d ignored", c.Ignore)
	}
	return fmt.Sprintf("1..C the class, 0 background, %d ignored", c.Ignore)
}

// Target returns the target that the labels are.
func (c Convention) Target(label []int32) focal.Target {
	if c.ZeroBased {
		return focal.ZeroBased(label).Ignoring(c.Ignore)
	}
	return focal.Labels(label).Ignoring(c.Ignore)
}

// Read reads the labels of the rows from row on, and counts those that are foreground and those that are ignored. A label
// that means nothing is an error, focal.ErrLabel, that names its row in the file.
func (c Convention) Read(r *npyfile.Reader, label []int32, row, cols int) (foreground, ignored int, err error) {
	if r.Dtype == "i4" {
		return readLabels[int32](c, r, label, row, cols)
	}
	return readLabels[int64](c, r, label, row, cols)
}

func readLabels[E int32 | int64](c Convention, r *npyfile.Reader, label []int32, row, cols int) (foreground, ignored int, err error) {
	part := make([]E, min(len(label), 4<<10))
	for from := 0; from < len(label); from += len(part) {
		part = part[:min(len(part), len(label)-from)]
		if err := npyfile.Read(r, part); err != nil {
			return 0, 0, err
		}
		for i, v := range part {
			v := int64(v)
			switch {
			case v == int64(c.Ignore):
				ignored++
			case v < 0 || v > int64(cols):
				return 0, 0, fmt.Errorf("%s: label[%d] = %d, want 0..C with C = %d, or %d if ignored: %w",
					r.Name, row+from+i, v, cols, c.Ignore, focal.ErrLabel)
			case c.ZeroBased && v < int64(cols), !c.ZeroBased && v > 0:
				foreground++
			}
			label[from+i] = int32(v)
		}
	}
	return foreground, ignored, nil
}

// CheckTargets returns an error, focal.ErrTarget, unless all targets are in [0, 1]. They are those of the rows from row on.
func CheckTargets[T focal.Float](r *npyfile.Reader, t []T, row, cols int) error {
	for i, v := range t {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("%s: target [%d, %d] is %v, want it in [0, 1]: %w", r.Name, row+i/cols, i%cols, v, focal.ErrTarget)
		}
	}
	return nil
}
