// Package focalgonum computes the sigmoid focal loss of Gonum's matrices, with package focal.
//
// The functions are those of package focal, with the same results, bit for bit; a matrix takes the place of a slice. It
// is a *[mat.Dense], a [blas64.General] or a [blas32.General], with a row for each row of the target and a column for each
// class.
//
// A matrix whose rows follow each other without gaps is used in place, and nothing is allocated. One whose rows are apart
// (its stride is more than its columns, as that of a slice of a larger matrix is) is copied, and results are copied back.
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
// there: a dout of all ones, an output that is not wanted.
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
	c, err := newCall("Loss", x, y, output[T]{"dst", dst, true})
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
	c, err := newCall("Grad", x, y, output[T]{"dst", dst, true})
	if err != nil {
		return err
	}
	if !dout.there {
		return c.finish(focal.Grad(c.out[0], c.x, y, nil, p))
	}
	if err := dout.check("Grad", "dout", x); err != nil {
		return err
	}
	if dst.overlaps(dout) {
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

// Out says what [Fused] shall write; a matrix that is not there is not wanted.
type Out[M Matrix] struct{ Loss, Grad, Hess M }

// Fused writes all that is wanted in one pass, and returns the sum of the losses, as [focal.Fused] does. One of the outputs
// may be exactly x.
func Fused[M Matrix](out Out[M], x M, y focal.Target, p focal.Params) (sum float64, err error) {
	if c, ok := any(x).(blas32.General); ok {
		out := any(out).(Out[blas32.General])
		return fused(of32(out.Loss), of32(out.Grad), of32(out.Hess), of32(c), y, p)
	}
	return fused(of64(out.Loss), of64(out.Grad), of64(out.Hess), of64(x), y, p)
}

func fused[T focal.Float](loss, grad, hess, x matrix[T], y focal.Target, p focal.Params) (float64, error) {
	c, err := newCall("Fused", x, y, output[T]{"out.Loss", loss, loss.there},
		output[T]{"out.Grad", grad, grad.there}, output[T]{"out.Hess", hess, hess.there})
	if err != nil {
		return 0, err
	}
	sum, err := focal.Fused(focal.Out[T]{Loss: c.out[0], Grad: c.out[1], Hess: c.out[2]}, c.x, y, p)
	return sum, c.finish(err)
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
	if c, ok := any(x).(blas32.General); ok {
		return sigmoid(of32(any(dst).(blas32.General)), of32(c))
	}
	return sigmoid(of64(dst), of64(x))
}

func sigmoid[T focal.Float](dst, x matrix[T]) error {
	c, err := prepare("Sigmoid", x, output[T]{"dst", dst, true})
	if err != nil {
		return err
	}
	return c.finish(focal.Sigmoid(c.out[0], c.x))
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
	if err := t.check("Dense", "t", t); err != nil {
		return focal.Target{}, err
	}
	return focal.Dense(t.packed()), nil
}

// matrix is a matrix of any of the types. Row i begins at data[i·stride].
type matrix[T focal.Float] struct {
	rows, cols, stride int
	data               []T
	there              bool
}

func of32(m blas32.General) matrix[float32] {
	return matrix[float32]{m.Rows, m.Cols, m.Stride, m.Data, m.Data != nil}
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
		return matrix[float64]{g.Rows, g.Cols, g.Stride, g.Data, true}
	case blas64.General:
		g = m
	}
	return matrix[float64]{g.Rows, g.Cols, g.Stride, g.Data, g.Data != nil}
}

// check returns an error unless the matrix is a valid one and has the dimensions of x.
func (m matrix[T]) check(op, name string, x matrix[T]) error {
	switch {
	case m.rows < 0 || m.cols < 0:
		return fmt.Errorf("focal: %s: %s is %d×%d: %w", op, name, m.rows, m.cols, focal.ErrShape)
	case m.rows != x.rows || m.cols != x.cols:
		return fmt.Errorf("focal: %s: %s is %d×%d, want %d×%d as x: %w", op, name, m.rows, m.cols, x.rows, x.cols, focal.ErrShape)
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

// overlaps reports whether two valid matrices of the same dimensions share elements. Where one lies between the rows of
// another with a different stride it says so without a closer look, as Gonum does.
func (m matrix[T]) overlaps(other matrix[T]) bool {
	if m.rows == 0 || m.cols == 0 {
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
	out     [3][]T
	outputs []output[T]
}

type output[T focal.Float] struct {
	name   string
	m      matrix[T]
	wanted bool
}

// newCall checks the matrices, and the target against x.
func newCall[T focal.Float](op string, x matrix[T], y focal.Target, outputs ...output[T]) (call[T], error) {
	c, err := prepare(op, x, outputs...)
	if err != nil {
		return c, err
	}
	if err := y.Fits(x.rows, x.cols); err != nil {
		return c, fmt.Errorf("focal: %s: %w", op, err)
	}
	return c, nil
}

// prepare checks the matrices.
func prepare[T focal.Float](op string, x matrix[T], outputs ...output[T]) (c call[T], err error) {
	if err := x.check(op, "x", x); err != nil {
		return c, err
	}
	for i, o := range outputs {
		if !o.wanted {
			continue
		}
		if err := o.m.check(op, o.name, x); err != nil {
			return c, err
		}
		if !o.m.same(x) && o.m.overlaps(x) {
			return c, fmt.Errorf("focal: %s: %s overlaps x: %w", op, o.name, focal.ErrOverlap)
		}
		for _, other := range outputs[:i] {
			if other.wanted && o.m.overlaps(other.m) {
				return c, fmt.Errorf("focal: %s: %s overlaps %s: %w", op, o.name, other.name, focal.ErrOverlap)
			}
		}
	}
	c.x = x.packed()
	for i, o := range outputs {
		switch {
		case !o.wanted:
		case o.m.gapless():
			c.out[i] = o.m.packed()
		default: // to be copied back; what the matrix holds need not be copied
			c.out[i] = make([]T, o.m.rows*o.m.cols)
		}
	}
	c.outputs = slices.Clone(outputs)
	return c, nil
}

// finish copies the results back, unless there was an error.
func (c *call[T]) finish(err error) error {
	if err != nil {
		return err
	}
	for i, o := range c.outputs {
		if o.wanted {
			o.m.unpack(c.out[i])
		}
	}
	return nil
}
