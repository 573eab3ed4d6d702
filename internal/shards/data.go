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

// Inputs are the arrays that a loss is computed of. Those that are nil are not given.
type Inputs struct {
	X, Y  *npyfile.Reader
	Dense bool // Y has targets, not labels

	Weights, RowWeights, Scores *npyfile.Reader
}

// Data is logits, and what their rows or elements are, in files that fit each other.
type Data struct {
	Inputs
	Labels     Convention
	Rows, Cols int // of the logits; [N] is N rows of one class

	quality focal.Quality // of scores
	classes *ClassWeights
}

// NewData returns an error if the logits are no matrix of at most [MaxColumns], or if anything else does not fit them.
func NewData(in Inputs, o Options) (*Data, error) {
	d := &Data{Inputs: in, Labels: o.Labels, Cols: 1, quality: o.Quality, classes: o.Classes}
	if err := d.fitTarget(); err != nil {
		return nil, err
	}
	if d.Dense && d.Scores != nil {
		return nil, fmt.Errorf("%s: scores go with labels, and %s has targets", d.Scores.Name, d.Y.Name)
	}
	for _, w := range []*npyfile.Reader{d.RowWeights, d.Scores} {
		if w != nil && !d.oneEach(w.Shape) {
			return nil, fmt.Errorf("%s: has the shape %s, want (%d,) or (%[3]d, 1), one for each row of %s", w.Name, npyfile.ShapeString(w.Shape), d.Rows, d.X.Name)
		}
	}
	if w := d.Weights; w != nil && !slices.Equal(w.Shape, []int{d.Rows, d.Cols}) && !(d.Cols == 1 && d.oneEach(w.Shape)) {
		return nil, fmt.Errorf("%s: has the shape %s, want %s, that of %s", w.Name, npyfile.ShapeString(w.Shape), npyfile.ShapeString(d.X.Shape), d.X.Name)
	}
	if w := d.classes; w != nil && len(w.Neg) != d.Cols && d.Rows > 0 {
		return nil, fmt.Errorf("%s: has weights of %d classes, want %d, one for each column of %s", w.Name, len(w.Neg), d.Cols, d.X.Name)
	}
	return d, nil
}

// oneEach reports whether an array of the shape has one element for each row.
func (d *Data) oneEach(shape []int) bool {
	return len(shape) == 1 && shape[0] == d.Rows || slices.Equal(shape, []int{d.Rows, 1})
}

// fitTarget finds out about rows and columns, and whether labels or targets fit them.
func (d *Data) fitTarget() error {
	x, y, dense := d.X, d.Y, d.Dense
	xs, ys := npyfile.ShapeString(x.Shape), npyfile.ShapeString(y.Shape)
	switch len(x.Shape) {
	case 0:
		return fmt.Errorf("%s: has the shape %s, want (N, C), or (N,) for one class", x.Name, xs)
	case 1:
		d.Rows = x.Shape[0]
	case 2:
		d.Rows, d.Cols = x.Shape[0], x.Shape[1]
	default:
		return fmt.Errorf("%s: has the shape %s, want (N, C); if the classes are its last axis, x.reshape(-1, %d) makes it so, "+
			"and if they are its second, numpy.moveaxis(x, 1, -1).reshape(-1, %d)", x.Name, xs, x.Shape[len(x.Shape)-1], x.Shape[1])
	}
	switch {
	case d.Cols == 0 && d.Rows > 0:
		return fmt.Errorf("%s: has no columns", x.Name)
	case d.Cols > MaxColumns:
		return fmt.Errorf("%s: has %d columns, want at most %d", x.Name, d.Cols, MaxColumns)
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
		return fmt.Errorf("%s: has the shape %s, want %s, that of %s; one for each row are labels", y.Name, ys, xs, x.Name)
	case dense && elements(y.Shape) == elements(x.Shape):
		return fmt.Errorf("%s: has the shape %s, want %s, that of %s; t.reshape%[3]s makes it so, if the order is the same", y.Name, ys, xs, x.Name)
	case dense:
		return fmt.Errorf("%s: has the shape %s, want %s, that of %s", y.Name, ys, xs, x.Name)
	case oneEach && len(y.Shape) <= 2:
	case len(rows) == 1 && len(y.Shape) <= 2 && len(x.Shape) == 2 && rows[0] == d.Cols:
		return fmt.Errorf("%s: has %d labels, want %d, one for each row of %s; are the logits transposed? numpy.ascontiguousarray(x.T)",
			y.Name, rows[0], d.Rows, x.Name)
	case len(rows) == 1 && len(y.Shape) <= 2:
		return fmt.Errorf("%s: has %d labels, want %d, one for each row of %s", y.Name, rows[0], d.Rows, x.Name)
	case sameShape:
		return fmt.Errorf("%s: has the shape %s, that of %s, and so they are targets; labels have (N,) or (N, 1)", y.Name, ys, x.Name)
	case elements(y.Shape) == float64(d.Rows):
		return fmt.Errorf("%s: has the shape %s, want (N,) or (N, 1); label.reshape(-1) makes it so", y.Name, ys)
	default:
		return fmt.Errorf("%s: has the shape %s, want (N,) or (N, 1), a label for each row of %s", y.Name, ys, x.Name)
	}
	return nil
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

// Rounded reports whether the numbers of an array of targets, weights or scores lose digits, because they are float64 and the
// logits are not.
func (d *Data) Rounded(r *npyfile.Reader) bool { return r.Dtype == "f8" && d.ComputedIn() == "f4" }

// Block is some rows.
type Block[T focal.Float] struct {
	Row    int // the first one
	X      []T
	Label  []int32 // of each row; nil if there are targets
	Target focal.Target
}

// Blocks reads everything and calls do for block after block, whose slices are valid until do returns. T must be the type
// that the logits are computed in. A label, target, weight or score that means nothing is an error that says where in the file
// it is.
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
	extras := newExtras[T](d, step)
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
			b.Target = d.Labels.dense(focal.Dense(t[:len(b.X)]))
		} else {
			b.Label = label[:n]
			if _, err := d.Labels.read(d.Y, b.Label, row, d.Cols); err != nil {
				return err
			}
			b.Target = d.Labels.target(b.Label)
		}
		if err := extras.read(d, &b, n); err != nil {
			return err
		}
		if err := do(b); err != nil {
			return err
		}
	}
	for _, r := range []*npyfile.Reader{d.X, d.Y, d.Weights, d.RowWeights, d.Scores} {
		if r == nil {
			continue
		}
		if err := r.AtEnd(); err != nil {
			return err
		}
	}
	return nil
}

