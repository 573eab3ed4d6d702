// Package focalgonum computes the sigmoid focal loss of Gonum's matrices with package focal.
//
//	import focalgonum "github.com/gofocal/focal/adapters/gonum"
//
// The functions are those of package focal, and the results have the same bits. A matrix takes the place of a slice: a
// [*mat.Dense], a [blas64.General] or a [blas32.General]. It has a row for each row of the target and a column for each class.
//
// An empty *mat.Dense as an output gets the size of the result, as in Gonum. On an error it stays empty.
//
// A matrix whose rows follow each other without gaps is used in place. One whose stride is more than its columns, such as a
// slice of a larger matrix, is copied, and results are copied back.
//
// Nothing panics: what Gonum reports by a panic, such as a stride below the number of columns, is an error here.
package focalgonum

import (
	"fmt"
	"slices"
	"unsafe"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/gofocal/focal"
)

// Matrix is what the functions take. A nil *mat.Dense, and a General whose Data is nil, stand for a matrix that is not
// there: a dout of all ones, or an output that is not computed.
type Matrix interface {
	*mat.Dense | blas64.General | blas32.General
}

// Loss writes the loss of each element to dst, as [focal.Loss] does. dst may be exactly x.
func Loss[M Matrix](dst, x M, y focal.Target, p focal.Params) error {
	if c, ok := any(x).(blas32.General); ok {
		return loss(of32(any(dst).(blas32.General)), of32(c), y, p)
	}
	return loss(of64(dst), of64(x), y, p)
}

func loss[T focal.Float](dst, x matrix[T], y focal.Target, p focal.Params) error {
	c, err := newCall("Loss", x, y, output[T]{"dst", dst, perElement})
	if err != nil {
		return err
	}
	return c.finish(focal.Loss(c.out[0], c.x, y, p))
}

// Grad writes dout ⊙ ∂loss/∂x to dst, as [focal.Grad] does. dst may be exactly x; a dout that is not there is all ones.
func Grad[M Matrix](dst, x M, y focal.Target, dout M, p focal.Params) error {
	if c, ok := any(x).(blas32.General); ok {
		return grad(of32(any(dst).(blas32.General)), of32(c), y, of32(any(dout).(blas32.General)), p)
	}
	return grad(of64(dst), of64(x), y, of64(dout), p)
}

func grad[T focal.Float](dst, x matrix[T], y focal.Target, dout matrix[T], p focal.Params) error {
	c, err := newCall("Grad", x, y, output[T]{"dst", dst, perElement})
	if err != nil {
		return err
	}
	if !dout.there {
		return c.finish(focal.Grad(c.out[0], c.x, y, nil, p))
	}
	if err := dout.check("Grad", "dout", x.rows, x.cols); err != nil {
		return err
	}
	if c.outputs[0].m.overlaps(dout) {
		return fmt.Errorf("focal: Grad: dst overlaps dout: %w", focal.ErrOverlap)
	}
	return c.finish(focal.Grad(c.out[0], c.x, y, dout.packed(), p))
}

// Sum returns the sum of the losses, as [focal.Sum] does.
func Sum[M Matrix](x M, y focal.Target, p focal.Params) (float64, error) {
	if c, ok := any(x).(blas32.General); ok {
		return sum(of32(c), y, p)
	}
	return sum(of64(x), y, p)
}

func sum[T focal.Float](x matrix[T], y focal.Target, p focal.Params) (float64, error) {
	c, err := newCall("Sum", x, y)
	if err != nil {
		return 0, err
	}
	return focal.Sum(c.x, y, p)
}

// Out says what [Fused] computes: each matrix that is there.
type Out[M Matrix] struct{ Loss, Grad, Hess, Curv M }

// Fused writes all that out has in one pass, and returns the sum of the losses, as [focal.Fused] does. One of the outputs
// may be exactly x.
func Fused[M Matrix](out Out[M], x M, y focal.Target, p focal.Params) (sum float64, err error) {
	if c, ok := any(x).(blas32.General); ok {
		out := any(out).(Out[blas32.General])
		return fused(of32(out.Loss), of32(out.Grad), of32(out.Hess), of32(out.Curv), of32(c), y, p)
	}
	return fused(of64(out.Loss), of64(out.Grad), of64(out.Hess), of64(out.Curv), of64(x), y, p)
}

