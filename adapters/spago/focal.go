// Package focalspago is the sigmoid focal loss for spaGO, by package focal.
//
//	import focalspago "github.com/gofocal/focal/adapters/spago"
//
// [Loss], [Sum], [Rows], [Sigmoid], [Softplus] and [LogSigmoid] return operators, through which gradients flow to the logits. The other functions
// return values. All of them take a matrix of float32 or float64 with a row for each label and a column for each class, or
// a vector for a single label. The results have the bits of package focal.
//
// spaGO has focal losses of its own, in package losses: the softmax variant, of one example, whose classes exclude each other.
// This one is that of the paper: each class is a binary classifier, and all of them may be absent.
//
// spaGO ends the process at an operator's first error. Therefore values are computed before there is an operator, and what is
// wrong with the arguments is an error here. The backward pass reads the target again: until then its labels must stay as
// they are.
package focalspago

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nlpodyssey/spago/ag"
	"github.com/nlpodyssey/spago/mat"

	"github.com/gofocal/focal"
)

// ErrType: a tensor is no [mat.Matrix]. The text names the tensor and its type. The other errors are those of package focal.
var ErrType = errors.New("unsupported type")

// Loss returns the operator of the losses, in the shape of the logits, as [focal.Loss] does.
//
// In spaGO v1.1.0 the gradient that [ag.ReduceSum] sends to a matrix is a vector. It is taken here for what it is meant to be;
// but what comes between, [ag.Neg] for one, does not take it: put an [ag.Flatten] before ReduceSum then, or use [Sum].
func Loss(logits mat.Tensor, y focal.Target, p focal.Params) (mat.Tensor, error) {
	x, _, err := matrixOf("Loss", "logits", logits, &y)
	if err != nil {
		return nil, err
	}
	if single(x) {
		return lossOf[float32](logits, x, y, p)
	}
	return lossOf[float64](logits, x, y, p)
}

func lossOf[T focal.Float](logits mat.Tensor, x mat.Matrix, y focal.Target, p focal.Params) (mat.Tensor, error) {
	value := x.ZerosLike()
	if err := focal.Loss(elements[T](value), elements[T](x), y, p); err != nil {
		return nil, err
	}
	return operator(logits, value, func(gy mat.Tensor) (mat.Matrix, error) {
		gx := x.ZerosLike()
		return gx, focal.Grad(elements[T](gx), elements[T](x), y, elements[T](gy), p)
	})
}

// Sum returns the operator of the sum of the losses, a scalar and the usual cost. Where the logits require a gradient it is
// computed in the same pass, as [focal.Fused] does.
func Sum(logits mat.Tensor, y focal.Target, p focal.Params) (mat.Tensor, error) {
	x, _, err := matrixOf("Sum", "logits", logits, &y)
	if err != nil {
		return nil, err
	}
	if single(x) {
		return sumOf[float32](logits, x, y, p)
	}
	return sumOf[float64](logits, x, y, p)
}

func sumOf[T focal.Float](logits mat.Tensor, x mat.Matrix, y focal.Target, p focal.Params) (mat.Tensor, error) {
	var gx mat.Matrix
	var out focal.Out[T]
	if logits.RequiresGrad() {
		gx = x.ZerosLike()
		out.Grad = elements[T](gx)
	}
	sum, err := focal.Fused(out, elements[T](x), y, p)
	if err != nil {
		return nil, err
	}
	return operator(logits, x.NewScalar(sum), func(gy mat.Tensor) (mat.Matrix, error) {
		return gx.ProdScalar(gy.Item().F64()), nil
	})
}

// Rows returns the operator of the loss of each row, a vector with an element for each label, as [focal.Rows] does. With
// [focal.Target.Planes] it is a matrix with a row for each image and a column for each position.
func Rows(logits mat.Tensor, y focal.Target, p focal.Params) (mat.Tensor, error) {
	x, rows, err := matrixOf("Rows", "logits", logits, &y)
	if err != nil {
		return nil, err
	}
	if single(x) {
		return rowsOf[float32](logits, x, rows, y, p)
	}
	return rowsOf[float64](logits, x, rows, y, p)
}

func rowsOf[T focal.Float](logits mat.Tensor, x mat.Matrix, rows int, y focal.Target, p focal.Params) (mat.Tensor, error) {
	size := y.PlaneSize() // labels, and losses, of each of the rows
	shape := []int{rows, size}
	if size == 1 {
		shape = shape[:1]
	}
	value := x.NewMatrix(mat.WithShape(shape...))
	if err := focal.Rows(elements[T](value), elements[T](x), y, p); err != nil {
		return nil, err
	}
	return operator(logits, value, func(gy mat.Tensor) (mat.Matrix, error) {
		gx := x.ZerosLike()
		dout := make([]T, 0, x.Size())
		for image := range slices.Chunk(elements[T](gy), size) {
			dout = append(dout, slices.Repeat(image, x.Size()/(rows*size))...) // to each class
		}
		return gx, focal.Grad(elements[T](gx), elements[T](x), y, dout, p)
	})
}