// extras is the memory for weights and scores of a block.
type extras[T focal.Float] struct{ weights, rowWeights, scores, neg, pos []T }

func newExtras[T focal.Float](d *Data, rows int) (e extras[T]) {
	if d.Weights != nil {
		e.weights = make([]T, rows*d.Cols)
	}
	if d.RowWeights != nil {
		e.rowWeights = make([]T, rows)
	}
	if d.Scores != nil {
		e.scores = make([]T, rows)
	}
	if d.classes != nil {
		e.neg, e.pos = convert[T](d.classes.Neg), convert[T](d.classes.Pos)
	}
	return e
}

func convert[T focal.Float](v []float64) []T {
	w := make([]T, len(v))
	for i := range v {
		w[i] = T(v[i])
	}
	return w
}

// read reads the weights and scores of the n rows of a block, and gives them to its target.
func (e *extras[T]) read(d *Data, b *Block[T], n int) error {
	if d.classes != nil {
		b.Target = focal.WeighClasses(b.Target, e.neg, e.pos)
	}
	if w := e.weights[:min(len(b.X), len(e.weights))]; w != nil {
		if err := readWeights(d.Weights, w, func(i int) string { return fmt.Sprintf("[%d, %d]", b.Row+i/d.Cols, i%d.Cols) }); err != nil {
			return err
		}
		b.Target = focal.WeighElements(b.Target, w)
	}
	if w := e.rowWeights[:min(n, len(e.rowWeights))]; w != nil {
		if err := readWeights(d.RowWeights, w, func(i int) string { return fmt.Sprintf("[%d]", b.Row+i) }); err != nil {
			return err
		}
		b.Target = focal.WeighRows(b.Target, w)
	}
	if score := e.scores[:min(n, len(e.scores))]; score != nil {
		if err := npyfile.ReadFloats(d.Scores, score); err != nil {
			return err
		}
		for i, v := range score {
			if !(v >= 0 && v <= 1) && d.Labels.isClass(int64(b.Label[i]), d.Cols) {
				return fmt.Errorf("%s: score [%d] is %v, want it in [0, 1], as the row has a class: %w", d.Scores.Name, b.Row+i, v, focal.ErrTarget)
			}
		}
		b.Target = focal.Scored(b.Target, score, d.quality)
	}
	return nil
}

// readWeights reads weights. One that is not finite or below 0 is an error, focal.ErrTarget, that says where in the file it is.
func readWeights[T focal.Float](r *npyfile.Reader, w []T, where func(i int) string) error {
	if err := npyfile.ReadFloats(r, w); err != nil {
		return err
	}
	for i, v := range w {
		if !(v >= 0) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("%s: weight %s is %v, want it finite and ≥ 0: %w", r.Name, where(i), v, focal.ErrTarget)
		}
	}
	return nil
}