func fused[T focal.Float](loss, grad, hess, curv, x matrix[T], y focal.Target, p focal.Params) (float64, error) {
	wanted := func(name string, m matrix[T]) output[T] { return output[T]{name, m, perElement.unless(!m.there)} }
	c, err := newCall("Fused", x, y, wanted("out.Loss", loss), wanted("out.Grad", grad), wanted("out.Hess", hess), wanted("out.Curv", curv))
	if err != nil {
		return 0, err
	}
	sum, err := focal.Fused(focal.Out[T]{Loss: c.out[0], Grad: c.out[1], Hess: c.out[2], Curv: c.out[3]}, c.x, y, p)
	return sum, c.finish(err)
}

// Rows writes the loss of each row of x to dst, as [focal.Rows] does. dst has as many rows as x and one column, such as one of a
// larger matrix; with [focal.Target.Planes] it has a column for each position. It may be exactly x if x has a single class.
func Rows[M Matrix](dst, x M, y focal.Target, p focal.Params) error {
	if c, ok := any(x).(blas32.General); ok {
		return rowLosses(of32(any(dst).(blas32.General)), of32(c), y, p)
	}
	return rowLosses(of64(dst), of64(x), y, p)
}

func rowLosses[T focal.Float](dst, x matrix[T], y focal.Target, p focal.Params) error {
	c, err := newCall("Rows", x, y, output[T]{"dst", dst, perRow})
	if err != nil {
		return err
	}
	return c.finish(focal.Rows(c.out[0], c.x, y, p))
}

// Score returns the exact partial sum of the losses, as [focal.Score] does.
func Score[M Matrix](x M, y focal.Target, p focal.Params) (focal.Partial, error) {
	if c, ok := any(x).(blas32.General); ok {
		return score(of32(c), y, p)
	}
	return score(of64(x), y, p)
}

func score[T focal.Float](x matrix[T], y focal.Target, p focal.Params) (focal.Partial, error) {
	c, err := newCall("Score", x, y)
	if err != nil {
		return focal.Partial{}, err
	}
	return focal.Score(c.x, y, p)
}

// Sigmoid writes the logistic function of each element to dst, as [focal.Sigmoid] does. dst may be exactly x.
func Sigmoid[M Matrix](dst, x M) error {
	return elementwise("Sigmoid", dst, x, focal.Sigmoid[float32], focal.Sigmoid[float64])
}

// Softplus writes log(1+exp(x)) of each element to dst, as [focal.Softplus] does. dst may be exactly x.
func Softplus[M Matrix](dst, x M) error {
	return elementwise("Softplus", dst, x, focal.Softplus[float32], focal.Softplus[float64])
}

// LogSigmoid writes log(σ(x)) of each element to dst, as [focal.LogSigmoid] does. dst may be exactly x.
func LogSigmoid[M Matrix](dst, x M) error {
	return elementwise("LogSigmoid", dst, x, focal.LogSigmoid[float32], focal.LogSigmoid[float64])
}

func elementwise[M Matrix](op string, dst, x M, f32 func(dst, x []float32) error, f64 func(dst, x []float64) error) error {
	if c, ok := any(x).(blas32.General); ok {
		return apply(op, of32(any(dst).(blas32.General)), of32(c), f32)
	}
	return apply(op, of64(dst), of64(x), f64)
}

func apply[T focal.Float](op string, dst, x matrix[T], f func(dst, x []T) error) error {
	c, err := prepare(op, x, 1, output[T]{"dst", dst, perElement})
	if err != nil {
		return err
	}
	return c.finish(f(c.out[0], c.x))
}

// Dense returns the target that has a value for each element, as [focal.Dense] does. It refers to t, or, if the rows of t
// are apart, to a copy.
func Dense[M Matrix](t M) (focal.Target, error) {
	if c, ok := any(t).(blas32.General); ok {
		return dense(of32(c))
	}
	return dense(of64(t))
}

