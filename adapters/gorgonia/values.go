package focalgorgonia

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/gofocal/focal"
)

// Losses returns the loss of each element, in the shape of the logits, as [focal.Loss] does.
func Losses(logits tensor.Tensor, y focal.Target, p focal.Params) (*tensor.Dense, error) {
	r, err := evaluate(call{op: "Losses", what: loss, x: logits, y: y, p: p})
	return r.out, err
}

// Grad returns dout ⊙ ∂loss/∂x in the shape of the logits, as [focal.Grad] does. A nil dout is all ones.
func Grad(logits tensor.Tensor, y focal.Target, dout tensor.Tensor, p focal.Params) (*tensor.Dense, error) {
	r, err := evaluate(call{op: "Grad", what: grad, x: logits, dout: dout, y: y, p: p})
	return r.out, err
}

// Hess returns the second derivative of each element's loss, in the shape of the logits, as [focal.Fused] does.
func Hess(logits tensor.Tensor, y focal.Target, p focal.Params) (*tensor.Dense, error) {
	r, err := evaluate(call{op: "Hess", what: hess, x: logits, y: y, p: p})
	return r.out, err
}

// Curv returns the Gauss-Newton part of the second derivative, which is ≥ 0, in the shape of the logits, as [focal.Fused] does.
func Curv(logits tensor.Tensor, y focal.Target, p focal.Params) (*tensor.Dense, error) {
	r, err := evaluate(call{op: "Curv", what: curv, x: logits, y: y, p: p})
	return r.out, err
}

// Fused returns the sum of the losses, and its gradient in the shape of the logits, in one pass, as [focal.Fused] does.
func Fused(logits tensor.Tensor, y focal.Target, p focal.Params) (sum float64, gradient *tensor.Dense, err error) {
	r, err := evaluate(call{op: "Fused", what: sumAndGrad, x: logits, y: y, p: p})
	return r.sum, r.out, err
}

// Sum returns the sum of the losses, as [focal.Sum] does.
func Sum(logits tensor.Tensor, y focal.Target, p focal.Params) (float64, error) {
	r, err := evaluate(call{op: "Sum", what: sum, x: logits, y: y, p: p})
	return r.sum, err
}

// Rows returns the loss of each row, a vector, as [focal.Rows] does. With [focal.Target.Planes] it has the shape of the logits
// without the classes, such as [N, H, W] for [N, C, H, W].
func Rows(logits tensor.Tensor, y focal.Target, p focal.Params) (*tensor.Dense, error) {
	r, err := evaluate(call{op: "Rows", what: rows, x: logits, y: y, p: p})
	return r.out, err
}

// Score returns the exact partial sum of the losses, as [focal.Score] does.
func Score(logits tensor.Tensor, y focal.Target, p focal.Params) (focal.Partial, error) {
	r, err := evaluate(call{op: "Score", what: score, x: logits, y: y, p: p})
	return r.part, err
}

// Sigmoid returns the logistic function of each element, as [focal.Sigmoid] does.
func Sigmoid(x tensor.Tensor) (*tensor.Dense, error) {
	r, err := evaluate(call{op: "Sigmoid", what: sigmoid, x: x})
	return r.out, err
}

// Softplus returns log(1+exp(x)) of each element, as [focal.Softplus] does.
func Softplus(x tensor.Tensor) (*tensor.Dense, error) {
	r, err := evaluate(call{op: "Softplus", what: softplus, x: x})
	return r.out, err
}

// LogSigmoid returns log(σ(x)) of each element, as [focal.LogSigmoid] does.
func LogSigmoid(x tensor.Tensor) (*tensor.Dense, error) {
	r, err := evaluate(call{op: "LogSigmoid", what: logSigmoid, x: x})
	return r.out, err
}

// Dense returns the target that has a value for each element, as [focal.Dense] does. It refers to a copy of t.
func Dense(t tensor.Tensor) (focal.Target, error) {
	r, err := evaluate(call{op: "Dense", what: target, x: t})
	return r.target, err
}

type operation int

const (
	loss operation = iota
	grad
	hess
	curv
	sumAndGrad
	sum
	rows
	score
	sigmoid
	softplus
	logSigmoid
	target
)

// elementwise reports whether there is no target.
func (o operation) elementwise() bool { return o >= sigmoid }

// call is a call of package focal.
type call struct {
	op      string
	what    operation
	x, dout tensor.Tensor
	y       focal.Target
	p       focal.Params
}

// result is what it returns. The operation says which fields it has.
type result struct {
	out    *tensor.Dense
	sum    float64
	part   focal.Partial
	target focal.Target
}

