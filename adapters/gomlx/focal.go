// Package focalgomlx computes the sigmoid focal loss of GoMLX's tensors with package focal, and trains GoMLX models by it.
//
//	import focalgomlx "github.com/gofocal/focal/adapters/gomlx"
//
// The functions take tensors of float32 or float64 and return new ones. The results have the bits of package focal. Logits
// have the shape [N, C], or [N] for one class; further axes count as classes. A target made by [Dense] fits logits of any
// shape. Labels in a tensor become a target by
//
//	focal.Labels(tensors.MustCopyFlatData[int32](label))
//
// # Training
//
// A graph of GoMLX runs in a backend, and no backend calls back into Go, so the loss cannot be a node. Training needs only
// its gradient with respect to the logits. A step has three parts:
//
//  1. A graph computes the logits.
//  2. [Fused] computes loss and gradient, in Go.
//  3. A graph with the gradient d as an input computes the logits once more and differentiates [Surrogate]. The gradient
//     of that with respect to the logits is d. By the chain rule, its gradient with respect to the parameters is that of
//     the loss.
//
// The logits cross from the backend to Go, and the gradient crosses back; with package simplego, the backend written in Go,
// that is a copy. The forward pass is computed twice.
//
// The formula made of GoMLX's own operations, -(1-p)^γ·log p with p = Sigmoid(x), has a loss of +Inf and a gradient of NaN
// where a negative has a logit of 30, because 1-p is 0 in float32.
package focalgomlx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/gofocal/focal"
)

// ErrType: a tensor is neither of float32 nor of float64, or two are of different types. The text names the tensor and its
// type. The other errors are those of package focal.
var ErrType = errors.New("unsupported type")

// Surrogate returns a scalar node whose gradient with respect to the logits is d. So the gradient of any function that is
// computed outside the graph enters it. The value of the node has no meaning. Like GoMLX's own functions it panics if
// the shapes differ; inside a graph function that becomes the error of its execution.
func Surrogate(logits, d *graph.Node) *graph.Node {
	return graph.ReduceAllSum(graph.Mul(logits, graph.StopGradient(d)))
}

// Loss returns the loss of each element, in the shape of the logits, as [focal.Loss] does.
func Loss(logits *tensors.Tensor, y focal.Target, p focal.Params) (*tensors.Tensor, error) {
	r, err := evaluate(call{op: "Loss", what: loss, x: logits, y: y, p: p})
	return r.out, err
}

// Grad returns dout ⊙ ∂loss/∂x in the shape of the logits, as [focal.Grad] does. A nil dout is all ones.
func Grad(logits *tensors.Tensor, y focal.Target, dout *tensors.Tensor, p focal.Params) (*tensors.Tensor, error) {
	r, err := evaluate(call{op: "Grad", what: grad, x: logits, dout: dout, y: y, p: p})
	return r.out, err
}

// Hess returns the second derivative of each element's loss, in the shape of the logits, as [focal.Fused] does.
func Hess(logits *tensors.Tensor, y focal.Target, p focal.Params) (*tensors.Tensor, error) {
	r, err := evaluate(call{op: "Hess", what: hess, x: logits, y: y, p: p})
	return r.out, err
}

// Curv returns the Gauss-Newton part of the second derivative, which is ≥ 0, in the shape of the logits, as [focal.Fused] does.
func Curv(logits *tensors.Tensor, y focal.Target, p focal.Params) (*tensors.Tensor, error) {
	r, err := evaluate(call{op: "Curv", what: curv, x: logits, y: y, p: p})
	return r.out, err
}

// Fused returns the sum of the losses, and its gradient in the shape of the logits, in one pass, as [focal.Fused] does.
func Fused(logits *tensors.Tensor, y focal.Target, p focal.Params) (sum float64, gradient *tensors.Tensor, err error) {
	r, err := evaluate(call{op: "Fused", what: sumAndGrad, x: logits, y: y, p: p})
	return r.sum, r.out, err
}

// Sum returns the sum of the losses, as [focal.Sum] does.
func Sum(logits *tensors.Tensor, y focal.Target, p focal.Params) (float64, error) {
	r, err := evaluate(call{op: "Sum", what: sum, x: logits, y: y, p: p})
	return r.sum, err
}

// Rows returns the loss of each row, in the shape [N], as [focal.Rows] does. With [focal.Target.Planes] it is the shape of the
// logits without the classes, such as [N, H, W] for [N, C, H, W].
func Rows(logits *tensors.Tensor, y focal.Target, p focal.Params) (*tensors.Tensor, error) {
	r, err := evaluate(call{op: "Rows", what: rows, x: logits, y: y, p: p})
	return r.out, err
}

// Score returns the exact partial sum of the losses, as [focal.Score] does.
func Score(logits *tensors.Tensor, y focal.Target, p focal.Params) (focal.Partial, error) {
	r, err := evaluate(call{op: "Score", what: score, x: logits, y: y, p: p})
	return r.part, err
}

