package shards

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gofocal/focal"
	"github.com/gofocal/focal/internal/shards/npyfile"
)

const (
	// MaxColumns is how many columns logits may have. Of a file whole rows are read at a time: without a bound, a header
	// that nothing follows would ask for any amount of memory.
	MaxColumns = 16 << 20

	// blockElements is how many logits are read at a time, if rows are not longer.
	blockElements = 1 << 20
)

// Data is logits, and what their rows or elements are, in two files that fit each other.
type Data struct {
	X, Y       *npyfile.Reader
	Dense      bool // Y has targets, not labels
	Labels     Convention
	Rows, Cols int // of the logits; [N] is N rows of one class
}

// NewData returns an error if the logits are no matrix of at most [MaxColumns], or if y does not fit them.
func NewData(x, y *npyfile.Reader, dense bool, labels Convention) (*Data, error) {
	d := &Data{X: x, Y: y, Dense: dense, Labels: labels, Cols: 1}
	xs, ys := npyfile.ShapeString(x.Shape), npyfile.ShapeString(y.Shape)
	switch len(x.Shape) {
	case 0:
		return nil, fmt.Errorf("%s: has the shape %s, want (N, C), or (N,) for one class", x.Name, xs)
	case 1:
		d.Rows = x.Shape[0]
	case 2:
		d.Rows, d.Cols = x.Shape[0], x.Shape[1]
	default:
		return nil, fmt.Errorf("%s: has the shape %s, want (N, C); if the classes are its last axis, x.reshape(-1, %d) makes it so, "+
			"and if they are its second, numpy.moveaxis(x, 1, -1).reshape(-1, %d)", x.Name, xs, x.Shape[len(x.Shape)-1], x.Shape[1])
	}
	switch {
	case d.Cols == 0 && d.Rows > 0:
		return nil, fmt.Errorf("%s: has no columns", x.Name)
	case d.Cols > MaxColumns:
		return nil, fmt.Errorf("%s: has %d columns, want at most %d", x.Name, d.Cols, MaxColumns)
	}
	rows := y.Shape // without the axes of length 1 at the end
	for len(rows) > 1 && rows[len(rows)-1] == 1 {
		rows = rows[:len(rows)-1]
	}
	oneEach := len(rows) == 1 && rows[0] == d.Rows
	sameShape := slices.Equal(y.Shape, []int{d.Rows, d.Cols})
	switch {
	case dense && (sameShape || d.Cols == 1 && oneEach):
	case dense && oneEach:
		return nil, fmt.Errorf("%s: has the shape %s, want %s, that of %s; one for each row are labels", y.Name, ys, xs, x.Name)
	case dense && elements(y.Shape) == elements(x.Shape):
		return nil, fmt.Errorf("%s: has the shape %s, want %s, that of %s; t.reshape%[3]s makes it so, if the order is the same", y.Name, ys, xs, x.Name)
	case dense:
		return nil, fmt.Errorf("%s: has the shape %s, want %s, that of %s", y.Name, ys, xs, x.Name)
	case oneEach && len(y.Shape) <= 2:
	case len(rows) == 1 && len(y.Shape) <= 2 && len(x.Shape) == 2 && rows[0] == d.Cols:
		return nil, fmt.Errorf("%s: has %d labels, want %d, one for each row of %s; are the logits transposed? numpy.ascontiguousarray(x.T)",
			y.Name, rows[0], d.Rows, x.Name)
	case len(rows) == 1 && len(y.Shape) <= 2:
		return nil, fmt.Errorf("%s: has %d labels, want %d, one for each row of %s", y.Name, rows[0], d.Rows, x.Name)
	case sameShape:
		return nil, fmt.Errorf("%s: has the shape %s, that of %s, and so they are targets; labels have (N,) or (N, 1)", y.Name, ys, x.Name)
	case elements(y.Shape) == float64(d.Rows):
		return nil, fmt.Errorf("%s: has the shape %s, want (N,) or (N, 1); label.reshape(-1) makes it so", y.Name, ys)
	default:
		return nil, fmt.Errorf("%s: has the shape %s, want (N,) or (N, 1), a label for each row of %s", y.Name, ys, x.Name)
	}
	return d, nil
}