func evaluate(c call) (result, error) {
	name := "logits"
	switch {
	case c.what == target:
		name = "t"
	case c.what.elementwise():
		name = "x"
	}
	if c.x == nil {
		return result{}, fmt.Errorf("focal: %s: %s is nil: %w", c.op, name, focal.ErrShape)
	}
	x, err := denseOf(c.x, name)
	if err != nil {
		return result{}, err
	}
	var dout *tensor.Dense
	if c.dout != nil {
		if dout, err = denseOf(c.dout, "dout"); err != nil {
			return result{}, err
		}
		if dout.Dtype() != x.Dtype() {
			return result{}, fmt.Errorf("focal: %s: dout is of %v, want %v as the logits: %w", c.op, dout.Dtype(), x.Dtype(), ErrType)
		}
		if !dout.Shape().Eq(x.Shape()) {
			return result{}, fmt.Errorf("focal: %s: dout is %v, want %v as the logits: %w", c.op, dout.Shape(), x.Shape(), focal.ErrShape)
		}
	}
	switch x.Dtype() {
	case tensor.Float32:
		return runValues[float32](c, x, dout)
	case tensor.Float64:
		return runValues[float64](c, x, dout)
	}
	return result{}, fmt.Errorf("focal: %s: %s is of %v, want float32 or float64: %w", c.op, name, x.Dtype(), ErrType)
}

func runValues[T focal.Float](c call, logits, upstream *tensor.Dense) (r result, err error) {
	n, columns := dimensions(logits)
	if !c.what.elementwise() {
		if err := c.y.Fits(n, columns); err != nil {
			return result{}, err
		}
	}
	x := elements[T](logits)
	var dst, dout []T
	if upstream != nil {
		dout = elements[T](upstream)
	}
	switch c.what {
	case loss, grad, hess, curv, sumAndGrad, sigmoid, softplus, logSigmoid:
		dst = make([]T, len(x))
		r.out = tensor.New(tensor.WithShape(logits.Shape().Clone()...), tensor.WithBacking(dst))
	case rows:
		dst = make([]T, n*c.y.PlaneSize())
		r.out = tensor.New(tensor.WithShape(rowShape(logits.Shape(), n, c.y.PlaneSize())...), tensor.WithBacking(dst))
	}
	switch c.what {
	case loss:
		err = focal.Loss(dst, x, c.y, c.p)
	case grad:
		err = focal.Grad(dst, x, c.y, dout, c.p)
	case hess:
		_, err = focal.Fused(focal.Out[T]{Hess: dst}, x, c.y, c.p)
	case curv:
		_, err = focal.Fused(focal.Out[T]{Curv: dst}, x, c.y, c.p)
	case sumAndGrad:
		r.sum, err = focal.Fused(focal.Out[T]{Grad: dst}, x, c.y, c.p)
	case sum:
		r.sum, err = focal.Sum(x, c.y, c.p)
	case rows:
		err = focal.Rows(dst, x, c.y, c.p)
	case score:
		r.part, err = focal.Score(x, c.y, c.p)
	case sigmoid:
		err = focal.Sigmoid(dst, x)
	case softplus:
		err = focal.Softplus(dst, x)
	case logSigmoid:
		err = focal.LogSigmoid(dst, x)
	case target:
		r.target = focal.Dense(slices.Clone(x))
	}
	if err != nil {
		return result{}, err
	}
	return r, nil
}

// rowShape returns the shape of the losses of rows: n for n images of one row each; with planes of the given size the axes
// behind the classes, or a single one if they are no planes.
func rowShape(logits []int, n, size int) []int {
	if size == 1 {
		return []int{n}
	}
	positions := 1
	for _, d := range logits[min(2, len(logits)):] {
		positions *= d
	}
	if positions == size {
		return append([]int{n}, logits[2:]...)
	}
	return []int{n, size}
}

// dimensions returns the numbers of rows, along the first axis, and of elements in each.
func dimensions(d *tensor.Dense) (n, columns int) {
	n, columns = 1, 1
	for i, size := range d.Shape() {
		if i == 0 {
			n = size
		} else {
			columns *= size
		}
	}
	return n, columns
}

// denseOf returns the value as a tensor whose elements lie one after another, row by row; that may be a copy.
func denseOf(v gorgonia.Value, name string) (*tensor.Dense, error) {
	d, ok := v.(*tensor.Dense)
	if !ok {
		return nil, fmt.Errorf("focal: %s is a %T, want a *tensor.Dense: %w", name, v, ErrType)
	}
	if contiguous(d) {
		return d, nil
	}
	copied := tensor.New(tensor.WithShape(d.Shape().Clone()...), tensor.Of(d.Dtype()))
	if d.DataOrder().IsColMajor() { // tensor.Copy would copy the elements as they lie
		for i, from := 0, make([]int, d.Dims()); i < copied.Size(); i++ {
			at := 0
			for k, stride := range d.Strides() {
				at += from[k] * stride
			}
			copied.Set(i, d.Get(at))
			for k := len(from) - 1; k >= 0; k-- {
				if from[k]++; from[k] < d.Shape()[k] {
					break
				}
				from[k] = 0
			}
		}
		return copied, nil
	}
	if err := tensor.Copy(copied, d); err != nil {
		return nil, fmt.Errorf("focal: %s cannot be copied: %w", name, err)
	}
	return copied, nil
}

func contiguous(d *tensor.Dense) bool {
	return d.IsNativelyAccessible() && d.DataOrder().IsRowMajor() && d.DataOrder().IsContiguous() && !d.RequiresIterator()
}

// elements returns the elements of a tensor: Data returns a single one as itself and not as a slice.
func elements[E int32 | float32 | float64](d *tensor.Dense) []E {
	switch v := d.Data().(type) {
	case []E:
		return v
	case E:
		return []E{v}
	}
	return nil // of another type: the lengths will not fit
}