// ClassWeights are weights of the negatives and positives of each class.
type ClassWeights struct {
	Name     string // of the file
	Neg, Pos []float64
}

// LoadClassWeights reads a file that has an array [C], the weights of all elements of each class, or [2, C]: those of the
// negatives, and those of the positives.
func LoadClassWeights(ctx context.Context, open Opener, name string) (*ClassWeights, error) {
	r, err := openArray(ctx, open, name, npyfile.Numbers)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	shape := r.Shape
	rows := 1
	if len(shape) == 2 {
		rows, shape = shape[0], shape[1:]
	}
	switch {
	case len(shape) != 1 || rows != 1 && rows != 2:
		return nil, fmt.Errorf("%s: has the shape %s, want (C,), a weight for each class, or (2, C), those of negatives and of positives",
			r.Name, npyfile.ShapeString(r.Shape))
	case shape[0] > MaxColumns:
		return nil, fmt.Errorf("%s: has weights of %d classes, want at most %d", r.Name, shape[0], MaxColumns)
	}
	w := &ClassWeights{Name: r.Name, Neg: make([]float64, shape[0])}
	w.Pos = w.Neg
	where := func(i int) string { return fmt.Sprintf("[%d]", i) }
	if len(r.Shape) == 2 {
		where = func(i int) string { return fmt.Sprintf("[0, %d]", i) }
	}
	err = readWeights(r, w.Neg, where)
	if err == nil && rows == 2 {
		w.Pos = make([]float64, shape[0])
		err = readWeights(r, w.Pos, func(i int) string { return fmt.Sprintf("[1, %d]", i) })
	}
	if err == nil {
		err = r.AtEnd()
	}
	if err != nil {
		return nil, err
	}
	return w, nil
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

// Convention is what labels mean, and which labels and targets mean that something is ignored.
type Convention struct {
	ZeroBased     bool  `json:"zero_based"`     // as in focal.ZeroBased, not as in focal.Labels
	Ignore        int32 `json:"ignore"`         // label of rows that are ignored
	IgnoreTargets bool  `json:"ignore_targets"` // a target that is Ignore is ignored too
	IgnoreNaN     bool  `json:"ignore_nan"`     // and one that is NaN
}

func (c Convention) String() string {
	text := fmt.Sprintf("1..C the class, 0 background, %d ignored", c.Ignore)
	if c.ZeroBased {
		text = fmt.Sprintf("0..C-1 the class, C background, %d ignored", c.Ignore)
	}
	if c.IgnoreTargets {
		text += fmt.Sprintf("; targets of %d ignored", c.Ignore)
	}
	if c.IgnoreNaN {
		text += "; targets of NaN ignored"
	}
	return text
}

// dense returns the target with what is ignored.
func (c Convention) dense(t focal.Target) focal.Target {
	if c.IgnoreTargets {
		t = t.Ignoring(c.Ignore)
	}
	if c.IgnoreNaN {
		t = t.IgnoringNaN()
	}
	return t
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
			if c.isClass(w, cols) {
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

// isClass reports whether a valid label is that of a class, neither background nor ignored.
func (c Convention) isClass(label int64, cols int) bool {
	return label != int64(c.Ignore) && (c.ZeroBased && label < int64(cols) || !c.ZeroBased && label > 0)
}

// valid reports whether the label means anything.
func (c Convention) valid(label int64, cols int) bool {
	return label == int64(c.Ignore) || label >= 0 && label <= int64(cols)
}

// readTargets reads the targets of the rows from row on, and counts those above 0 that are not ignored. One that is neither in
// [0, 1] nor ignored is an error, focal.ErrTarget, that says where in the file it is.
func readTargets[T focal.Float](d *Data, t []T, row int) (foreground int, err error) {
	if d.Rounded(d.Y) { // what is a little above 1 would be rounded to it
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
		if v > 0 && !ignoredTarget(d.Labels, v) {
			foreground++
		}
	}
	return foreground, nil
}

// ignoredTarget reports whether a target is ignored.
func ignoredTarget[T focal.Float](c Convention, v T) bool {
	return c.IgnoreTargets && v == T(c.Ignore) || c.IgnoreNaN && v != v
}

// checkTargets checks targets, the first of which is the given one from the beginning of the row on.
func checkTargets[T focal.Float](d *Data, t []T, row, from int) error {
	for i, v := range t {
		if !(v >= 0 && v <= 1) && !ignoredTarget(d.Labels, v) {
			at := from + i
			return fmt.Errorf("%s: target [%d, %d] is %v, want it in [0, 1]: %w", d.Y.Name, row+at/d.Cols, at%d.Cols, v, focal.ErrTarget)
		}
	}
	return nil
}