// Sigmoid returns the operator of the logistic function of each element, as [focal.Sigmoid] does.
func Sigmoid(x mat.Tensor) (mat.Tensor, error) {
	m, _, err := matrixOf("Sigmoid", "x", x, nil)
	if err != nil {
		return nil, err
	}
	if single(m) {
		return activation(x, m, focal.Sigmoid[float32], sigmoidSlope[float32])
	}
	return activation(x, m, focal.Sigmoid[float64], sigmoidSlope[float64])
}

// Softplus returns the operator of log(1+exp(x)) of each element, as [focal.Softplus] does.
func Softplus(x mat.Tensor) (mat.Tensor, error) {
	m, _, err := matrixOf("Softplus", "x", x, nil)
	if err != nil {
		return nil, err
	}
	if single(m) {
		return activation(x, m, focal.Softplus[float32], softplusSlope[float32])
	}
	return activation(x, m, focal.Softplus[float64], softplusSlope[float64])
}

// LogSigmoid returns the operator of log(σ(x)) of each element, as [focal.LogSigmoid] does.
func LogSigmoid(x mat.Tensor) (mat.Tensor, error) {
	m, _, err := matrixOf("LogSigmoid", "x", x, nil)
	if err != nil {
		return nil, err
	}
	if single(m) {
		return activation(x, m, focal.LogSigmoid[float32], logSigmoidSlope[float32])
	}
	return activation(x, m, focal.LogSigmoid[float64], logSigmoidSlope[float64])
}

// activation returns the operator of a function of each element, and of its slope, which is written to dst; y is the function's value.
func activation[T focal.Float](x mat.Tensor, m mat.Matrix, f func(dst, x []T) error, slope func(dst, x, y []T) error) (mat.Tensor, error) {
	value := m.ZerosLike()
	if err := f(elements[T](value), elements[T](m)); err != nil {
		return nil, err
	}
	return operator(x, value, func(gy mat.Tensor) (mat.Matrix, error) {
		gx := m.ZerosLike()
		dst := elements[T](gx)
		if err := slope(dst, elements[T](m), elements[T](value)); err != nil {
			return nil, err
		}
		for i, dout := range elements[T](gy) {
			dst[i] *= dout
		}
		return gx, nil
	})
}

func sigmoidSlope[T focal.Float](dst, x, y []T) error {
	if err := logSigmoidSlope(dst, x, nil); err != nil { // 1-σ(x) without cancellation
		return err
	}
	for i, s := range y {
		dst[i] *= s
	}
	return nil
}

func softplusSlope[T focal.Float](dst, x, _ []T) error { return focal.Sigmoid(dst, x) }

func logSigmoidSlope[T focal.Float](dst, x, _ []T) error {
	for i, v := range x {
		dst[i] = -v
	}
	return focal.Sigmoid(dst, dst)
}

// Grad returns dout ⊙ ∂loss/∂x in the shape of the logits, as [focal.Grad] does. A nil dout is all ones.
func Grad(logits mat.Tensor, y focal.Target, dout mat.Tensor, p focal.Params) (mat.Matrix, error) {
	x, _, err := matrixOf("Grad", "logits", logits, &y)
	if err != nil {
		return nil, err
	}
	gx := x.ZerosLike()
	if single(x) {
		err = focal.Grad(elements[float32](gx), elements[float32](x), y, elements[float32](dout), p)
	} else {
		err = focal.Grad(elements[float64](gx), elements[float64](x), y, elements[float64](dout), p)
	}
	if err != nil {
		return nil, err
	}
	return gx, nil
}

// Fused returns the sum of the losses, and its gradient in the shape of the logits, in one pass, as [focal.Fused] does.
func Fused(logits mat.Tensor, y focal.Target, p focal.Params) (sum float64, gradient mat.Matrix, err error) {
	x, _, err := matrixOf("Fused", "logits", logits, &y)
	if err != nil {
		return 0, nil, err
	}
	gx := x.ZerosLike()
	if single(x) {
		sum, err = focal.Fused(focal.Out[float32]{Grad: elements[float32](gx)}, elements[float32](x), y, p)
	} else {
		sum, err = focal.Fused(focal.Out[float64]{Grad: elements[float64](gx)}, elements[float64](x), y, p)
	}
	if err != nil {
		return 0, nil, err
	}
	return sum, gx, nil
}