func dense[T focal.Float](t matrix[T]) (focal.Target, error) {
	if err := t.check("Dense", "t", t.rows, t.cols); err != nil {
		return focal.Target{}, err
	}
	return focal.Dense(t.packed()), nil
}

// matrix is a matrix of any of the types. Row i begins at data[i·stride].
type matrix[T focal.Float] struct {
	rows, cols, stride int
	data               []T
	there              bool
	empty              *mat.Dense // the matrix itself, if it takes its size from the result
}

func of32(m blas32.General) matrix[float32] {
	return matrix[float32]{m.Rows, m.Cols, m.Stride, m.Data, m.Data != nil, nil}
}

// of64 returns a *mat.Dense or a blas64.General.
func of64(m any) matrix[float64] {
	var g blas64.General
	switch m := m.(type) {
	case *mat.Dense:
		if m == nil {
			return matrix[float64]{}
		}
		g = m.RawMatrix()
		if m.IsEmpty() {
			return matrix[float64]{0, 0, 0, g.Data, true, m}
		}
		return matrix[float64]{g.Rows, g.Cols, g.Stride, g.Data, true, nil}
	case blas64.General:
		g = m
	}
	return matrix[float64]{g.Rows, g.Cols, g.Stride, g.Data, g.Data != nil, nil}
}

// sized returns an empty matrix with the given dimensions, in the memory that it had before it was emptied if that is
// enough. Nothing is written yet.
func (m matrix[T]) sized(rows, cols int) matrix[T] {
	if m.empty == nil || rows == 0 || cols == 0 {
		return m
	}
	m.rows, m.cols, m.stride = rows, cols, cols
	if n := rows * cols; cap(m.data) >= n {
		m.data = m.data[:n]
	} else {
		m.data = make([]T, n)
	}
	return m
}

// check returns an error unless the matrix is a valid one and has the given dimensions.
func (m matrix[T]) check(op, name string, rows, cols int) error {
	switch {
	case m.rows < 0 || m.cols < 0:
		return fmt.Errorf("focal: %s: %s is %d×%d: %w", op, name, m.rows, m.cols, focal.ErrShape)
	case m.rows != rows || m.cols != cols:
		return fmt.Errorf("focal: %s: %s is %d×%d, want %d×%d: %w", op, name, m.rows, m.cols, rows, cols, focal.ErrShape)
	case m.rows == 0 || m.cols == 0:
		return nil
	case m.stride < m.cols:
		return fmt.Errorf("focal: %s: %s has a stride of %d, want at least its %d columns: %w", op, name, m.stride, m.cols, focal.ErrShape)
	case len(m.data) < m.cols || (len(m.data)-m.cols)/m.stride < m.rows-1: // no product that could overflow
		return fmt.Errorf("focal: %s: %s has %d elements, too few for %d×%d with a stride of %d: %w",
			op, name, len(m.data), m.rows, m.cols, m.stride, focal.ErrShape)
	}
	return nil
}

// gapless reports whether the rows follow each other without gaps.
func (m matrix[T]) gapless() bool { return m.stride == m.cols || m.rows <= 1 }

// packed returns the elements row by row: those of the matrix itself, or a copy. It is not nil.
func (m matrix[T]) packed() []T {
	n := m.rows * m.cols
	if n == 0 {
		return []T{}
	}
	if m.gapless() {
		return m.data[:n:n]
	}
	p := make([]T, 0, n)
	for i := range m.rows {
		p = append(p, m.row(i)...)
	}
	return p
}

func (m matrix[T]) row(i int) []T { return m.data[i*m.stride : i*m.stride+m.cols] }

// unpack copies what packed has returned back.
func (m matrix[T]) unpack(p []T) {
	if m.gapless() {
		return
	}
	for i := range m.rows {
		copy(m.row(i), p[i*m.cols:])
	}
}

// same reports whether both are the same matrix in the same place.
func (m matrix[T]) same(other matrix[T]) bool {
	return m.rows == other.rows && m.cols == other.cols && (m.stride == other.stride || m.rows <= 1) &&
		unsafe.SliceData(m.data) == unsafe.SliceData(other.data)
}