// Sigmoid returns the logistic function of each element, as [focal.Sigmoid] does.
func Sigmoid(x *tensors.Tensor) (*tensors.Tensor, error) {
	r, err := evaluate(call{op: "Sigmoid", what: sigmoid, x: x})
	return r.out, err
}

// Softplus returns log(1+exp(x)) of each element, as [focal.Softplus] does.
func Softplus(x *tensors.Tensor) (*tensors.Tensor, error) {
	r, err := evaluate(call{op: "Softplus", what: softplus, x: x})
	return r.out, err
}

// LogSigmoid returns log(σ(x)) of each element, as [focal.LogSigmoid] does.
func LogSigmoid(x *tensors.Tensor) (*tensors.Tensor, error) {
	r, err := evaluate(call{op: "LogSigmoid", what: logSigmoid, x: x})
	return r.out, err
}

// Dense returns the target that has a value for each element, as [focal.Dense] does. It refers to a copy of t.
func Dense(t *tensors.Tensor) (focal.Target, error) {
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
	x, dout *tensors.Tensor
	y       focal.Target
	p       focal.Params
}

// result is what it returns. The operation says which fields it has.
type result struct {
	out    *tensors.Tensor
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
	if c.dout != nil && c.dout.DType() != c.x.DType() {
		return result{}, fmt.Errorf("focal: %s: dout is of %v, want %v as the logits: %w", c.op, c.dout.DType(), c.x.DType(), ErrType)
	}
	if c.dout != nil && !c.dout.Shape().EqualDimensions(c.x.Shape()) {
		return result{}, fmt.Errorf("focal: %s: dout is %v, want %v as the logits: %w",
			c.op, c.dout.Shape().Dimensions, c.x.Shape().Dimensions, focal.ErrShape)
	}
	switch c.x.DType() {
	case dtypes.Float32:
		return run[float32](c)
	case dtypes.Float64:
		return run[float64](c)
	}
	return result{}, fmt.Errorf("focal: %s: %s is of %v, want Float32 or Float64: %w", c.op, name, c.x.DType(), ErrType)
}

func run[T focal.Float](c call) (r result, err error) {
	n, columns := 1, 1
	for i, d := range c.x.Shape().Dimensions {
		if i == 0 {
			n = d
		} else {
			columns *= d
		}
	}
	if !c.what.elementwise() {
		if err := c.y.Fits(n, columns); err != nil {
			return result{}, err
		}
	}
	switch c.what {
	case loss, grad, hess, curv, sumAndGrad, sigmoid, softplus, logSigmoid:
		r.out = tensors.FromShape(c.x.Shape())
	case rows:
		r.out = tensors.FromShape(shapes.Make(c.x.DType(), rowShape(c.x.Shape().Dimensions, n, c.y.PlaneSize())...))
	}
	err = read(c.x, func(x []T) error {
		if c.dout == c.x { // a tensor is locked while it is read
			return write(r.out, func(dst []T) error { return compute(c, &r, dst, x, x) })
		}
		return read(c.dout, func(dout []T) error {
			return write(r.out, func(dst []T) error { return compute(c, &r, dst, x, dout) })
		})
	})
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

func compute[T focal.Float](c call, r *result, dst, x, dout []T) (err error) {
	switch c.what {
	case loss:
		return focal.Loss(dst, x, c.y, c.p)
	case grad:
		return focal.Grad(dst, x, c.y, dout, c.p)
	case hess:
		_, err = focal.Fused(focal.Out[T]{Hess: dst}, x, c.y, c.p)
	case curv:
		_, err = focal.Fused(focal.Out[T]{Curv: dst}, x, c.y, c.p)
	case sumAndGrad:
		r.sum, err = focal.Fused(focal.Out[T]{Grad: dst}, x, c.y, c.p)
	case sum:
		r.sum, err = focal.Sum(x, c.y, c.p)
	case rows:
		return focal.Rows(dst, x, c.y, c.p)
	case score:
		r.part, err = focal.Score(x, c.y, c.p)
	case sigmoid:
		return focal.Sigmoid(dst, x)
	case softplus:
		return focal.Softplus(dst, x)
	case logSigmoid:
		return focal.LogSigmoid(dst, x)
	case target:
		r.target = focal.Dense(slices.Clone(x))
	}
	return err
}

// read calls f with the elements of a tensor, or with nil for none. The error is that of f, or GoMLX's.
func read[T focal.Float](t *tensors.Tensor, f func([]T) error) (err error) {
	if t == nil {
		return f(nil)
	}
	if failed := tensors.ConstFlatData(t, func(elements []T) { err = f(elements) }); failed != nil {
		return failed
	}
	return err
}

// write is read for elements that f changes.
func write[T focal.Float](t *tensors.Tensor, f func([]T) error) (err error) {
	if t == nil {
		return f(nil)
	}
	if failed := tensors.MutableFlatData(t, func(elements []T) { err = f(elements) }); failed != nil {
		return failed
	}
	return err
}