// Hess returns the second derivative of each element's loss, in the shape of the logits, as [focal.Fused] does.
func Hess(logits mat.Tensor, y focal.Target, p focal.Params) (mat.Matrix, error) {
	x, _, err := matrixOf("Hess", "logits", logits, &y)
	if err != nil {
		return nil, err
	}
	h := x.ZerosLike()
	if single(x) {
		_, err = focal.Fused(focal.Out[float32]{Hess: elements[float32](h)}, elements[float32](x), y, p)
	} else {
		_, err = focal.Fused(focal.Out[float64]{Hess: elements[float64](h)}, elements[float64](x), y, p)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Curv returns the Gauss-Newton part of the second derivative, which is ≥ 0, in the shape of the logits, as [focal.Fused] does.
func Curv(logits mat.Tensor, y focal.Target, p focal.Params) (mat.Matrix, error) {
	x, _, err := matrixOf("Curv", "logits", logits, &y)
	if err != nil {
		return nil, err
	}
	c := x.ZerosLike()
	if single(x) {
		_, err = focal.Fused(focal.Out[float32]{Curv: elements[float32](c)}, elements[float32](x), y, p)
	} else {
		_, err = focal.Fused(focal.Out[float64]{Curv: elements[float64](c)}, elements[float64](x), y, p)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Score returns the exact partial sum of the losses, as [focal.Score] does.
func Score(logits mat.Tensor, y focal.Target, p focal.Params) (focal.Partial, error) {
	x, _, err := matrixOf("Score", "logits", logits, &y)
	if err != nil {
		return focal.Partial{}, err
	}
	if single(x) {
		return focal.Score(elements[float32](x), y, p)
	}
	return focal.Score(elements[float64](x), y, p)
}

// Dense returns the target that has a value for each element, as [focal.Dense] does. It refers to the elements of t.
func Dense(t mat.Tensor) (focal.Target, error) {
	m, _, err := matrixOf("Dense", "t", t, nil)
	if err != nil {
		return focal.Target{}, err
	}
	if single(m) {
		return focal.Dense(elements[float32](m)), nil
	}
	return focal.Dense(elements[float64](m)), nil
}

// matrixOf returns the matrix of a tensor, and how many rows the target has for it. The target is nil if there is none.
func matrixOf(op, name string, t mat.Tensor, y *focal.Target) (m mat.Matrix, rows int, err error) {
	if t == nil {
		return nil, 0, fmt.Errorf("focal: %s: %s is nil: %w", op, name, focal.ErrShape)
	}
	m, ok := t.Value().(mat.Matrix)
	if !ok {
		return nil, 0, fmt.Errorf("focal: %s: %s is a %T, want a mat.Matrix: %w", op, name, t.Value(), ErrType)
	}
	if y == nil {
		return m, 0, nil
	}
	rows, cols := m.Shape()[0], m.Shape()[1]
	if err := y.Fits(rows, cols); err != nil {
		if cols == 1 && y.Fits(1, rows) == nil {
			return m, 1, nil
		}
		return nil, 0, err
	}
	return m, rows, nil
}

func single(m mat.Matrix) bool { return m.Data().BitSize() == 32 }

// elements returns the elements of a tensor: itself if they are of type T, converted otherwise, and nil if there is no tensor.
func elements[T focal.Float](t mat.Tensor) []T {
	if t == nil {
		return nil
	}
	data := t.Value().Data()
	if _, ok := any(T(0)).(float32); ok {
		return any(data.F32()).([]T)
	}
	return any(data.F64()).([]T)
}

// operator returns the operator that has a value and passes the gradient that backward returns to x.
func operator(x mat.Tensor, value mat.Matrix, backward func(gy mat.Tensor) (mat.Matrix, error)) (mat.Tensor, error) {
	return ag.NewOperator(&function{x, value, backward}).Run(), nil
}

// function is an [ag.AutoGradFunction].
type function struct {
	x        mat.Tensor
	value    mat.Matrix
	backward func(gy mat.Tensor) (mat.Matrix, error)
}

func (f *function) Operands() []mat.Tensor { return []mat.Tensor{f.x} }

func (f *function) Forward() (mat.Tensor, error) { return f.value, nil }

func (f *function) Backward(gy mat.Tensor) error {
	if !f.x.RequiresGrad() {
		return nil
	}
	gx, err := f.backward(gy)
	if err != nil {
		return err
	}
	f.x.AccGrad(gx)
	return nil
}