// elements returns how many elements an array of the shape has, about: no number in a file makes it overflow.
func elements(shape []int) float64 {
	n := 1.0
	for _, d := range shape {
		n *= float64(d)
	}
	return n
}

// ComputedIn returns the type that the logits are computed in, and which outputs have: their own, and float32 for those
// that are shorter.
func (d *Data) ComputedIn() string {
	if d.X.Dtype == "f8" {
		return "f8"
	}
	return "f4"
}

// Rounded reports whether targets lose digits, because they are float64 and the logits are not.
func (d *Data) Rounded() bool { return d.Dense && d.Y.Dtype == "f8" && d.ComputedIn() == "f4" }

// Block is some rows.
type Block[T focal.Float] struct {
	Row    int // the first one
	X      []T
	Label  []int32 // of each row; nil if there are targets
	Target focal.Target
}

// Blocks reads everything and calls do for block after block, whose slices are valid until do returns. T must be the type
// that the logits are computed in. A label or target that means nothing is an error that says where in the file it is.
func Blocks[T focal.Float](ctx context.Context, d *Data, do func(b Block[T]) error) error {
	step := d.step()
	x := make([]T, step*d.Cols)
	var t []T
	var label []int32
	if d.Dense {
		t = make([]T, len(x))
	} else {
		label = make([]int32, step)
	}
	for row := 0; row < d.Rows; row += step {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%s: %w", d.X.Name, err)
		}
		n := min(step, d.Rows-row)
		b := Block[T]{Row: row, X: x[:n*d.Cols]}
		if err := npyfile.ReadFloats(d.X, b.X); err != nil {
			return err
		}
		if d.Dense {
			if _, err := readTargets(d, t[:len(b.X)], row); err != nil {
				return err
			}
			b.Target = focal.Dense(t[:len(b.X)])
		} else {
			b.Label = label[:n]
			if _, err := d.Labels.read(d.Y, b.Label, row, d.Cols); err != nil {
				return err
			}
			b.Target = d.Labels.target(b.Label)
		}
		if err := do(b); err != nil {
			return err
		}
	}
	if err := d.X.AtEnd(); err != nil {
		return err
	}
	return d.Y.AtEnd()
}

// step returns how many rows are read at a time, at least one.
func (d *Data) step() int { return max(1, min(d.Rows, blockElements/max(1, d.Cols))) }

// Foreground reads all labels or targets, goes back to the first, and returns how many are foreground: rows with a class, or
// elements whose target is above 0. T must be the type that the logits are computed in.
func Foreground[T focal.Float](ctx context.Context, d *Data) (total int64, err error) {
	step := d.step()
	var t []T
	var label []int32
	if d.Dense {
		t = make([]T, step*d.Cols)
	} else {
		label = make([]int32, step)
	}
	for row := 0; row < d.Rows; row += step {
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("%s: %w", d.Y.Name, err)
		}
		var part int
		n := min(step, d.Rows-row)
		if d.Dense {
			part, err = readTargets(d, t[:n*d.Cols], row)
		} else {
			part, err = d.Labels.read(d.Y, label[:n], row, d.Cols)
		}
		if err != nil {
			return 0, err
		}
		total += int64(part)
	}
	return total, d.Y.Rewind()
}

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

// target returns the target that the labels are.
func (c Convention) target(label []int32) focal.Target {
	if c.ZeroBased {
		return focal.ZeroBased(label).Ignoring(c.Ignore)
	}
	return focal.Labels(label).Ignoring(c.Ignore)
}