// overlaps reports whether two valid matrices with as many rows share elements. Where one lies between the rows of
// another with a different stride it says so without a closer look, as Gonum does.
func (m matrix[T]) overlaps(other matrix[T]) bool {
	if m.rows == 0 || m.cols == 0 || other.cols == 0 {
		return false
	}
	size := uintptr(unsafe.Sizeof(m.data[0]))
	a, b := uintptr(unsafe.Pointer(&m.data[0])), uintptr(unsafe.Pointer(&other.data[0]))
	if a > b {
		m, other, a, b = other, m, b, a
	}
	apart := b - a // in bytes
	if apart >= uintptr((m.rows-1)*m.stride+m.cols)*size {
		return false
	}
	if m.stride != other.stride || apart%size != 0 {
		return true
	}
	// Where in m the other begins. Each row of the other may reach into the next row of m.
	row, col := int(apart/size)/m.stride, int(apart/size)%m.stride
	return col < m.cols || col+other.cols > m.stride && row+1 < m.rows
}

// call is a call of package focal: its slices, and the matrices that they are copied back to.
type call[T focal.Float] struct {
	x       []T
	out     [4][]T
	outputs []output[T]
}

// extent says what an output has an element for.
type extent int

const (
	notWanted extent = iota
	perElement
	perRow
)

func (e extent) unless(not bool) extent {
	if not {
		return notWanted
	}
	return e
}

type output[T focal.Float] struct {
	name   string
	m      matrix[T]
	extent extent
}

// newCall checks the matrices, and the target against x.
func newCall[T focal.Float](op string, x matrix[T], y focal.Target, outputs ...output[T]) (call[T], error) {
	if err := x.check(op, "x", x.rows, x.cols); err != nil {
		return call[T]{}, err
	}
	if err := y.Fits(x.rows, x.cols); err != nil { // before an output gets its size
		return call[T]{}, err
	}
	return prepare(op, x, y.PlaneSize(), outputs...)
}

// prepare checks the matrices. The losses of a row are so many as size says.
func prepare[T focal.Float](op string, x matrix[T], size int, outputs ...output[T]) (c call[T], err error) {
	if err := x.check(op, "x", x.rows, x.cols); err != nil {
		return c, err
	}
	c.outputs = slices.Clone(outputs)
	for i := range c.outputs {
		o := &c.outputs[i]
		rows, cols := x.rows, x.cols
		switch o.extent {
		case notWanted:
			continue
		case perRow:
			cols = min(cols, size)
		}
		if !o.m.there && rows > 0 {
			return c, fmt.Errorf("focal: %s: %s is nil, want a matrix of %d×%d: %w", op, o.name, rows, cols, focal.ErrShape)
		}
		o.m = o.m.sized(rows, cols)
		if err := o.m.check(op, o.name, rows, cols); err != nil {
			return c, err
		}
		if !o.m.same(x) && o.m.overlaps(x) {
			return c, fmt.Errorf("focal: %s: %s overlaps x: %w", op, o.name, focal.ErrOverlap)
		}
		for _, other := range c.outputs[:i] {
			if other.extent != notWanted && (o.m.overlaps(other.m) || o.m.empty != nil && o.m.empty == other.m.empty) {
				return c, fmt.Errorf("focal: %s: %s overlaps %s: %w", op, o.name, other.name, focal.ErrOverlap)
			}
		}
	}
	c.x = x.packed()
	for i, o := range c.outputs {
		switch {
		case o.extent == notWanted:
		case o.m.gapless():
			c.out[i] = o.m.packed()
		default: // to be copied back; what the matrix holds need not be copied
			c.out[i] = make([]T, o.m.rows*o.m.cols)
		}
	}
	return c, nil
}

// finish copies the results back, and gives empty matrices their size, unless there was an error.
func (c *call[T]) finish(err error) error {
	if err != nil {
		return err
	}
	for i, o := range c.outputs {
		if o.extent == notWanted {
			continue
		}
		o.m.unpack(c.out[i])
		if data, ok := any(o.m.data).([]float64); ok && o.m.empty != nil && o.m.rows > 0 {
			o.m.empty.SetRawMatrix(blas64.General{Rows: o.m.rows, Cols: o.m.cols, Stride: o.m.stride, Data: data})
		}
	}
	return nil
}