// read reads the labels of the rows from row on, and counts those that are foreground. A label that means nothing is an
// error, focal.ErrLabel, that names its row in the file.
func (c Convention) read(r *npyfile.Reader, label []int32, row, cols int) (foreground int, err error) {
	switch r.Dtype {
	case "i1":
		return readLabels[int8](c, r, label, row, cols)
	case "i2":
		return readLabels[int16](c, r, label, row, cols)
	case "i4":
		return readLabels[int32](c, r, label, row, cols)
	case "i8":
		return readLabels[int64](c, r, label, row, cols)
	case "u2":
		return readLabels[uint16](c, r, label, row, cols)
	case "u4":
		return readLabels[uint32](c, r, label, row, cols)
	case "u8":
		return readLabels[uint64](c, r, label, row, cols)
	}
	return readLabels[uint8](c, r, label, row, cols) // u1, b1
}

func readLabels[E int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](c Convention, r *npyfile.Reader, label []int32, row, cols int) (foreground int, err error) {
	part := make([]E, min(len(label), 4<<10))
	for from := 0; from < len(label); from += len(part) {
		part = part[:min(len(part), len(label)-from)]
		if err := npyfile.ReadAs(r, part); err != nil {
			return 0, err
		}
		for i, v := range part {
			w := int64(v)
			if v > 0 && w < 0 {
				w = math.MaxInt64 // of uint64
			}
			if !c.valid(w, cols) {
				return 0, fmt.Errorf("%s: %s[%d] = %d, want %s, or %d if ignored: %w",
					r.Name, c.label(), row+from+i, v, c.wanted(cols), c.Ignore, focal.ErrLabel)
			}
			if w != int64(c.Ignore) && (c.ZeroBased && w < int64(cols) || !c.ZeroBased && w > 0) {
				foreground++
			}
			label[from+i] = int32(w)
		}
	}
	return foreground, nil
}

// label and wanted are what errors say of a label, as those of package focal do.
func (c Convention) label() string {
	if c.ZeroBased {
		return "zero-based label"
	}
	return "label"
}

func (c Convention) wanted(cols int) string {
	if c.ZeroBased {
		return fmt.Sprintf("0..C, where C = %d is background", cols)
	}
	return fmt.Sprintf("0..C with C = %d", cols)
}

// valid reports whether the label means anything.
func (c Convention) valid(label int64, cols int) bool {
	return label == int64(c.Ignore) || label >= 0 && label <= int64(cols)
}

// readTargets reads the targets of the rows from row on, and counts those above 0. One that is not in [0, 1] is an error,
// focal.ErrTarget, that says where in the file it is.
func readTargets[T focal.Float](d *Data, t []T, row int) (foreground int, err error) {
	if d.Rounded() { // what is a little above 1 would be rounded to it
		wide := make([]float64, min(len(t), 4<<10))
		for from := 0; from < len(t); from += len(wide) {
			wide = wide[:min(len(wide), len(t)-from)]
			if err := npyfile.ReadFloats(d.Y, wide); err != nil {
				return 0, err
			}
			if err := checkTargets(d, wide, row, from); err != nil {
				return 0, err
			}
			for i, v := range wide {
				t[from+i] = T(v)
			}
		}
	} else if err := npyfile.ReadFloats(d.Y, t); err != nil {
		return 0, err
	} else if err := checkTargets(d, t, row, 0); err != nil {
		return 0, err
	}
	for _, v := range t {
		if v > 0 {
			foreground++
		}
	}
	return foreground, nil
}

// checkTargets checks targets, the first of which is the given one from the beginning of the row on.
func checkTargets[T focal.Float](d *Data, t []T, row, from int) error {
	for i, v := range t {
		if !(v >= 0 && v <= 1) {
			at := from + i
			return fmt.Errorf("%s: target [%d, %d] is %v, want it in [0, 1]: %w", d.Y.Name, row+at/d.Cols, at%d.Cols, v, focal.ErrTarget)
		}
	}
	return nil
}
